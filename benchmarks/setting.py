"""How much is measured: the network, the photographs, the rounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

POINTS = {
    "photographs": (8, 32, 128, 512),
    "patches": (256, 1024, 4096),
    "channels": (192, 384, 768),
    "models": (1, 2, 4),
}
QUICK_POINTS = {**POINTS, "photographs": (8, 32, 128)}
TINY_POINTS = {"photographs": (2, 4), "patches": (16, 64), "channels": (64, 128), "models": (1, 2)}


@dataclass(frozen=True, slots=True)
class Setting:
    """One kind of run.

    Attributes:
        dim, depth, heads: of the network: a DINOv3 ViT of patches of 16 pixels with random weights.
        side_px: of the model's input; photographs are squares of ``photograph_px`` as JPEG.
        count: photographs of a round.
        rounds: of the contest, after one that is not timed.
        batch: photographs in a pass of those ways that batch.
        profiled: photographs of the run that says where the time goes.
        gemm, copy_bytes: size of the matrix product and of the copy that the machine is measured by.
        points: of the scaling curves.
    """

    dim: int = 384
    depth: int = 12
    heads: int = 6
    side_px: int = 512
    photograph_px: int = 1024
    count: int = 16
    rounds: int = 9
    batch: int = 4
    profiled: int = 200
    gemm: int = 2048
    copy_bytes: int = 2**28
    points: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: POINTS)

    def on(self, device: torch.device) -> Setting:
        """The same for a device: an accelerator gets more photographs, smaller ones, and larger products."""
        if device.type != "cuda":
            return self
        return replace(self, count=32 * self.count, photograph_px=500, batch=32, gemm=8192)


FULL = Setting()
QUICK = replace(FULL, count=6, rounds=7, points=QUICK_POINTS)
LARGE = {"dim": 1024, "depth": 24, "heads": 16}
"""Of a ViT-L/16."""

TINY = Setting(
    dim=64,
    depth=2,
    heads=2,
    side_px=64,
    photograph_px=96,
    count=2,
    rounds=2,
    profiled=3,
    gemm=64,
    copy_bytes=2**16,
    points=TINY_POINTS,
)
"""Shows that it runs, not how fast."""
