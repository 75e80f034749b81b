"""How well do scores tell defects from what is normal? Areas under curves, with intervals."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64, Int64

from dinoscope.data.results import Interval
from dinoscope.errors import InputError
from dinoscope.maths.intervals import SHARE, ends, half_width
from dinoscope.maths.left_out import jackknife_error

PRO_LIMIT = 0.3
"""False-positive rate up to which per-region overlap is integrated."""

RATE = 0.05
"""The rate of false alarms, where none is asked for and there are normal photographs enough."""


def left_out_areas(
    scores: Float64[np.ndarray, " n"],
    positive: Float64[np.ndarray, " n"],
    negative: Float64[np.ndarray, " n"],
    owner: Int64[np.ndarray, " n"],
    *,
    limit: float = 1.0,
) -> Float64[np.ndarray, " owners"]:
    """The area under the curve of positive against negative weight above a sinking threshold: of all, and
    with each owner left out in turn.

    With every weight 1 and a limit of 1 it is the area under the ROC curve, ties counting half. With weights
    of pixels it is that of pixels. With a patch's share of each region over the number of regions as positive
    weight it is the per-region overlap (PRO), between whose points is interpolated.
    Source: PRO up to 0.3, divided by 0.3: Bergmann et al., Uninformed students (arXiv 1911.02357), section 4.

    Args:
        scores: of patches or photographs; higher is more of a defect.
        positive, negative: weights, not below 0.
        owner: the photograph of each, from 0.
        limit: share of the negative weight that the curve goes to; the area is divided by it.

    Returns:
        The area of all first, then one for each owner; NaN where a kind has no weight.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, owner = scores[order], owner[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    n_owners = int(owner.max(initial=-1)) + 1
    areas = np.full(n_owners + 1, np.nan)
    for i in range(-1, n_owners):
        kept = owner != i
        up, across = (np.cumsum(np.where(kept, weight[order], 0.0)) for weight in (positive, negative))
        if not len(up) or not (up[-1] > 0 and across[-1] > 0):
            continue
        y = np.concatenate([[0.0], up[last] / up[-1]])
        x = np.concatenate([[0.0], across[last] / across[-1]])
        areas[i + 1] = _area_to(x, y, limit)
    return areas


def jackknife(areas: Float64[np.ndarray, " owners"], *, difference: bool = False) -> Interval:
    """An area of all with its 95% interval: jackknife over owners, Student's t, cut where areas end.

    Source: Tukey, Bias and confidence in not-quite large samples (1958), as in docs/decisions/0007.

    Args:
        areas: as `left_out_areas` returns them, or a difference of two such.
        difference: whether it is one.
    """
    whole, left = float(areas[0]), areas[1:]
    n = len(left)
    reach = math.nan
    if n > 1 and not np.isnan(left).any():
        reach = float(half_width(jackknife_error(left[:, None]), n - 1)[0])
    low, high = ends(np.array([whole]), np.array([reach]), (-1.0, 1.0) if difference else SHARE)
    return Interval(whole, float(low[0]), float(high[0]), 0 if math.isnan(whole) else n)


def false_alarm_threshold(
    held_out: Float64[np.ndarray, " n"], rate: float | None = None
) -> tuple[float, float]:
    """A score that a new normal photograph exceeds with at most the rate's chance, and that rate.

    The ⌈(n + 1)(1 − rate)⌉-th smallest score of n photographs that are exchangeable with the new one.
    Source: Vovk, Gammerman & Shafer, Algorithmic learning in a random world (2005): split conformal.

    Args:
        held_out: scores of normal photographs, each against the others.
        rate: of false alarms, in (0, 1); None for `RATE`, or 1/(n + 1) where that is larger.

    Raises:
        InputError: no scores, a rate outside (0, 1), or one that so few photographs cannot hold.
    """
    n = len(held_out)
    if not n:
        raise InputError("no normal photograph was held out: there is nothing to set a threshold by")
    lowest = 1.0 / (n + 1)
    wanted = max(RATE, lowest) if rate is None else rate
    if not 0 < wanted < 1:
        raise InputError(f"a false-alarm rate lies between 0 and 1, got {wanted}")
    place = math.ceil((n + 1) * (1 - wanted) - 1e-9)
    if place > n:
        raise InputError(
            f"{n} normal photographs cannot hold a false-alarm rate of {wanted:g}: the lowest is "
            f"{lowest:.3f}; give more, or ask for no less"
        )
    return float(np.sort(held_out)[place - 1]), wanted


def _area_to(x: Float64[np.ndarray, " k"], y: Float64[np.ndarray, " k"], limit: float) -> float:
    """Trapezoids up to the limit, over the limit."""
    inside = x < limit
    end = np.interp(limit, x, y) if limit < 1 else y[-1]
    xs, ys = np.append(x[inside], limit), np.append(y[inside], end)
    if limit >= 1:
        xs, ys = x, y
    return float(((ys[1:] + ys[:-1]) / 2 * np.diff(xs)).sum() / limit)
