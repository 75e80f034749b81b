"""Many small photographs: a plain loop of one at a time, and ours, which takes them together.

    python -m benchmarks.small [--rounds 9] [--photographs 64]

Processor time of one thread, decoding included, ways in alternation, a ViT-S/16 with random weights. Two
minutes. Expected: at 64 px at least 2 times the plain loop, and nowhere below 0.97 of it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import torch

import dinoscope as ds
from benchmarks.contest import ratio
from benchmarks.extract import forward_flops, photographs, plain_loop, same_weights
from benchmarks.machine import load_over_cores, processor_seconds, write_result
from dinoscope.pipeline.batches import first_batch_size

SIDES = (64, 96, 128, 224)
PRODUCT = 1024


def matrix_rate() -> float:
    """Of large products, FLOP/s of processor time."""
    a, b = torch.randn(PRODUCT, PRODUCT), torch.randn(PRODUCT, PRODUCT)
    a @ b
    return 2 * PRODUCT**3 / min(processor_seconds(lambda: a @ b) for _ in range(20))


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--photographs", type=int, default=64)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    model, backbone = same_weights()
    rate, count = matrix_rate(), asked.photographs
    result: dict[str, object] = {"photographs": count, "rounds": asked.rounds, "gflops": rate / 1e9}
    for side in SIDES:
        with tempfile.TemporaryDirectory() as folder:
            paths = photographs(Path(folder), count, side)
            ways = {
                "plain": lambda: plain_loop(paths, model, side),  # noqa: B023 (called within the round)
                "ours": lambda: list(ds.extract(paths, backbone, size_px=side)),  # noqa: B023
            }
            for way in ways.values():
                way()
            rounds = [
                {name: processor_seconds(way) for name, way in ways.items()} for _ in range(asked.rounds)
            ]
        times = {name: [taken[name] for taken in rounds] for name in ways}
        plain = statistics.median(times["plain"]) / count
        result[str(side)] = {
            "plain_per_s": 1 / plain,
            "ours_per_s": count / statistics.median(times["ours"]),
            "together": first_batch_size("cpu", 0, None, (side, side)),
            "ratio": ratio(times["plain"], times["ours"]),
            "bound": plain * rate / forward_flops(backbone, side),
        }
        print(side, result[str(side)], flush=True)
    result["load_over_cores"] = load_over_cores()
    write_result("small", result)


if __name__ == "__main__":
    main()
