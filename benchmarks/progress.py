"""How far a benchmark is, on stderr."""

from __future__ import annotations

import sys
import time


class Progress:
    """A line for each step that is done, with an estimate of the rest.

    Args:
        weights: of all steps to come, in any unit of time.
    """

    def __init__(self, weights: list[float]) -> None:
        self._weights = weights
        self._done = 0
        self._start = time.perf_counter()

    def step(self, what: str) -> None:
        """One more is done."""
        self._done += 1
        spent = time.perf_counter() - self._start
        share = sum(self._weights[: self._done]) / sum(self._weights)
        left = spent * (1 - share) / share
        print(f"[{spent:4.0f} s, about {left:.0f} s left] {what}", file=sys.stderr, flush=True)
