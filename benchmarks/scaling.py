"""What the plan in docs/scaling.md rests on: bytes, seconds and memory for each row, measured here.

    python -m benchmarks.scaling [--rows 200000]

Writes rows of random vectors straight into tables as an embedding commits them, then opens a writer on
one. About two minutes on 2 CPU cores. Nothing is expected of the figures; the plan multiplies them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.extract import photographs
from benchmarks.machine import seconds, write_result
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.io.collections.collection import each_item
from dinoscope.io.images import read_photograph
from dinoscope.maths.pca import patch_moments
from dinoscope.pipeline.embed import new_row
from dinoscope.store.lance import append, batches, open_dataset, tidy
from dinoscope.store.schema import NewRow, TableSettings, rows_to_arrow
from dinoscope.store.store import FeatureTable, create_table
from dinoscope.store.writer import open_writer

DIMS = (384, 1024)
PATCHES = 1024
AT_ONCE = 4096
LISTED = 100_000


def settings(dim: int) -> TableSettings:
    """Of a table of that many channels."""
    half = (0.5, 0.5, 0.5)
    return TableSettings("scaling", "", 11, True, "float32", "bilinear", half, half, dim, 32)


def filled(folder: Path, dim: int, count: int) -> FeatureTable:
    """A table of random rows, joined into few fragments."""
    table = create_table(folder / f"store-{dim}", settings(dim))
    rng = np.random.default_rng(dim)
    grid = PatchGrid(32, 32, 16, (640, 480))
    nothing = patch_moments(np.zeros((1, dim), np.float32))
    for first in range(0, count, AT_ONCE):
        rows = [
            NewRow(
                digest=rng.bytes(32).hex(),
                source=f"/data/photographs/{i // 1000:06d}/{i:09d}.jpg",
                stamp=f"{int(rng.integers(10**5, 10**7))}-{int(rng.integers(10**18, 2 * 10**18))}",
                grid=grid,
                vectors=dict(
                    zip(("cls", "mean", "gem", "foreground"), rng.standard_normal((4, dim)), strict=True)
                ),
                foreground_share=float(rng.random()),
                moments=nothing,
            )
            for i in range(first, min(first + AT_ONCE, count))
        ]
        append(table.vectors_path, rows_to_arrow(rows, table.settings, session="s", batch=first // AT_ONCE))
    tidy(table.vectors_path)
    return table


def live_bytes(path: Path) -> int:
    """Of the data files of the newest version alone; older ones are removed a while later."""
    fragments = open_dataset(path).get_fragments()
    return sum((path / "data" / file.path).stat().st_size for f in fragments for file in f.data_files())


def pooled(dim: int) -> dict[str, float]:
    """What a worker does on its processors for each map that comes back from the model."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((32, 32, dim), dtype=np.float32)
    provenance = settings(dim).provenance("one.jpg", "00" * 32)
    features = PatchFeatures(values, PatchGrid(32, 32, 16, (640, 480)), provenance, cls=values[0, 0])
    new_row(features)
    return {"s_per_row": statistics.median(seconds(lambda: new_row(features)) for _ in range(7))}


def read(folder: Path) -> dict[str, float]:
    """Decoding a JPEG of a megapixel, and naming one photograph of a list (with its size and time)."""
    (path,) = photographs(folder, 1)
    listed = folder / "list.csv"
    listed.write_text("path\n" + f"{path}\n" * LISTED)
    return {
        "decode_s": statistics.median(seconds(lambda: read_photograph(path)) for _ in range(9)),
        "name_s": seconds(lambda: deque(each_item(listed), 0)) / LISTED,
    }


def opened(folder: Path, dim: int) -> dict[str, float]:
    """Memory and time of a writer that starts on a table, in a process of its own."""
    deque(
        batches(folder / f"store-{dim}" / "tables" / settings(dim).table_name / "vectors.lance", ["digest"]),
        0,
    )
    before = _resident()
    start = time.perf_counter()
    with open_writer(folder / f"store-{dim}", settings(dim), shard=(0, 2)) as writer:
        return {
            "s_per_million_rows": (time.perf_counter() - start) / len(writer.table) * 1e6,
            "bytes_per_row": (_resident() - before) / len(writer.table),
        }


