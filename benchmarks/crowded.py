"""Is `extract` slower than the plain loop while other processes use the cores?

    python -m benchmarks.crowded [--others 2] [--rounds 20] [--photographs 3] [--side 512]

A ViT-S/16 with random weights from JPEG files of one megapixel. Both ways in turn, the first of a round
changing, wall-clock and processor time of each; beside them so many processes that multiply matrices without
end (0 where the machine is crowded already). Some minutes. Expected: the median ratio at most 1.02, and about
as many rounds won as lost.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch

import dinoscope as ds
from benchmarks.contest import ratio
from benchmarks.extract import SIDE, photographs, plain_loop, same_weights
from benchmarks.machine import load_over_cores, processor_seconds, seconds, write_result

BUSY = "import torch; a = torch.randn(1024, 1024)\nwhile True: a @ a"


def both(job: Callable[[], object]) -> tuple[float, float]:
    """Wall-clock and processor seconds."""
    used: list[float] = []
    wall = seconds(lambda: used.append(processor_seconds(job)))
    return wall, used[0]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--others", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--photographs", type=int, default=3)
    parser.add_argument("--side", type=int, default=SIDE, help="pixels of the input")
    asked = parser.parse_args()
    model, backbone = same_weights()
    taken: dict[str, list[tuple[float, float]]] = {"ours": [], "plain": []}
    busy = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(asked.others)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            paths = photographs(Path(folder), asked.photographs)
            ways: dict[str, Callable[[], object]] = {
                "ours": lambda: list(ds.extract(paths, backbone, size_px=asked.side)),
                "plain": lambda: plain_loop(paths, model, asked.side),
            }
            for way in ways.values():
                way()
            for i in range(asked.rounds):
                for name in list(ways)[:: 1 if i % 2 else -1]:
                    taken[name].append(both(ways[name]))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    wall, used = ({name: [each[i] for each in taken[name]] for name in taken} for i in (0, 1))
    result: dict[str, object] = {
        "photographs": asked.photographs,
        "rounds": asked.rounds,
        "others": asked.others,
        "side": asked.side,
        "load_over_cores": load_over_cores(),
        "threads": torch.get_num_threads(),
        "seconds": {name: statistics.median(times) for name, times in wall.items()},
        "wall": ratio(wall["ours"], wall["plain"]),
        "processor": ratio(used["ours"], used["plain"]),
        "rounds_ours_was_slower": sum(a > b for a, b in zip(wall["ours"], wall["plain"], strict=True)),
        "ratios": [a / b for a, b in zip(wall["ours"], wall["plain"], strict=True)],
    }
    print(result)
    write_result("crowded", result)


if __name__ == "__main__":
    main()
