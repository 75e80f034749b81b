"""CLIP, MetaCLIP 2, Chinese CLIP and MLCD: their last norm is meant for the class token only."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (
    Trunk(
        (
            "clip",
            "clip_vision_model",
            "metaclip_2",
            "metaclip_2_vision_model",
            "chinese_clip",
            "chinese_clip_vision_model",
            "mlcd",
            "mlcd_vision_model",
        )
    ),
)