def committed(folder: Path, dim: int, batch: int) -> dict[str, float]:
    """One writer's rate where the forward pass costs nothing, with real patch moments."""
    rng = np.random.default_rng(0)
    moments = patch_moments(rng.standard_normal((PATCHES, dim), dtype=np.float32))
    grid = PatchGrid(32, 32, 16, (640, 480))
    vectors = dict(zip(("cls", "mean", "gem", "foreground"), rng.standard_normal((4, dim)), strict=True))
    rows = [
        NewRow(rng.bytes(32).hex(), f"/data/{i}.jpg", f"{i}", grid, vectors, 0.5, moments)
        for i in range(8 * batch)
    ]
    start = time.perf_counter()
    with open_writer(folder / f"commit-{dim}-{batch}", settings(dim), commit_rows=batch) as writer:
        for row in rows:
            writer.claim(row.digest)
            writer.add(row)
    return {"s_per_row": (time.perf_counter() - start) / len(rows)}


@dataclass(frozen=True)
class Plan:
    """The arithmetic of docs/scaling.md; rates and prices are the reader's.

    Attributes:
        images: photographs.
        row_bytes: of one row on disk.
        key_bytes: of memory that a writer needs for each row of its table.
        images_per_gpu_s: photographs a second on one GPU, to be measured on that GPU.
        workers: GPUs.
        table_rows: in one table.
        price_gpu_h, price_cpu_h, price_tb_month: in one currency.
        cpu_s_per_image: of reading and decoding, to be measured on these photographs.
    """

    images: float
    row_bytes: float
    key_bytes: float
    images_per_gpu_s: float
    workers: int
    table_rows: float
    price_gpu_h: float
    price_cpu_h: float
    price_tb_month: float
    cpu_s_per_image: float

    def figures(self) -> dict[str, float]:
        """What follows."""
        gpu_h = self.images / self.images_per_gpu_s / 3600
        cpu_h = self.images * self.cpu_s_per_image / 3600
        terabytes = self.images * self.row_bytes / 1e12
        return {
            "tables": self.images / self.table_rows,
            "terabytes": terabytes,
            "gpu_hours": gpu_h,
            "days": gpu_h / self.workers / 24,
            "decoding_cores": self.workers * self.images_per_gpu_s * self.cpu_s_per_image,
            "gigabytes_of_keys_a_writer": self.table_rows * self.key_bytes / 1e9,
            "cost_computing": gpu_h * self.price_gpu_h + cpu_h * self.price_cpu_h,
            "cost_storage_a_month": terabytes * self.price_tb_month,
        }


def main() -> None:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--opened", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.opened:
        print(json.dumps(opened(Path(asked.opened[0]), int(asked.opened[1]))))
        return
    result: dict[str, Any] = {"rows": asked.rows}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for dim in DIMS:
            some = asked.rows if dim == DIMS[0] else asked.rows // 4
            made: list[FeatureTable] = []
            write_s = seconds(lambda made=made, dim=dim, some=some: made.append(filled(folder, dim, some)))
            size = live_bytes(made[0].vectors_path)
            result[f"dim_{dim}"] = {
                "rows": some,
                "bytes_per_row": size / some,
                "write_s_per_row": write_s / some,
                "moments_bytes_per_writer": 8 * dim * dim,
                "pooled": pooled(dim),
                "commit": {str(batch): committed(folder, dim, batch) for batch in (32, 256)},
            }
        words = [sys.executable, "-m", "benchmarks.scaling", "--opened", name, str(DIMS[0])]
        answer = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        result["writer_opened"] = json.loads(answer.stdout)
        result["read"] = read(folder)
    print(json.dumps(result, indent=2))
    print(write_result("scaling", result))


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmRSS")


if __name__ == "__main__":
    main()
