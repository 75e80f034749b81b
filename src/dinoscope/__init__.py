"""dinoscope: an instrument for dense visual features.

Point it at photographs and at two or more vision backbones: it shows side by side, on fair terms,
how their patch features organise an image, and puts honest numbers on it.

The public names are imported when first used, so that ``import dinoscope`` costs next to nothing and
does not import torch. ``__init__.pyi`` says what they are and where they live.
"""

from __future__ import annotations

import sys

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

if "IPython" in sys.modules:
    from dinoscope.drawing.notebook import register

    register()
