"""Start-up and decoding: a search that runs no model, the list of models, JPEG files of 12 and 48 megapixels.

    python -m benchmarks.waits [--rounds 5] [--rows 20000]

Processor time of one thread, in fresh processes for what starts, ways in alternation, medians. Before: the
same with what it used to import (torch, and scipy's parts), and the same file through Pillow. Some minutes on
2 CPU cores. Expected: a search at most half of before, decoding at least 1.7 times as fast.
"""

from __future__ import annotations

import argparse
import io
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import load_over_cores, processor_seconds, write_result
from benchmarks.scaling import filled
from dinoscope.io.images import decode_photograph

BEFORE = "import torch, scipy.linalg, scipy.ndimage, scipy.sparse.linalg"
COMMAND = "import sys; sys.argv = ['dinoscope', *{words}]; from dinoscope.cli import main; main()"
SIZES = {"12mp": (4000, 3000), "48mp": (8000, 6000)}


def child_seconds(code: str) -> float:
    """Processor time of a fresh Python on one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LANCE_CPU_THREADS"), "1")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env={**os.environ, **threads}
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def raced(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """The median time of each way, and before over now of the same round."""
    times = [{name: way() for name, way in ways.items()} for _ in range(rounds)]
    found = {name: statistics.median(taken[name] for taken in times) for name in ways}
    return {**found, "ratio": statistics.median(taken["before"] / taken["now"] for taken in times)}


def searched(rows: int, rounds: int, folder: Path) -> dict[str, float]:
    """A cold search by the source of a stored photograph, as the command line runs it."""
    table = filled(folder, 384, rows)
    source = "/data/photographs/000000/000000007.jpg"
    code = COMMAND.format(words=["search", str(folder / "store-384"), source])
    child_seconds(code)
    ways = {"before": lambda: child_seconds(f"{BEFORE}; {code}"), "now": lambda: child_seconds(code)}
    return {"rows": len(table), **raced(ways, rounds)}


def drawn_jpeg(size: tuple[int, int]) -> bytes:
    """A drawn photograph with noise of a sensor, at quality 90."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (size[1] // 16, size[0] // 16, 3), dtype=np.uint8))
    pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = np.clip(pixels + rng.integers(-6, 7, (*pixels.shape[:2], 1)), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noisy).save(file, "JPEG", quality=90)
    return file.getvalue()


def decoded(size: tuple[int, int], rounds: int) -> dict[str, float]:
    """A `drawn_jpeg` by `decode_photograph`."""
    data = drawn_jpeg(size)

    def pillow() -> float:
        installed = sys.modules.get("simplejpeg")
        sys.modules["simplejpeg"] = None  # type: ignore[assignment]
        try:
            return processor_seconds(lambda: decode_photograph(data, name="a.jpg"))
        finally:
            del sys.modules["simplejpeg"]
            if installed is not None:
                sys.modules["simplejpeg"] = installed

    ways = {"before": pillow, "now": lambda: processor_seconds(lambda: decode_photograph(data, name="a.jpg"))}
    raced(ways, 1)
    return raced(ways, rounds)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=20_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = {
            "rounds": asked.rounds,
            "load_over_cores": load_over_cores(),
            "models_s": statistics.median(
                child_seconds(COMMAND.format(words=["models"])) for _ in range(asked.rounds)
            ),
            "search": searched(asked.rows, asked.rounds, Path(folder)),
            "decode": {name: decoded(size, asked.rounds) for name, size in SIZES.items()},
        }
    print(result)
    write_result("waits", result)


if __name__ == "__main__":
    main()
