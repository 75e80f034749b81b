"""C-RADIO: several class tokens, one for each teacher; no final norm; colours are normalised inside."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (
    Trunk(
        ("radio",),
        norm=(),
        normalises=True,
        notes=(
            "colours are normalised inside",
            "its first class token is taken, those of other teachers count as registers",
        ),
    ),
)
