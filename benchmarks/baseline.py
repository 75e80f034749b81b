"""The ratios that were committed, and what changed since."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

BASELINE = Path(__file__).parent / "baseline.json"
SPREADS = 2.0
"""A ratio has changed where it left the committed one by more than so many spreads of both."""

Ratio = Mapping[str, float]
"""``median`` of a ratio over rounds, and its ``spread``: half the distance between the quartiles."""


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
