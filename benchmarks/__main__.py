"""From JPEG files to patch features: ours beside what others would write, in alternation.

    python -m benchmarks [--quick] [--device cuda --dtype bfloat16] [--baseline] [--without-curves]

ViT-S/16 with random weights at 512 px. Figures are ratios of times in the same round, median and spread (half
the distance between the quartiles), because rounds see the same machine; with them the machine's own rates,
measured in the same run: matrix products in the model's dtype and copies of 256 MB. The result lies in
``benchmarks/results``, named by machine. ``--baseline`` commits the ratios; without it they are compared with
those committed. About 10 minutes on 2 CPU cores; ``--quick`` about 2. Expected: ours / forward only at most
1.05, and no way faster than ours.
"""

from __future__ import annotations

import argparse
import re
import resource
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.baseline import changes, read_baseline, write_baseline
from benchmarks.contest import ways
from benchmarks.curves import curves
from benchmarks.extract import SIDE, photographs, same_weights
from benchmarks.machine import copy_rate, describe, gemm_rate, seconds, write_result
from dinoscope.backbones.load import torch_device, torch_dtype
from dinoscope.pipeline.profile import profile_text, profiled


def main() -> None:
    """Run the ways in turn, print the ratios and keep the result."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--baseline", action="store_true", help="commit these ratios")
    parser.add_argument("--without-curves", action="store_true")
    asked = parser.parse_args()
    device, dtype = torch_device(asked.device), torch_dtype(asked.dtype)
    count, rounds = (4, 3) if asked.quick else (16, 9)
    if device.type == "cuda":
        count *= 16
    result = contest(device, dtype, count, rounds)
    if not asked.without_curves and device.type == "cpu":
        result["curves"] = curves(quick=asked.quick)
        for what, curve in result["curves"].items():
            print(f"{what}: time n^{curve['time_exponent']:.2f}, memory n^{curve['memory_exponent']:.2f}")
    key = f"{device.type} {asked.dtype}"
    print("\nsince the committed baseline:")
    print("\n".join(changes(result["ratios"], read_baseline(key))))
    if asked.baseline:
        write_baseline(key, result["ratios"])
    print(write_result(result_name(device, asked.dtype, quick=asked.quick), result))


def contest(device: torch.device, dtype: torch.dtype, count: int, rounds: int) -> dict[str, Any]:
    """All ways in alternation; times, ratios to ours, shares of the matrix rate."""
    model, backbone = same_weights()
    model, backbone = model.to(device, dtype), backbone.to(device, dtype)
    with FlopCounterMode(display=False) as counter:
        backbone.forward(torch.zeros(1, 3, SIDE, SIDE))
    flops = counter.get_total_flops() * count
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder), count)
        every = ways(paths, model, backbone)
        for way in every.values():
            way()
        times: dict[str, list[float]] = {name: [] for name in every}
        gemms, copies = [], []
        for _ in range(rounds):
            for name, way in every.items():
                times[name].append(timed(way, device))
            gemms.append(gemm_rate(device=device, dtype=dtype))
            copies.append(copy_rate(device=device))
        with profiled() as watch:
            every["ours"]()
    gemm = statistics.median(gemms)
    ratios = {f"{name} / ours": ratio(times[name], times["ours"]) for name in every if name not in ("ours",)}
    shares = {name: flops / statistics.median(values) / gemm for name, values in times.items()}
    for name, values in times.items():
        print(f"{name:22}{count / statistics.median(values):8.2f}/s, {shares[name]:.0%} of the matrix rate")
    for name, value in ratios.items():
        print(f"{name:32}{value['median']:.3f} ± {value['spread']:.3f}")
    print(profile_text(watch.profile()))
    return {
        "photographs": count,
        "rounds": rounds,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "dtype": str(dtype).removeprefix("torch."),
        "seconds": times,
        "ratios": ratios,
        "share_of_matrix_rate": shares,
        "matrix_gflops": gemm / 1e9,
        "copy_gb_per_s": statistics.median(copies) / 1e9,
        "peak_resident_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2,
        "peak_device_gib": torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None,
        "profile": profile_text(watch.profile()).splitlines(),
    }


def timed(way: Any, device: torch.device) -> float:
    """Until the device is done."""

    def whole() -> None:
        way()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return seconds(whole)


def ratio(above: Sequence[float], below: Sequence[float]) -> dict[str, float]:
    """Of times in the same round: median, and half the distance between the quartiles."""
    each = [a / b for a, b in zip(above, below, strict=True)]
    low, _, high = statistics.quantiles(each, n=4, method="inclusive")
    return {"median": statistics.median(each), "spread": (high - low) / 2}


def result_name(device: torch.device, dtype: str, *, quick: bool) -> str:
    """A file name that says on what machine."""
    facts = describe()
    on = torch.cuda.get_device_name(device) if device.type == "cuda" else str(facts["processor"])
    words = re.sub(r"[^a-z0-9]+", "-", f"{on} {facts['threads']} threads {dtype}".lower()).strip("-")
    return f"extract-{words}" + ("-quick" if quick else "")


if __name__ == "__main__":
    main()
