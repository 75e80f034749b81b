"""I-JEPA: a ViT without a class token."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (Trunk(("ijepa",), has_cls=False),)
