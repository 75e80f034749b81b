"""Everything that wants a GPU, in one command: parity, a large input, halves where memory ends, how fast
photographs are read, the races.

    python -m benchmarks.gpu [--device cuda] [--only parity,races] [--tiny]

At most 9 minutes on a card; each part says what it took. Without a card it says so and ends with 1;
``--device cpu --tiny`` only shows that it runs. `python -m benchmarks.page` shows the results, those of the
races with their machine. Expected: a mean cosine of float32 on the card with float32 on the CPU of at least
0.99999, and of bfloat16 of at least 0.999.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

import dinoscope as ds
from benchmarks.__main__ import main as race
from benchmarks.extract import photographs
from benchmarks.machine import write_result
from benchmarks.setting import QUICK, TINY
from dinoscope.io.images import read_photograph
from dinoscope.io.jpeg import fast_decoder
from dinoscope.pipeline.certificate import check_arithmetic, checked_way
from dinoscope.pipeline.run import Arithmetic, Run
from dinoscope.scenes.generate import scenes

MODEL = "random:dinov3-vits16"
LIMIT_S = 540.0
LITTLE = 0.02
"""Of the card's memory: too little for a large batch, enough for a few photographs."""


def parity(device: torch.device, *, tiny: bool) -> dict[str, object]:
    """Float32 on the device against float32 on the CPU, and bfloat16 against float32 on the device."""
    run = Run(8 if tiny else 32)
    pictures = [scene.first.image for scene in scenes(2 if tiny else 8, 0, size=(256, 256))]
    there, here = (ds.load_backbone(MODEL, device=where) for where in (device, "cpu"))
    moved = checked_way(there, here, pictures, run, way=f"float32 on {device.type}")
    half = check_arithmetic(there, pictures, Arithmetic(torch.bfloat16), run)
    told = {"float32": moved, "bfloat16": half}
    return {way: {"mean": found.mean, "worst": found.minimum} for way, found in told.items()}


def large_input(device: torch.device, *, tiny: bool) -> dict[str, object]:
    """One photograph of 4,096 x 4,096 pixels in bfloat16, the second time."""
    side = 128 if tiny else 4096
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    model = ds.load_backbone(MODEL, device=device, dtype="bfloat16")
    for _ in range(2):
        start = time.perf_counter()
        (features,) = ds.extract(pixels, model, grid=side // 16)
        took = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else None
    return {"patches": features.grid.n, "s": took, "peak_device_gib": peak}


def halves(device: torch.device, *, tiny: bool) -> dict[str, object]:
    """A batch that does not fit: it must come through in parts, with the features of single photographs."""
    count, side = (4, 128) if tiny else (256, 512)
    pictures = list(np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8))
    model = ds.load_backbone(MODEL, device=device)
    (alone,) = ds.extract(pictures[:1], model, grid=side // 16)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(LITTLE, device)
    try:
        found = list(ds.extract(pictures, model, grid=side // 16, batch_size=count))
    finally:
        if device.type == "cuda":
            torch.cuda.set_per_process_memory_fraction(1.0, device)
    return {
        "photographs": len(found),
        "largest_difference": float(np.abs(found[0].values - alone.values).max()),
    }


def laboratory(device: torch.device, *, tiny: bool) -> dict[str, object]:
    """A short experiment by the command itself: in bfloat16 where the card has it."""
    with tempfile.TemporaryDirectory() as folder:
        photographs = Path(folder) / "scenes"
        steps = ["--trunk-steps", "4", "--steps", "2"] if tiny else ["--trunk-steps", "200", "--steps", "60"]
        size = ["--dim", "32", "--depth", "1", "--heads", "2", "--batch", "4"] if tiny else []
        few = ["--planted-steps", "0", "--arms", "continue", "--measured-scenes", "8", "--recursive"]
        where = ["--out", f"{folder}/out", "--device", device.type]
        commands = (
            ["scenes", str(photographs), "--n", "8" if tiny else "64"],
            ["anchor", str(photographs), *where, *steps, *size, *few],
        )
        start = time.perf_counter()
        for words in commands:
            subprocess.run([sys.executable, "-m", "dinoscope", *words], check=True, stdout=subprocess.DEVNULL)
        return {"s": time.perf_counter() - start}


def feeding(device: torch.device, *, tiny: bool) -> dict[str, object]:
    """Photographs a second that threads read for the card: JPEG files of the races, by `read_photograph`."""
    setting = (TINY if tiny else QUICK).on(device)
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = photographs(Path(folder), setting.count, setting.photograph_px)
        list(map(read_photograph, paths))
        for threads in (1, 2) if tiny else (1, 4, 8, 16):
            with ThreadPoolExecutor(threads) as pool:
                start = time.perf_counter()
                list(pool.map(read_photograph, paths))
                rates[str(threads)] = len(paths) / (time.perf_counter() - start)
    return {
        "photographs": setting.count,
        "photograph_px": setting.photograph_px,
        "fast_decoder": fast_decoder() is not None,
        "per_s": rates,
    }


def races(device: torch.device, *, tiny: bool) -> dict[str, object]:
    """Photographs a second beside what others would write, of a small network and a large one."""
    where = ["--device", device.type, "--without-curves"]
    if tiny:
        race([*where, "--tiny", "--out", tempfile.mkdtemp()])
    else:
        for size in ([], ["--large"]):
            race([*where, "--quick", "--dtype", "bfloat16", "--baseline", *size])
    return {}


PARTS: Mapping[str, Callable[..., Mapping[str, object]]] = {
    "parity": parity,
    "large_input": large_input,
    "halves": halves,
    "laboratory": laboratory,
    "feeding": feeding,
    "races": races,
}
"""Short ones first: what is cut off is the races' last."""


def main() -> None:
    """Run every part that there is time for, print what it found, and keep it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="only to see that it runs")
    parser.add_argument("--only", default=",".join(PARTS))
    asked = parser.parse_args()
    device = torch.device(asked.device)
    if device.type == "cuda":
        if not torch.cuda.is_available():
            sys.exit(
                "no GPU is there that torch can use: nothing was measured, and the page keeps what it says"
            )
        device = torch.device("cuda", device.index or 0)
    start, found = time.perf_counter(), {}
    for name, part in ((name, PARTS[name]) for name in asked.only.split(",")):
        began = time.perf_counter()
        if began - start > LIMIT_S:
            print(f"{name}: left out, {LIMIT_S:.0f} s are over")
            continue
        found[name] = {**part(device, tiny=asked.tiny), "took_s": time.perf_counter() - began}
        print(f"{name}: {found[name]}", flush=True)
        if not asked.tiny:
            card = torch.cuda.get_device_name(device) if device.type == "cuda" else "no card"
            print(write_result("gpu", {**found, "card": card, "cores": os.cpu_count()}), flush=True)


if __name__ == "__main__":
    main()
