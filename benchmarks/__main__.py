"""From JPEG files to patch features: ours beside what others would write, in alternation; and how it scales.

    python -m benchmarks [--quick] [--device cuda --dtype bfloat16 --large] [--baseline] [--without-curves]

A ViT-S/16 (``--large``: ViT-L/16) with random weights at 512 px. Figures are ratios of times in the same
round, median and spread (half the distance between the quartiles), because ways of one round see the same
machine; with them the machine's own rates, measured in the same run: matrix products in the model's dtype and
copies of 256 MB. Then a profile of 200 photographs, and curves of time and memory over photographs, patches,
channels and models, each point in a process of its own. Results lie in ``benchmarks/results/MACHINE``;
``python -m benchmarks.page`` makes the page of them. ``--baseline`` commits the ratios; without it they are
compared with those committed. About 15 minutes on 2 CPU cores with nothing else running, ``--quick`` about 6.
Expected: ours at most 1.05 times forward only, and no way faster than ours.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.baseline import BASELINE, baseline_key, changes, read_baseline, write_baseline
from benchmarks.contest import contest, contest_steps, contest_text
from benchmarks.curves import curves, power
from benchmarks.machine import RESULTS, machine_name, write_result
from benchmarks.progress import Progress
from benchmarks.setting import FULL, LARGE, QUICK, TINY
from dinoscope.backbones.load import torch_device, torch_dtype

POINT = 0.7
"""A point of a curve against a round of the contest: mostly the start of a process."""


def main(words: Sequence[str] | None = None) -> None:
    """Run the ways in turn, print the ratios and keep the results."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="fewer photographs, rounds and points")
    size.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--large", action="store_true", help="a ViT-L/16")
    parser.add_argument("--baseline", action="store_true", help="commit these ratios")
    parser.add_argument("--without-curves", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    asked = parser.parse_args(words)
    device, dtype = torch_device(asked.device), torch_dtype(asked.dtype)
    setting = (TINY if asked.tiny else QUICK if asked.quick else FULL).on(device)
    if asked.large:
        setting = replace(setting, **LARGE)
    with_curves = not asked.without_curves and device.type == "cpu"
    n_points = sum(map(len, setting.points.values())) if with_curves else 0
    progress = Progress([*contest_steps(setting), *[POINT] * n_points])
    folder = asked.out / machine_name(device)
    name = f"contest-{asked.dtype}" + ("-large" if asked.large else "")

    result = contest(device, dtype, setting, progress)
    print(contest_text(result))
    print(write_result(name, result, folder))
    if with_curves:
        found = curves(setting.points, apart=not asked.tiny, on_point=progress.step)
        for what, curve in found.items():
            print(f"{what}: time {power(curve['time_exponent'])}, memory {power(curve['memory_exponent'])}")
        print(write_result("curves", found, folder))
    committed = asked.out / BASELINE.name if asked.tiny else BASELINE
    key = baseline_key(result)
    print("\nsince the committed baseline:")
    print("\n".join(changes(result["ratios"], read_baseline(key, committed))))
    if asked.baseline:
        write_baseline(key, result["ratios"], committed)


if __name__ == "__main__":
    main()
