"""SigLIP, and SigLIP 2 of a fixed size: no class token."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (Trunk(("siglip", "siglip_vision_model"), has_cls=False),)
