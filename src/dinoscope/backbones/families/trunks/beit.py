"""BEiT and data2vec. With mean pooling the final norm belongs to the pooled vector; patches have none."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (Trunk(("beit", "data2vec-vision")),)
