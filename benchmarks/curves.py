"""How time and memory grow with photographs, patches, channels and models, with the fitted exponents."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

MEASURED = ("photographs", "patches", "channels", "models")
SIZES = {
    "photographs": (8, 32, 128, 512),
    "patches": (256, 1024, 4096),
    "channels": (192, 384, 768),
    "models": (1, 2, 4),
}
QUICK = {"photographs": (8, 32, 128), "patches": (256, 1024), "channels": (192, 384), "models": (1, 2)}


def curves(*, quick: bool) -> dict[str, Any]:
    """Each point in a process of its own: seconds, and the peak memory beyond what it held before."""
    found: dict[str, Any] = {}
    for what in MEASURED:
        points = []
        for n in (QUICK if quick else SIZES)[what]:
            words = [sys.executable, "-m", "benchmarks.curves", what, str(n)]
            answer = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
            points.append(json.loads(answer.stdout.splitlines()[-1]))
        ns = [p["n"] for p in points]
        found[what] = {
            "points": points,
            "time_exponent": exponent(ns, [p["s"] for p in points]),
            "memory_exponent": exponent(ns, [p["peak_bytes"] for p in points]),
        }
    return found


def exponent(ns: list[float], values: list[float]) -> float:
    """The slope of log value over log n, by least squares: 1 is linear, 0 flat."""
    return float(np.polyfit(np.log(ns), np.log(np.maximum(values, 1e-9)), 1)[0])


def point(what: str, n: int) -> dict[str, float]:
    """One measurement, in the process that is looked at."""
    import resource
    import time

    import dinoscope as ds
    from benchmarks.embed import vit, write_photographs

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photographs(folder / "photos", n if what == "photographs" else 2)
        paths = sorted((folder / "photos").rglob("*.jpg"))
        dim = n if what == "channels" else 192
        models = [vit(folder, dim=dim, depth=2)] * (n if what == "models" else 1)
        grid = round(n**0.5) if what == "patches" else 8 if what == "photographs" else 32
        next(iter(ds.extract(paths[0], models[0], grid=2)))
        before, start = peak(), time.perf_counter()
        for model in models:
            for _ in ds.extract(paths, model, grid=grid):
                pass
        return {"n": n, "s": time.perf_counter() - start, "peak_bytes": peak() - before}


if __name__ == "__main__":
    print(json.dumps(point(sys.argv[1], int(sys.argv[2]))))
