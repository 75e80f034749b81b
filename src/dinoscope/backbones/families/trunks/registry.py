"""Every family: each module of this package is asked for its own, so that a new file is a new family."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import dinoscope.backbones.families.trunks as package
from dinoscope.backbones.families.trunks.trunk import Trunk

_MODULES = [
    import_module(f"{package.__name__}.{found.name}")
    for found in pkgutil.iter_modules(package.__path__)
    if found.name != "registry"
]

TRUNKS: tuple[Trunk, ...] = tuple(trunk for module in _MODULES for trunk in getattr(module, "TRUNKS", ()))

BY_TYPE = {kind: trunk for trunk in TRUNKS for kind in trunk.model_types}
"""By the ``model_type`` of a configuration."""
