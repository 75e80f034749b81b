"""The trunks of DPT and Depth Anything."""

from __future__ import annotations

from dinoscope.backbones.families.trunks.trunk import Trunk

TRUNKS = (
    Trunk(("dpt",)),
    Trunk(("depth_anything",), inside=("backbone",), loader="AutoModelForDepthEstimation"),
)
