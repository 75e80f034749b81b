"""Measure the matrix and write the page, the picture and the figures.

    python -m validation [--out docs/validation] [--redraw]

About four minutes on one core. With ``--redraw`` nothing is measured: the page and the picture are made again
from the figures that are there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

# Before numpy is imported: results are the same with more threads, but small products then take longer.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.machine import describe
from validation import measure, stand_ins
from validation.expectations import TRAPS
from validation.page import page, verdict
from validation.picture import draw

OUT = Path(__file__).resolve().parent.parent / "docs" / "validation"
VERSIONS = ("dinoscope", "numpy", "scipy", "scikit-learn", "torch")


def main() -> int:
    """0 where every cell holds or is a declared trap, 1 otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--redraw", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    figures = asked.out / "matrix.json"
    if not asked.redraw:
        figures.write_text(json.dumps(_rounded(measured()), indent=1) + "\n")
    result = json.loads(figures.read_text())
    (asked.out / "index.md").write_text(page(result))
    draw(result, asked.out / "matrix.png")
    print(verdict(result["rows"]))
    return 1 if unexplained(result) else 0


def measured() -> dict[str, Any]:
    """Everything that the page shows."""
    start = time.perf_counter()
    rows = measure.measure(report=lambda line: print(line, file=sys.stderr))
    scenes = stand_ins.compare()
    return {
        "settings": {
            "seed": measure.SEED,
            "images": measure.IMAGES,
            "collections": measure.COLLECTIONS,
            "collection_images": measure.COLLECTION_IMAGES,
            "seconds": time.perf_counter() - start,
            "processor": describe()["processor"],
            "versions": {"Python": describe()["python"], **{name: version(name) for name in VERSIONS}},
        },
        "rows": rows,
        "stand_ins": scenes,
    }


def unexplained(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Failing cells that are no declared trap, and declared traps that do not fail."""
    failing = {
        (key, cause)
        for key, row in result["rows"].items()
        for cause, cell in row["cells"].items()
        if cell["pass"] is False
    }
    return sorted(failing ^ {(key, cause) for key, causes in TRAPS.items() for cause in causes})


def _rounded(value: Any) -> Any:
    """Six significant digits; what is not finite becomes null."""
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_rounded(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


if __name__ == "__main__":
    sys.exit(main())
