"""The ratios that were committed and those that are stable anywhere, and what changed since.

    python -m benchmarks.baseline

Compares every contest in ``benchmarks/results`` with ``benchmarks/baseline.json``; ends with 1 where a ratio
left the committed one by more than twice the spreads of both. Then runs the races of `benchmarks.stable`,
about half a minute of processor time, and ends with 1 where one fell below its floor.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS

BASELINE = Path(__file__).parent / "baseline.json"
SPREADS = 2.0
"""A ratio has changed where it left the committed one by more than so many spreads of both."""

Ratio = Mapping[str, float]
"""``median`` of a ratio over rounds, and its ``spread``: half the distance between the quartiles."""


def baseline_key(result: Mapping[str, Any]) -> str:
    """What a contest's ratios are committed under: the device, the dtype and the network."""
    network = f"{result['network']['dim']}x{result['network']['depth']}"
    return f"{result['device']} {result['dtype']} {network} at {result['side_px']} px"


def read_baseline(key: str, path: Path = BASELINE) -> dict[str, Ratio]:
    """Those of one kind of run; empty where none was committed."""
    found: dict[str, Ratio] = json.loads(path.read_text()).get(key, {}) if path.exists() else {}
    return found


def write_baseline(key: str, ratios: Mapping[str, Ratio], path: Path = BASELINE) -> None:
    """Replaces those of one kind of run."""
    every = json.loads(path.read_text()) if path.exists() else {}
    every[key] = dict(ratios)
    path.write_text(json.dumps(every, indent=2, sort_keys=True) + "\n")


def changes(now: Mapping[str, Ratio], committed: Mapping[str, Ratio]) -> list[str]:
    """One line for each ratio: changed, as it was, new, or gone."""
    lines = []
    for name in sorted(now.keys() | committed.keys()):
        if name not in now:
            lines.append(f"{name}: gone (was {committed[name]['median']:.3f})")
        elif name not in committed:
            lines.append(f"{name}: {now[name]['median']:.3f}, new")
        else:
            a, b = committed[name], now[name]
            moved = b["median"] - a["median"]
            beyond = abs(moved) > SPREADS * (a["spread"] + b["spread"])
            verdict = f"changed by {moved:+.3f}" if beyond else "as it was"
            lines.append(f"{name}: {b['median']:.3f} (was {a['median']:.3f}), {verdict}")
    return lines


def main() -> None:
    """Say what changed; 1 where something did."""
    from benchmarks.stable import fallen

    moved = False
    for path in sorted(RESULTS.glob("*/contest-*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        lines = changes(result["ratios"], read_baseline(baseline_key(result)))
        print("\n  ".join([f"{path.parent.name}, {path.stem}:", *lines]))
        moved = moved or any("changed by" in line for line in lines)
    sys.exit(1 if fallen() or moved else 0)


if __name__ == "__main__":
    main()
