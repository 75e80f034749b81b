"""From scores at every rank to rows with intervals, gains and margins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from dinoscope.data.results import FEW_IMAGES, FEW_WARNING, PairedDifference
from dinoscope.data.retrieval import FIRST, RankCurve, RetrievalRow
from dinoscope.maths.intervals import SHARE, by_chance, with_shares
from dinoscope.maths.left_out import jackknife_intervals
from dinoscope.maths.suppression import RANKED

BASELINE = ("mean", "none")
"""The plain mean, which poolings are compared with."""

Column = Float64[np.ndarray, " queries"]
LeftOut = Float64[np.ndarray, " photographs"]
"""Sums over queries, one for each labelled photograph that is left out."""


@dataclass
class Tried:
    """One pooling with one suppression or control, at every rank.

    Attributes:
        scores: at every rank, one value for each query.
        sums: at the ranks chosen, per score: its sum over queries without each labelled photograph.
        sums_at: such sums of `FIRST`, at every rank.
    """

    pooling: str
    suppression: str
    control: str
    ladder: tuple[int | None, ...]
    chosen: dict[int, int | None]
    scores: dict[int | None, dict[str, Column]] = field(default_factory=dict)
    overlaps: list[float] = field(default_factory=list)
    sums: dict[str, LeftOut] = field(default_factory=dict)
    sums_at: dict[int | None, LeftOut] = field(default_factory=dict)

    def leave_out(self, k: int | None, sums: Mapping[str, LeftOut], share: float, *, chosen: bool) -> None:
        """Add the sums of one fold's queries, or of a share of the draws."""
        self.sums_at[k] = self.sums_at.get(k, 0.0) + share * sums[FIRST]
        for key, added in sums.items() if chosen else ():
            self.sums[key] = self.sums.get(key, 0.0) + share * added

    def values(self, fold_of_query: Int64[np.ndarray, " queries"]) -> dict[str, Column]:
        """Each query's scores at the rank chosen for its fold."""
        found = {key: np.full(len(fold_of_query), np.nan) for key in self.scores[self.ladder[0]]}
        for fold, k in self.chosen.items():
            mine = fold_of_query == fold
            for key, column in found.items():
                column[mine] = self.scores[k][key][mine]
        return found


def rows_of(
    tried: Sequence[Tried],
    fold_of_query: Int64[np.ndarray, " queries"],
    used: Sequence[int],
    counts: Int64[np.ndarray, " photographs"],
) -> tuple[RetrievalRow, ...]:
    """Values at the chosen ranks with their intervals; ``counts`` as `counts_left_out` gives them.

    A suppression's gain is over the same pooling without suppression, a pooling's over the plain mean.
    """
    values = [one.values(fold_of_query) for one in tried]
    plain = {t.pooling: i for i, t in enumerate(tried) if (t.suppression, t.control) == (BASELINE[1], "")}
    table = _Table()
    parent = 0
    for i, one in enumerate(tried):
        parent = parent if one.control else i
        own, base = plain[one.pooling], plain[BASELINE[0]]
        for key, mine in values[i].items():
            table.add(f"{i} value {key}", (mine, one.sums[key]))
            table.add(f"{i} gain {key}", (mine, one.sums[key]), (values[own][key], tried[own].sums[key]))
            if i == own != base:
                first = values[base][key], tried[base].sums[key]
                table.add(f"{i} pooling {key}", (mine, one.sums[key]), first)
            if one.control:
                table.add(
                    f"{i} margin {key}", (values[parent][key], tried[parent].sums[key]), (mine, one.sums[key])
                )
        for k in one.ladder if one.ladder != (None,) else ():
            at = one.scores[k][FIRST], one.sums_at[k]
            table.add(f"{i} curve {k}", at)
            table.add(f"{i} curve gain {k}", at, (values[own][FIRST], tried[own].sums[FIRST]))
    intervals = jackknife_intervals(table.values, table.sums, counts, table.bounds)

    def paired(i: int, what: str) -> dict[str, PairedDifference]:
        names = {key: f"{i} {what} {key}" for key in values[i] if f"{i} {what} {key}" in intervals}
        return {key: with_shares(intervals[name], table.values[name]) for key, name in names.items()}

    rows = []
    for i, one in enumerate(tried):
        ranks = tuple(k for k in one.ladder if k is not None)
        rows.append(
            RetrievalRow(
                pooling=one.pooling,
                suppression=one.suppression,
                control=one.control,
                chosen=tuple(one.chosen.get(fold) for fold in used),
                values=values[i],
                summaries={key: intervals[f"{i} value {key}"] for key in values[i]},
                gains=paired(i, "gain"),
                pooling_gains=paired(i, "pooling"),
                margins=paired(i, "margin"),
                overlap=float(np.mean(one.overlaps)) if one.overlaps else float("nan"),
                curve=RankCurve(
                    ranks,
                    tuple(intervals[f"{i} curve {k}"] for k in ranks),
                    tuple(intervals[f"{i} curve gain {k}"] for k in ranks),
                )
                if ranks
                else None,
            )
        )
    return tuple(rows)


@dataclass
class _Table:
    """Columns over queries, and over photographs left out, by one name."""

    values: dict[str, Column] = field(default_factory=dict)
    sums: dict[str, LeftOut] = field(default_factory=dict)
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(
        self, name: str, one: tuple[Column, LeftOut], minus: tuple[Column, LeftOut] | None = None
    ) -> None:
        self.bounds[name] = SHARE if minus is None else (-1.0, 1.0)
        self.values[name], self.sums[name] = one if minus is None else (one[0] - minus[0], one[1] - minus[1])


def warnings_of(
    tried: Sequence[Tried], ks: Sequence[int], *, n_known: int, n_unlabelled: int, n_undefined: int
) -> tuple[str, ...]:
    """What must be read beside the numbers."""
    found = [
        "Intervals leave out photographs, not classes: they are of other photographs of these classes, and "
        "too narrow for other classes."
    ]
    compared = sum(not t.control and (t.pooling, t.suppression) != BASELINE for t in tried)
    if chance := by_chance(compared):
        found.append(f"{chance[:1].upper()}{chance[1:]}.")
    if n_known < FEW_IMAGES:
        found.append(f"{n_known} queries have relevant photographs: {FEW_WARNING}.")
    if n_undefined:
        found.append(f"{n_undefined} queries have no relevant photograph and are in no mean.")
    if n_unlabelled:
        found.append(f"{n_unlabelled} photographs have no label and are not ranked.")
    for kind in RANKED:
        for one in (t for t in tried if t.suppression == kind and not t.control):
            lost = sorted(set(ks) - set(one.ladder))
            if lost:
                words = ", ".join(map(str, lost))
                found.append(f"{one.pooling}, {kind}: too little to fit on for k = {words}; left out.")
            elif len(one.ladder) > 1 and one.ladder[-1] in one.chosen.values():
                found.append(f"{one.pooling}, {kind}: the largest k was chosen; larger ones might do more.")
    return tuple(found)
