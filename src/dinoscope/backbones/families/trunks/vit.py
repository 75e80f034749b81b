"""ViT, DINO v1, DeiT and MSN: a class token, in DeiT another one for distillation."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (Trunk(("vit", "deit", "vit_msn")),)
