"""Peak memory of one 2048 x 2048 photograph through ViT-S/16 on the CPU.

    python -m benchmarks.memory [--side 4096] [--blocks 2]

About a minute on 2 CPU cores. Expected: below 3 GB for the whole process, torch included; below 4 GB at
``--side 4096``, which takes 16 times as long in attention: about a quarter of an hour. The peak is that of
one block, so ``--blocks 2`` shows it in a sixth of the time, less 71 MB of the other blocks' weights.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time

import numpy as np

import dinoscope as ds
from benchmarks.machine import write_result
from dinoscope.backbones.base import Backbone
from dinoscope.data.grid import PatchGrid
from dinoscope.pipeline.memory import forward_bytes


def vit_small(blocks: int) -> Backbone:
    """A DINOv3 ViT-S/16 of so many blocks, with random weights."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    config = DINOv3ViTConfig(
        hidden_size=384,
        intermediate_size=1536,
        num_hidden_layers=blocks,
        num_attention_heads=6,
        num_register_tokens=4,
    )
    with tempfile.TemporaryDirectory() as folder:
        DINOv3ViTModel(config).eval().save_pretrained(folder)
        return ds.load_backbone(weights=folder)


def main() -> None:
    """Extract once and print the process's peak resident memory."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--blocks", type=int, default=12)
    asked = parser.parse_args()
    side, h = asked.side, asked.side // 16
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    backbone = vit_small(asked.blocks)
    estimate = forward_bytes(backbone.spec, PatchGrid(h, h, 16, (side, side))) / 2**30
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    start = time.perf_counter()
    (features,) = ds.extract(pixels, backbone, grid=h)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{side} px, {features.grid.n} patches, {asked.blocks} blocks: {peak:.2f} GiB, {before:.2f} before")
    result = {
        "side_px": side,
        "blocks": asked.blocks,
        "peak_gib": peak,
        "before_gib": before,
        "estimated_gib_for_the_pass": estimate,
        "s": took,
    }
    print(write_result("memory" if side == 2048 else f"memory-{side}", result))


if __name__ == "__main__":
    main()
