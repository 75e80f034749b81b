"""One model against the first on the plane: a verdict on each axis, and what it rests on."""

from __future__ import annotations

import math

from dinoscope.comparison import words
from dinoscope.comparison.axis_words import AxisWords, PlaneWords
from dinoscope.comparison.columns import Column, reached_by
from dinoscope.data.results import FEWEST_TO_JUDGE, PairedDifference
from dinoscope.drawing import verdicts
from dinoscope.drawing.style import plain


def reading(column: Column, keys: tuple[str, str], first: str, plane: PlaneWords) -> str:
    """``B against A: less sharp (−0.030 […]), more coherent (+0.120 […])``; empty where it is undefined."""
    parts = []
    for key, axis in zip(keys, plane.axes, strict=True):
        difference = column.difference(key)
        if difference is None or not math.isfinite(difference.interval.mean):
            return ""
        facts = [
            words.interval(difference.interval, sign="+"),
            f"above / tied / below in {verdicts.shares(difference)}% of photographs",
            verdicts.agreement(difference),
            _beside_blur(column, key, difference, first),
            reached_by(column, key) if verdicts.direction(difference.interval) > 0 else "",
        ]
        parts.append(f"{_verdict(difference, axis)} ({'; '.join(fact for fact in facts if fact)})")
    return f"{_against(column, first)}: {', '.join(parts)}."


def changes_of(column: Column, keys: tuple[str, str], first: str, plane: PlaneWords) -> list[str]:
    """``B against A: sharper (+0.010 […]) instead of no clear difference in sharpness``, for each axis."""
    changes = []
    for key, axis in zip(keys, plane.axes, strict=True):
        checks = column.measured.checks
        if checks is None or not column.index or key not in checks.standardised:
            continue
        plain_, standardised = (of[key][column.index - 1] for of in (checks.sampled, checks.standardised))
        judged = min(plain_.interval.n, standardised.interval.n) >= FEWEST_TO_JUDGE
        if judged and verdicts.direction(plain_.interval) != verdicts.direction(standardised.interval):
            changes.append(
                f"{_against(column, first)}: {_verdict(standardised, axis)} "
                f"({words.interval(standardised.interval, sign='+')}) instead of {_verdict(plain_, axis)} "
                f"({words.interval(plain_.interval, sign='+')})"
            )
    return changes


def _verdict(difference: PairedDifference, axis: AxisWords) -> str:
    """In the axis's words; below `FEWEST_TO_JUDGE` photographs none is given."""
    if difference.interval.n < FEWEST_TO_JUDGE:
        return axis.what
    way = verdicts.direction(difference.interval)
    return axis.more if way > 0 else axis.less if way < 0 else f"no clear difference in {axis.what}"


def _beside_blur(column: Column, key: str, difference: PairedDifference, first: str) -> str:
    """That a light blur of the first model does as much; empty where it does not, or nothing is claimed."""
    checks, way = column.measured.checks, verdicts.direction(difference.interval)
    if checks is None or not way or key not in checks.half_blur:
        return ""
    blur = checks.half_blur[key].interval.mean
    if not blur * way > 0:
        return ""
    done = f"what a blur of half a patch does to {plain(first, 40)} ({words.number(blur, sign='+')})"
    if abs(difference.interval.mean) <= abs(blur):
        return f"no larger than {done}"
    if verdicts.direction(checks.beyond_blur[key][column.index - 1].interval) != way:
        return f"not clearly larger than {done}"
    return ""


def _against(column: Column, first: str) -> str:
    return f"{plain(column.label, 40)} against {plain(first, 40)}"
