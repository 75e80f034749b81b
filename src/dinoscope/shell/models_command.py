"""`dinoscope models`."""

from __future__ import annotations


def models_command() -> None:
    """List every model: source, licence, gate, size, cached or not."""
    from dinoscope.backbones.listing import models_text

    print(models_text())
