"""When has dense quality fallen, and would an anchor to an earlier state help?"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64

from dinoscope.data.results import Interval
from dinoscope.maths.intervals import column_differences
from dinoscope.monitoring.check import Check

IN_A_ROW = 2
"""So many checks must lie below the best before them."""

MARGIN = 0.05
"""Smallest fall of the mean quality that counts: of the mean of two AUCs (with masks), or two proxies."""

RANK_SHARE = 0.7
"""Patches collapse where their effective rank is at most this share of the best before."""

FEWEST = 4
"""Photographs from which an interval says anything."""


def falls_since(checks: Sequence[Check], *, warmup: int = 0) -> int | None:
    """The step of the best check, where the last `IN_A_ROW` lie below it; None where nothing has fallen.

    Below: in quality by `MARGIN` at least, or in effective rank to `RANK_SHARE` at most, on average; and the
    95% interval of the paired differences over photographs leaves out 0. The two are asked separately: order
    among patches does not see a collapse, and rank does not see what is grouped. The best is the check of
    the highest mean before the last ones, from step ``warmup`` on: random weights keep order among patches
    that learning anything at all may cost.
    """
    found = fall(checks, warmup=warmup)
    return None if found is None else found[0].step


def fall(checks: Sequence[Check], *, warmup: int = 0) -> tuple[Check, str] | None:
    """The best check that `falls_since` dates from, and in words what has fallen."""
    before, last = checks[:-IN_A_ROW], checks[-IN_A_ROW:]
    before = [check for check in before if check.step >= warmup]
    if not before:
        return None
    for of, least in ((quality_of, MARGIN), (log_rank_of, -math.log(RANK_SHARE))):
        best = _best(before, of)
        gaps = [] if best is None else [difference(best, check, of) for check in last]
        if best is not None and all(g is not None and g.high < 0 and g.mean <= -least for g in gaps):
            return best, _fallen(best, last[-1], of)
    return None


def _fallen(best: Check, now: Check, of: Of) -> str:
    if of is quality_of:
        return f"dense quality falls since step {best.step}"
    return (
        f"patches collapse since step {best.step}: their effective rank was {_rank(best):.1f} and is "
        f"{_rank(now):.1f}"
    )


def _rank(check: Check) -> float:
    """Geometric mean over the photographs."""
    return math.exp(float(np.nanmean(log_rank_of(check))))


Of = Callable[[Check], Float64[np.ndarray, " images"]]


def quality_of(check: Check) -> Float64[np.ndarray, " images"]:
    """The quality of each photograph."""
    return np.array(check.quality, dtype=np.float64)


def log_rank_of(check: Check) -> Float64[np.ndarray, " images"]:
    """Natural logarithm of each photograph's effective rank, so that differences are shares."""
    return np.log(np.array(check.ranks, dtype=np.float64))


def difference(first: Check, second: Check, of: Of = quality_of) -> Interval | None:
    """How the photographs differ, second minus first; None with too few photographs."""
    gap = of(second) - of(first)
    if int(np.isfinite(gap).sum()) < FEWEST:
        return None
    return column_differences(gap[:, None])[0].interval


def advice(checks: Sequence[Check], *, warmup: int = 0) -> str:
    """Whether an anchor to the best earlier state would hold the model to something better than it is now."""
    earlier = [check for check in checks[:-1] if check.step >= warmup]
    if not earlier:
        return ""
    best, now = _best(earlier), checks[-1]
    gap = None if best is None else difference(now, best)
    if best is None or gap is None:
        return "no anchor can be judged: quality is defined for too few photographs"
    found = f"{gap.mean:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}]"
    if gap.low > 0 and gap.mean >= MARGIN:
        return (
            f"an anchor may help: the features of step {best.step} were better than those of step {now.step} "
            f"({found})"
        )
    wide = _best(earlier, log_rank_of)
    wider = None if wide is None else difference(now, wide, log_rank_of)
    if wide is not None and wider is not None and wider.low > 0 and wider.mean >= -math.log(RANK_SHARE):
        return (
            f"an anchor may help: the patches of step {wide.step} had an effective rank of "
            f"{_rank(wide):.1f}, those of step {now.step} have {_rank(now):.1f}"
        )
    return (
        f"an anchor would not help now: no earlier features were better; the best, of step {best.step}, "
        f"differ from those of step {now.step} by {found}"
    )


def _best(checks: Sequence[Check], of: Of = quality_of) -> Check | None:
    known = [c for c in checks if c.finite and np.isfinite(of(c)).any()]
    return max(known, key=lambda c: float(np.nanmean(of(c))), default=None)
