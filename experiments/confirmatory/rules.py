"""The rules of the confirmatory experiment, as functions of one value a trunk: nothing trains or reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from jaxtyping import Float
from scipy.special import stdtr, stdtrit

THRESHOLD = 0.02
"""What a difference in a primary outcome has to reach, and the margin of absence."""

PRIMARY = ("matched_coherence_auc", "boundary_auc_pure")
CLASS_TOKEN = "cls_knn"
CLASS_TOKEN_MARGIN = 0.03
LEVEL, ABSENCE_LEVEL = 0.95, 0.90
CREDITED = "gram-x2"
RIVALS = ("continue", "feature-mse", "gram-x1-random", "gram-x1-blurred")
SPREAD_LIMIT = 0.012
"""Above this standard deviation between the first three trunks, eight are trained instead of six."""

Trunks = Float[np.ndarray, " trunks"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over trunks.

    Attributes:
        mean: of the trunks' differences.
        low, high: Student's t interval at ``level``.
        level: of that interval.
        p: two-sided, of Student's t.
        sign_flip: two-sided and exact: the share of all sign patterns whose mean is at least as far from 0.
    """

    mean: float
    low: float
    high: float
    level: float
    p: float
    sign_flip: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says, and why.

    Attributes:
        answer: ``yes``, ``no`` or ``not settled``.
        reasons: the conditions that were not met, in words; none where the answer is ``yes``.
    """

    answer: str
    reasons: tuple[str, ...]


def estimate(differences: Trunks, level: float = LEVEL) -> Estimate:
    """Mean, interval and both p over trunks.

    Source: Student, The probable error of a mean, Biometrika 6 (1908); sign flips: Fisher, The Design of
    Experiments (1935), section 21.
    """
    values = np.asarray(differences, dtype=np.float64)
    n = len(values)
    if n < 2 or not np.isfinite(values).all():
        raise ValueError(f"at least two trunks with finite differences are needed, got {values.tolist()}")
    mean, error = float(values.mean()), float(values.std(ddof=1) / math.sqrt(n))
    reach = float(stdtrit(n - 1, 0.5 + level / 2)) * error
    p = 2.0 * float(stdtr(n - 1, -abs(mean) / error)) if error else float(mean == 0.0)
    signs = np.array(list(product((1.0, -1.0), repeat=n)))
    flipped = np.abs(signs @ values) >= abs(values.sum()) - 1e-12
    return Estimate(mean, mean - reach, mean + reach, level, p, float(flipped.mean()))


def holm_levels(p: Sequence[float]) -> tuple[float, ...]:
    """The level of each outcome's interval, so that all of them together hold with `LEVEL`.

    The outcome with the smallest p gets the widest interval; the next is relaxed only if that one excludes 0.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    alpha, levels, rejected = 1.0 - LEVEL, [0.0] * len(p), 0
    for place in sorted(range(len(p)), key=lambda i: p[i]):
        share = alpha / (len(p) - rejected)
        levels[place] = 1.0 - share
        if p[place] <= share and rejected < len(p) - 1:
            rejected += 1
    return tuple(levels)


def degradation(change: Mapping[str, Trunks]) -> tuple[Verdict, dict[str, Estimate]]:
    """R1: did dense features get worse while the class token did not?

    Args:
        change: last snapshot minus early teacher, one value a trunk, for the `PRIMARY` outcomes and for
            `CLASS_TOKEN`.
    """
    levels = holm_levels([estimate(change[name]).p for name in PRIMARY])
    found = {name: estimate(change[name], level) for name, level in zip(PRIMARY, levels, strict=True)}
    held = float(np.mean(change[CLASS_TOKEN])) >= 0.0
    fell = [name for name, e in found.items() if e.mean <= -THRESHOLD and e.high < 0.0]
    if fell and held:
        return Verdict("yes", ()), found
    narrow = [estimate(change[name], ABSENCE_LEVEL) for name in PRIMARY]
    if all(e.low > -THRESHOLD and e.high < THRESHOLD for e in narrow):
        return Verdict("no", ("the 90% intervals of both outcomes lie within 0.02 of no change",)), found
    if fell:
        return Verdict("not settled", ("the class token got worse as well",)), found
    return Verdict("not settled", ("no outcome fell by 0.02 with an interval below 0",)), found


def credit(
    values: Mapping[str, Mapping[str, Trunks]], teacher: Mapping[str, Trunks]
) -> tuple[Verdict, dict[str, dict[str, Estimate]]]:
    """R2: is the Gram anchor credited, and with which outcome?

    Args:
        values: for each arm, one value a trunk of the `PRIMARY` outcomes and `CLASS_TOKEN`.
        teacher: the `PRIMARY` outcomes of the frozen early teacher.

    Returns:
        The verdict, and for each outcome the estimate against each of `RIVALS`.
    """
    gains = {
        name: {rival: values[CREDITED][name] - values[rival][name] for rival in RIVALS} for name in PRIMARY
    }
    worst = [max(estimate(gain).p for gain in gains[name].values()) for name in PRIMARY]
    levels = dict(zip(PRIMARY, holm_levels(worst), strict=True))
    found = {
        name: {rival: estimate(gain, levels[name]) for rival, gain in gains[name].items()} for name in PRIMARY
    }
    loss = float(np.mean(values["continue"][CLASS_TOKEN] - values[CREDITED][CLASS_TOKEN]))
    reasons: list[str] = []
    for name in PRIMARY:
        missing = _missing(found[name], values[CREDITED][name] - teacher[name])
        if loss > CLASS_TOKEN_MARGIN:
            missing.append(f"the class token lost {loss:.3f}")
        if not missing:
            return Verdict("yes", ()), found
        reasons += [f"{name}: {reason}" for reason in missing]
    return Verdict("no", tuple(reasons)), found


def _missing(against: Mapping[str, Estimate], above_teacher: Trunks) -> list[str]:
    missing = []
    for rival, e in against.items():
        if e.mean < THRESHOLD:
            missing.append(f"{e.mean:+.3f} against {rival}, less than {THRESHOLD}")
        elif e.low <= 0.0:
            missing.append(f"the interval against {rival} reaches {e.low:+.3f}")
    below = int((above_teacher <= 0.0).sum())
    if below:
        missing.append(f"not above its own teacher in {below} of {len(above_teacher)} trunks")
    return missing


def power(effect: float, spread: float, n: int) -> float:
    """The chance that a mean over ``n`` trunks reaches `THRESHOLD`, for a true effect and normal noise."""
    if spread == 0.0:
        return float(effect >= THRESHOLD)
    return 0.5 * math.erfc((THRESHOLD - effect) * math.sqrt(n) / spread / math.sqrt(2.0))
