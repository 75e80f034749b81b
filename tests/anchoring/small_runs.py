"""The smallest runs that still do everything, and photographs for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from dinoscope.anchoring.config import Settings
from validation.monitor import CROPS, NETWORK


def small(**changes: Any) -> Settings:
    """Six steps of four photographs, a checkpoint after every other step."""
    base = Settings(
        steps=6,
        batch=4,
        warmup=2,
        ema=0.9,
        memory_px=32,
        checkpoint_every=2,
        snapshot_every=2,
        network=NETWORK,
        crops=CROPS,
    )
    return replace(base, **changes)


def write_photographs(folder: Path, n: int = 9, side: int = 32) -> Path:
    """Smooth coloured blobs, each of another size and colour."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        random = np.random.default_rng(i)
        coarse = Image.fromarray(random.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        size = (side + 3 * (i % 3), side + 2 * (i % 2))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i:02d}.png")
    return folder
