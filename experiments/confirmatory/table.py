"""The scores of the confirmatory experiment as one array a network and outcome, a value a trunk."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.confirmatory.measure import ARMS, LAST, TEACHER
from experiments.confirmatory.rules import CLASS_TOKEN, CREDITED, PRIMARY, Trunks

DIVERGED_RANK = 2.0
"""A network whose effective rank ends below this has diverged."""


class Table:
    """Scores by trunk, network and outcome.

    Attributes:
        trunks: their seeds, in order; those with every arm measured.
        diverged: seeds of trunks of which a network diverged.
    """

    def __init__(self, lines: Sequence[Mapping[str, object]]) -> None:
        self._lines = {(line["trunk"], line["network"]): line for line in lines}
        wanted = {TEACHER, LAST, *ARMS}
        seeds = {int(str(line["trunk"])) for line in lines} - {0}
        self.trunks = [s for s in sorted(seeds) if all((s, name) in self._lines for name in wanted)]
        self.diverged = [s for s in self.trunks if any(self._is_bad(s, name) for name in wanted)]

    def _is_bad(self, seed: int, network: str) -> bool:
        rank = self.value(seed, network, "effective_rank")
        return not rank >= DIVERGED_RANK

    def value(self, trunk: int, network: str, outcome: str) -> float:
        """One score; NaN where there is none. Trunk 0 holds what no trunk has: pixels, people."""
        found = self._lines.get((trunk, network), {}).get(outcome)
        return math.nan if found is None else float(str(found))

    def column(self, network: str, outcome: str) -> Trunks:
        """A value a trunk."""
        return np.array([self.value(seed, network, outcome) for seed in self.trunks])

    def difference(self, network: str, reference: str, outcome: str) -> Trunks:
        """Network minus reference, trunk by trunk; 0 for a trunk that diverged (rule R4)."""
        values = self.column(network, outcome) - self.column(reference, outcome)
        return np.where(np.isin(self.trunks, self.diverged), 0.0, values)

    def arms(self) -> dict[str, dict[str, Trunks]]:
        """What rule R2 looks at: every arm as `continue` plus its difference to it."""
        return {
            arm: {
                name: self.column("continue", name) + self.difference(arm, "continue", name)
                for name in (*PRIMARY, CLASS_TOKEN)
            }
            for arm in ARMS
        }


def spread(table: Table, n: int = 3) -> dict[str, float]:
    """Standard deviation over the first ``n`` trunks of what R2 asks for; no mean of anything."""
    return {name: float(table.difference(CREDITED, "continue", name)[:n].std(ddof=1)) for name in PRIMARY}


def read_table(path: Path) -> Table:
    """Scores as `experiments.confirmatory.measure` writes them."""
    return Table([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
