"""How time and memory grow with photographs, patches, channels and models, with the fitted exponents."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parents[1]
PATIENCE_S = 600.0
"""For one point; then the benchmark ends with an error instead of hanging."""

LEAST_BYTES = 2**20
"""Less than this is noise of the allocator, and counts as this much."""


def curves(
    points: Mapping[str, tuple[int, ...]], *, apart: bool = True, on_point: Callable[[str], None]
) -> dict[str, Any]:
    """Seconds of each point, and the peak memory beyond what was held before.

    Args:
        points: by what grows.
        apart: each in a process of its own; else memory says nothing.
        on_point: told of each.
    """
    found: dict[str, Any] = {}
    for what, sizes in points.items():
        measured = []
        for n in sizes:
            measured.append(_apart(what, n) if apart else point(what, n))
            on_point(f"{n} {what}: {measured[-1]['s']:.2f} s")
        found[what] = {
            "points": measured,
            "time_exponent": exponent([p["n"] for p in measured], [p["s"] for p in measured]),
            "memory_exponent": exponent(
                [p["n"] for p in measured], [max(p["peak_bytes"], LEAST_BYTES) for p in measured]
            ),
        }
    return found


def _apart(what: str, n: int) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.curves", what, str(n)]
    answer = subprocess.run(
        words, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE_S, cwd=HERE
    )
    found: dict[str, float] = json.loads(answer.stdout.splitlines()[-1])
    return found


def exponent(ns: list[float], values: list[float]) -> float:
    """The slope of log value over log n, by least squares: 1 is linear, 0 flat."""
    return float(np.polyfit(np.log(ns), np.log(np.maximum(values, 1e-9)), 1)[0])


def power(slope: float) -> str:
    """In words.

    >>> power(-0.001)
    'n^0.00'
    """
    return f"n^{round(slope, 2) + 0.0:.2f}"


def point(what: str, n: int) -> dict[str, float]:
    """One measurement: two photographs through one model of two blocks and 192 channels on a 32x32 grid, but
    for what grows; with many photographs an 8x8 grid.
    """
    from transformers.utils.logging import disable_progress_bar

    from benchmarks.embed import vit, write_photographs
    from benchmarks.machine import peak_over
    from dinoscope.pipeline.run import Run
    from dinoscope.pipeline.together import extract_together

    disable_progress_bar()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder / "photos", n if what == "photographs" else 2)
        paths = sorted((folder / "photos").rglob("*.jpg"))
        dim = n if what == "channels" else 192
        models = [vit(folder, dim=dim, depth=2) for _ in range(n if what == "models" else 1)]
        grid = round(n**0.5) if what == "patches" else 8 if what == "photographs" else 32

        def run(images: list[Path], side: int) -> None:
            stream = extract_together(
                images, models, Run(side), [None] * len(models), on_failure=_not_expected
            )
            for _ in stream:
                pass

        run(paths[:1], 2)
        start = time.perf_counter()
        peak = peak_over(lambda: run(paths, grid))
        return {"n": n, "s": time.perf_counter() - start, "peak_bytes": peak}


def _not_expected(failure: object) -> None:
    raise RuntimeError(f"a photograph of the benchmark could not be used: {failure}")


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], int(sys.argv[2]))))
