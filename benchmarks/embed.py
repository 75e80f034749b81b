"""Embedding 10,000 distinct small photographs: memory, the store's share of the time, Ray beside local.

    python -m benchmarks.embed [--quick] [--without-ray]

1. A tiny model (2 blocks, 32 channels), so that everything but the model is what is seen: 10,000 photographs
   of 64 x 64 into a fresh store in a process of its own. Its memory after each thousand; expected: flat from
   the first thousand to the last. The store's time (claims, commits, statistics, rows to Arrow, joining small
   fragments) is summed by a clock around each of its functions that the worker calls.
2. The store's time a photograph with 384 channels, and the forward pass of a ViT-S/16 with random weights on
   a 32x32 grid. Expected: the store at most 5 % of both together.
3. The same photographs by one local process on two threads and by Ray with two workers of one thread each,
   the ViT-S/16 on an 8x8 grid. Ray's start-up (from the call to the first commit) and
   shut-down are measured apart and left out. Expected: Ray within 15 % of local. Needs the extra `ray`.
``--quick``: 1,000 photographs in part 1, 200 instead of 2,000 in part 3.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import dinoscope as ds
from benchmarks.machine import gemm_rate, seconds, write_result
from dinoscope.backbones.base import Backbone
from dinoscope.pipeline.embed import embed
from dinoscope.store.store import open_store

GRID = 32
RAY_GRID = 8


def write_photographs(folder: Path, count: int) -> None:
    """Distinct JPEG files of 64 x 64, a thousand in a folder."""

    def write(i: int) -> None:
        path = folder / f"{i // 1000:02d}" / f"{i:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        colours = np.random.default_rng(i).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(colours).resize((64, 64), Image.Resampling.BICUBIC).save(path, quality=90)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(count)))


def vit(folder: Path, *, dim: int, depth: int) -> Backbone:
    """A DINOv3 ViT of patches of 16 pixels with random weights."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(0)
    config = DINOv3ViTConfig(
        hidden_size=dim,
        intermediate_size=4 * dim,
        num_hidden_layers=depth,
        num_attention_heads=max(1, dim // 64),
        num_register_tokens=4,
    )
    path = folder / f"vit-{dim}-{depth}"
    DINOv3ViTModel(config).eval().save_pretrained(path)
    return ds.load_backbone(weights=path)


def memory_of_a_run(folder: Path) -> dict[str, Any]:
    """Part 1, in the process that is looked at."""
    clock = StoreClock()
    marks: list[tuple[int, int]] = []

    def look(done: int) -> None:
        if done % 1000 == 0:
            marks.append((done, _resident()))

    backbone = vit(folder, dim=32, depth=2)
    start = time.perf_counter()
    embed(folder / "photos", backbone, folder / "store-tiny", grid=4, on_progress=look)
    total = time.perf_counter() - start
    return {
        "resident_bytes_after": dict(marks),
        "last_over_first": marks[-1][1] / marks[0][1],
        "s": total,
        "store_s": clock.spent,
    }


class StoreClock:
    """Time spent in what the worker calls of the store, from now on."""

    def __init__(self) -> None:
        from dinoscope.store.writer import TableWriter

        self.spent = 0.0
        self._depth = 0
        for name in ("__init__", "knows", "claim", "known_twin", "add", "fail", "commit", "finish"):
            setattr(TableWriter, name, self._timed(getattr(TableWriter, name)))

    def _timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self.spent += time.perf_counter() - start

        return timed


def store_share(folder: Path, count: int) -> dict[str, Any]:
    """Part 2: both in one process, in alternation of a few photographs each."""
    clock = StoreClock()
    backbone = vit(folder, dim=384, depth=12)
    side = 16 * GRID
    pixels = torch.zeros(1, 3, side, side)
    backbone.forward(pixels)
    forward = statistics.median(seconds(lambda: backbone.forward(pixels)) for _ in range(10))
    paths = sorted((folder / "photos").rglob("*.jpg"))[:count]
    start = time.perf_counter()
    embed(paths, backbone, folder / "store-small", grid=GRID)
    total = time.perf_counter() - start
    return {
        "photographs": count,
        "forward_s": forward,
        "run_s_per_photograph": total / count,
        "store_s_per_photograph": clock.spent / count,
        "store_share_of_run": clock.spent / total,
        "store_share_of_store_and_forward": clock.spent / count / (clock.spent / count + forward),
    }


def ray_beside_local(folder: Path, count: int) -> dict[str, Any]:
    """Part 3."""
    from importlib.metadata import version

    from dinoscope.pipeline.embed_ray import embed_with_ray
    from dinoscope.pipeline.ray_workers import RayOptions
    from dinoscope.pipeline.run import Run

    some = folder / "some"
    write_photographs(some, count)
    backbone = vit(folder, dim=384, depth=12)
    told: dict[str, Any] = {"photographs": count, "grid": RAY_GRID, "ray": version("ray")}
    options = RayOptions(workers=2, parts=max(16, count // 64))
    runs: dict[str, Callable[[Path], object]] = {
        "local": lambda store: embed(some, backbone, store, grid=RAY_GRID),
        "ray": lambda store: embed_with_ray(some, backbone, store, Run(RAY_GRID), options),
    }
    for name, run in runs.items():
        told[name] = watched(run, folder / name)
    told["ray_over_local"] = told["local"]["photographs_per_s"] / told["ray"]["photographs_per_s"]
    return told


def watched(run: Callable[[Path], object], store: Path) -> dict[str, float]:
    """The rate from the first commit to the last, and what lies before and after; rows are what counts."""
    marks: list[tuple[float, int]] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.1):
            if list(store.glob("tables/*/settings.json")):
                rows = len(open_store(store).table())
                if rows > (marks[-1][1] if marks else 0):
                    marks.append((time.perf_counter(), rows))

    watcher = threading.Thread(target=look)
    start = time.perf_counter()
    watcher.start()
    try:
        run(store)
    finally:
        end = time.perf_counter()
        ended.set()
        watcher.join()
    (first, before), (last, after) = marks[0], marks[-1]
    if after == before:
        raise RuntimeError("too few photographs: all were committed at once")
    return {
        "start_up_s": first - start,
        "after_the_last_commit_s": end - last,
        "photographs_per_s": (after - before) / (last - first),
    }


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (memory_of_a_run, store_share, ray_beside_local)
}


def main() -> None:
    """Run the parts, each in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--without-ray", action="store_true")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        name, folder, *count = asked.part
        print(json.dumps(PARTS[name](Path(folder), *map(int, count))))
        return
    count = 1000 if asked.quick else 10_000
    result: dict[str, Any] = {"photographs": count, "gemm_gflops": gemm_rate() / 1e9}
    parts = [("memory_of_a_run", ""), ("store_share", "64")]
    if not asked.without_ray:
        parts.append(("ray_beside_local", "200" if asked.quick else "2000"))
    with tempfile.TemporaryDirectory() as name:
        write_photographs(Path(name) / "photos", count)
        for part, number in parts:
            words = [
                sys.executable,
                "-m",
                "benchmarks.embed",
                "--part",
                part,
                name,
                *([number] if number else []),
            ]
            answer = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            result[part] = json.loads(answer.stdout.splitlines()[-1])
            print(f"{part}: {json.dumps(result[part])}\n", flush=True)
    print(write_result("embed-quick" if asked.quick else "embed", result))


if __name__ == "__main__":
    main()
