"""Peak memory of one 2048 x 2048 photograph through ViT-S/16 on the CPU.

    python -m benchmarks.memory

About a minute on 2 CPU cores. Expected: below 3 GB for the whole process, torch included.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np

import dinoscope as ds
from benchmarks.machine import write_result


def main() -> None:
    """Extract once and print the process's peak resident memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048)
    side = parser.parse_args().side
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    backbone = ds.load_backbone("random:dinov3-vits16")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    (features,) = ds.extract(pixels, backbone, grid=side // 16)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"{side} px, {features.grid.n} patches: peak {peak:.2f} GiB, {before:.2f} GiB before the pass")
    print(write_result("memory", {"side_px": side, "peak_gib": peak, "before_gib": before}))


if __name__ == "__main__":
    main()
