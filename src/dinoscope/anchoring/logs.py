"""What runs left behind: losses thinned for drawing, and the time they took."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dinoscope.anchoring.findings import LossCurve, Spent
from dinoscope.anchoring.folder import RunFolder

POINTS = 200
SMOOTHED = 10
"""Fewest steps in one mean: single batches differ more than runs do."""


def loss_curve(folder: RunFolder, run: str, seed: int, *, points: int = POINTS) -> LossCurve | None:
    """Losses of a run as at most ``points`` means over equal numbers of steps, at least `SMOOTHED`.

    None without a log.
    """
    if not folder.losses.is_file():
        return None
    lines = []
    for text in folder.losses.read_text(encoding="utf-8", errors="replace").splitlines():
        line = _object(text)
        if "step" not in line:
            break  # torn, or being written
        lines.append(line)
    if not lines:
        return None
    size = max(SMOOTHED, math.ceil(len(lines) / points))
    blocks = [lines[i : i + size] for i in range(0, len(lines), size)]
    names = [name for name in lines[0] if name != "step"]
    return LossCurve(
        run,
        seed,
        np.array([block[-1]["step"] for block in blocks], dtype=np.float64),
        {
            name: np.array([np.mean([line.get(name, math.nan) for line in block]) for block in blocks])
            for name in names
        },
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """Wall-clock time by stage, in a file that outlives interruptions."""

    path: Path

    @contextmanager
    def stage(self, name: str) -> Iterator[list[int]]:
        """Time a stage, also when it is cut off; the caller counts its training steps in the list."""
        counted = [0]
        began = time.perf_counter()
        try:
            yield counted
        finally:
            seconds = time.perf_counter() - began
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                line = {"stage": name, "steps": counted[0], "seconds": round(seconds, 3)}
                file.write(json.dumps(line) + "\n")

    def spent(self) -> tuple[Spent, ...]:
        """Sums by stage, in order of their first line."""
        steps: dict[str, int] = {}
        seconds: dict[str, float] = {}
        if self.path.is_file():
            for text in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
                line = _object(text)
                if not line.keys() >= {"stage", "steps", "seconds"}:
                    continue  # torn
                steps[line["stage"]] = steps.get(line["stage"], 0) + int(line["steps"])
                seconds[line["stage"]] = seconds.get(line["stage"], 0.0) + float(line["seconds"])
        return tuple(Spent(name, steps[name], seconds[name]) for name in steps)


def _object(text: str) -> dict[str, Any]:
    """The JSON object of a line; empty where it is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
