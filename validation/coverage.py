"""How often do intervals hold the truth? By simulation, where the truth is known.

    python -m validation.coverage [--out docs/validation] [--redraw]

Writes ``coverage.json`` and the page made of it, the same every time; ends with 1 where a bound is missed.
With ``--redraw`` only the page is made again. About four minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from dinoscope.maths.intervals import column_intervals
from validation import exchangeable
from validation.candidates import candidates
from validation.coverage_page import page
from validation.populations import KINDS, POPULATIONS, SIZES, Kind, draw

OUT = Path(__file__).resolve().parent.parent / "docs" / "validation"
SEED, WORLDS, TRIAL_WORLDS = 11, 100_000, 2000
RETRIEVAL_WORLDS = 1000
LEAST, MOST_FALSE = 0.93, 0.07


def bound(population: str, n: int) -> float | None:
    """The least coverage that is promised; None where none is."""
    promised = population in ("normal", "AUC-like") or (population == "near 1" and n >= 50)
    return LEAST if promised else None


def coverage(population: str, kind: Kind, n: int, *, worlds: int = WORLDS) -> float:
    """The share of worlds whose interval, the one that dinoscope prints, holds the true mean."""
    values, truth = draw(_rng(population, kind, n), population, kind, (n, worlds))
    return float(np.mean([i.low <= truth <= i.high for i in column_intervals(values)]))


def tried(population: str, kind: Kind, n: int) -> dict[str, float]:
    """The same of the intervals that were not taken."""
    rng = _rng(population, kind, n)
    values, truth = draw(rng, population, kind, (n, TRIAL_WORLDS))
    return {
        name: float(np.mean((low <= truth) & (truth <= high)))
        for name, (low, high) in candidates(values, rng).items()
    }


def measured() -> dict[str, Any]:
    """Everything that the page shows."""
    cells = [(population, kind, n) for kind in KINDS for population in POPULATIONS for n in SIZES]
    rows = []
    for population, kind, n in cells:
        print(f"{population}, {kind}, n = {n}", file=sys.stderr)
        rows.append(
            {
                "population": population,
                "kind": kind,
                "n": n,
                "coverage": round(coverage(population, kind, n), 4),
                "bound": bound(population, n),
                "candidates": {name: round(held, 4) for name, held in tried(population, kind, n).items()},
            }
        )
    retrieval = []
    for kind in exchangeable.WORLDS:
        print(f"retrieval, {kind}", file=sys.stderr)
        rates = exchangeable.false_rates(kind, worlds=RETRIEVAL_WORLDS, seed=SEED)
        retrieval.append({"kind": kind, **{name: round(rate, 4) for name, rate in rates.items()}})
    return {
        "seed": SEED,
        "worlds": WORLDS,
        "trial_worlds": TRIAL_WORLDS,
        "retrieval_worlds": RETRIEVAL_WORLDS,
        "least": LEAST,
        "most_false": MOST_FALSE,
        "rows": rows,
        "retrieval": retrieval,
    }


def missed(result: Mapping[str, Any]) -> list[str]:
    """Every bound that does not hold."""
    low = [
        f"{row['population']}, {row['kind']}, n = {row['n']}: {row['coverage']:.3f} is below {row['bound']}"
        for row in result["rows"]
        if row["bound"] is not None and row["coverage"] < row["bound"]
    ]
    return low + [
        f"retrieval, {row['kind']}: {row['jackknife']:.3f} called different is above {MOST_FALSE}"
        for row in result["retrieval"]
        if row["jackknife"] > MOST_FALSE
    ]


def _rng(population: str, kind: Kind, n: int) -> np.random.Generator:
    return np.random.default_rng([SEED, list(POPULATIONS).index(population), list(KINDS).index(kind), n])


def main() -> int:
    """0 where every bound holds, 1 otherwise."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--redraw", action="store_true")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    figures = asked.out / "coverage.json"
    if not asked.redraw:
        figures.write_text(json.dumps(measured(), indent=1) + "\n")
    result = json.loads(figures.read_text())
    (asked.out / "coverage.md").write_text(page(result))
    faults = missed(result)
    print("\n".join(faults) or "every bound holds")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
