"""What a comparison shows, in at most three sentences."""

from __future__ import annotations

import math

import numpy as np

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import PLANE
from dinoscope.comparison.columns import columns_of, reached_by
from dinoscope.comparison.plane_words import plane_axes
from dinoscope.data.results import FEWEST_TO_JUDGE, Comparison
from dinoscope.drawing import verdicts
from dinoscope.drawing.disagreement import SAID, disagreements
from dinoscope.drawing.style import plain
from dinoscope.metrics.registry import AXES

_LONGEST_NAME = 40


def verdict(comparison: Comparison) -> tuple[str, ...]:
    """The models on the plane, the photographs they agree on least and most, and what was not fair."""
    told = (_on_the_plane(comparison), _where_they_differ(comparison), _fairness(comparison))
    return tuple(sentence for sentence in told if sentence)


def _on_the_plane(comparison: Comparison) -> str:
    measured = comparison.measurements
    held = plane_axes(measured)
    if not held or len(comparison.models) < 2:
        return ""
    keys, plane = AXES[held[0]], PLANE[held[0]]
    columns = [c for c in columns_of(comparison) if not c.beside]
    told = []
    for column in (c for c in columns[1:] if not c.control):
        parts = []
        for key, axis in zip(keys, plane.axes, strict=True):
            difference = column.difference(key)
            if difference is not None and math.isfinite(difference.interval.mean):
                fact = words.interval(difference.interval, sign="+")
                way = verdicts.direction(difference.interval)
                said = (
                    axis.more if way > 0 else axis.less if way < 0 else f"no clear difference in {axis.moved}"
                )
                also = reached_by(column, key) if way > 0 else ""
                parts.append(f"{said} ({fact}{f'; {also}' if also else ''})")
        if parts:
            told.append(f"{plain(column.label, _LONGEST_NAME)}: {', '.join(parts)}")
    if not told:
        return ""
    few = len(measured.images) < FEWEST_TO_JUDGE
    unsaid = f" Fewer than {FEWEST_TO_JUDGE} photographs: no direction is named." if few else ""
    return f"Against {plain(columns[0].label, _LONGEST_NAME)}, {'; '.join(told)}.{unsaid}"


def _where_they_differ(comparison: Comparison) -> str:
    found = disagreements(comparison)
    known = np.flatnonzero(np.isfinite(found))
    if len(known) < 2:
        return ""
    most, least = (int(known[pick(found[known])]) for pick in (np.argmax, np.argmin))
    names = [plain(comparison.photographs[i].name, _LONGEST_NAME) for i in (most, least)]
    values = [words.number(1 - float(found[i]), digits=2) for i in (most, least)]
    return (
        f"They see {names[0]} most differently and {names[1]} most alike "
        f"({SAID}: {values[0]} and {values[1]})."
    )


def _fairness(comparison: Comparison) -> str:
    unmet = [entry.rule for entry in comparison.ledger if entry.met is False]
    total = words.count(len(comparison.ledger), "condition")
    if not comparison.ledger:
        return ""
    if not unmet:
        return f"None of {total} of a fair comparison is known to be broken."
    rules = "; ".join(f"“{rule.rstrip('.')}”" for rule in unmet)
    return (
        f"Of {total} of a fair comparison {len(unmet)} {'is' if len(unmet) == 1 else 'are'} not met: {rules}."
    )
