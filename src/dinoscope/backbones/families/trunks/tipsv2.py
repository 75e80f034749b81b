"""TIPSv2. Its second token counts as a register here."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (
    Trunk(
        ("tipsv2", "tipsv2_vision_model"),
        notes=("its register is a second class token, trained on other captions",),
    ),
)
