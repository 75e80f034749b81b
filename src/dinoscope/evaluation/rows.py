"""From scores at every rank to rows with intervals, gains and margins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64

from dinoscope.data.results import FEW_IMAGES, FEW_WARNING, PairedDifference
from dinoscope.data.retrieval import RankCurve, RetrievalRow
from dinoscope.maths.intervals import with_shares
from dinoscope.maths.retrieval_scores import mean_intervals
from dinoscope.maths.suppression import RANKED

BASELINE = ("mean", "none")
"""The pooling and suppression that gains refer to."""

Column = Float64[np.ndarray, " queries"]


@dataclass
class Tried:
    """One pooling with one suppression or control, at every rank."""

    pooling: str
    suppression: str
    control: str
    ladder: tuple[int | None, ...]
    chosen: dict[int, int | None]
    scores: dict[int | None, dict[str, Column]] = field(default_factory=dict)
    overlaps: list[float] = field(default_factory=list)

    def values(self, fold_of_query: Int64[np.ndarray, " queries"]) -> dict[str, Column]:
        """Each query's scores at the rank chosen for its fold."""
        found = {key: np.full(len(fold_of_query), np.nan) for key in self.scores[self.ladder[0]]}
        for fold, k in self.chosen.items():
            mine = fold_of_query == fold
            for key, column in found.items():
                column[mine] = self.scores[k][key][mine]
        return found


def rows_of(
    tried: Sequence[Tried], fold_of_query: Int64[np.ndarray, " queries"], used: Sequence[int]
) -> tuple[RetrievalRow, ...]:
    """Values at the chosen ranks with their intervals, ."""
    values = [one.values(fold_of_query) for one in tried]
    base = next(
        v
        for t, v in zip(tried, values, strict=True)
        if (t.pooling, t.suppression, t.control) == (*BASELINE, "")
    )
    columns: dict[str, Column] = {}
    parent = 0
    for i, (one, mine) in enumerate(zip(tried, values, strict=True)):
        parent = parent if one.control else i
        for key, column in mine.items():
            columns[f"{i} value {key}"] = column
            columns[f"{i} gain {key}"] = column - base[key]
            if one.control:
                columns[f"{i} margin {key}"] = values[parent][key] - column
        for k in one.ladder if one.ladder != (None,) else ():
            columns[f"{i} curve {k}"] = one.scores[k]["ap"]
            columns[f"{i} curve gain {k}"] = one.scores[k]["ap"] - base["ap"]
    intervals = mean_intervals(columns)

    def paired(name: str) -> PairedDifference:
        return with_shares(intervals[name], columns[name])

    rows = []
    for i, (one, mine) in enumerate(zip(tried, values, strict=True)):
        ranks = tuple(k for k in one.ladder if k is not None)
        rows.append(
            RetrievalRow(
                pooling=one.pooling,
                suppression=one.suppression,
                control=one.control,
                chosen=tuple(one.chosen.get(fold) for fold in used),
                values=mine,
                summaries={key: intervals[f"{i} value {key}"] for key in mine},
                gains={key: paired(f"{i} gain {key}") for key in mine},
                margins={key: paired(f"{i} margin {key}") for key in mine} if one.control else {},
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


def warnings_of(
    tried: Sequence[Tried], ks: Sequence[int], *, n_known: int, n_unlabelled: int, n_undefined: int
) -> tuple[str, ...]:
    """What must be read beside the numbers."""
    found = [
        "Intervals resample queries, not classes: photographs of one class share what they should find, so "
        "with few classes the intervals are too narrow."
    ]
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
            if len(one.ladder) > 1 and one.ladder[-1] in one.chosen.values():
                found.append(f"{one.pooling}, {kind}: the largest k was chosen; try larger ones.")
    return tuple(found)
