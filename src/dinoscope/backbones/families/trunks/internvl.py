"""The vision tower of InternVL. With mean pooling it has no final norm."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (Trunk(("internvl_vision",)),)
