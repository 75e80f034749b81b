"""DINOv2, with and without registers, and the ViTs of DINOv3, as `transformers` runs them."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (Trunk(("dinov2", "dinov2_with_registers", "dinov3_vit")),)
