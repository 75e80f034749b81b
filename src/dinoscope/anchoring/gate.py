"""The gate, set before the first score was seen, and what an arm may be credited with.

An arm is above (below) another where every seed of it scores above (below) every seed of the other, with at
least three seeds of both. Where arms did not differ, three against three would be apart by chance once in
ten: once in twenty in each direction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from dinoscope.anchoring.findings import DENSE, IMAGE, RANK, TEACHER, TRUNK, Effect, Gate, Score
from dinoscope.metrics.registry import EVERY

FALL = 2.0
"""Percentage points of patch score that must be lost for the gate to fire."""

LEAST_GAIN = 0.5
"""Percentage points of patch score below which no gain is credited, however small the spread."""

LEAST_SEEDS = 3

GRAM_ARMS = ("gram-x1", "gram-x2")
CONTROLS = ("continue", "local-half", "feature-mse")
"""What a Gram arm must beat, all of them."""

MUST_HOLD = (IMAGE, "boundary_auc", RANK)
"""What a gain in patch score may not be paid with."""

BESIDE = ("coherence_auc", TEACHER)
"""Compared and told, with no part in any rule."""

_ROUNDING = 1e-9


def gates(scores: Iterable[Score]) -> tuple[Gate, ...]:
    """One for each trunk with two snapshots and more, by seed."""
    trunks: dict[int, list[Score]] = {}
    for score in scores:
        if score.run == TRUNK and score.step > 0:
            trunks.setdefault(score.seed, []).append(score)
    found = (gate_of(trunks[seed], seed) for seed in sorted(trunks))
    return tuple(gate for gate in found if gate is not None)


def mean_gate(scores: Sequence[Score]) -> Gate | None:
    """The gate of the only trunk, or of the mean of several at the steps that all of them have."""
    each = gates(scores)
    if len(each) < 2:
        return each[0] if each else None
    seeds = {gate.seed for gate in each}
    by_step: dict[int, dict[int, Score]] = {}
    for score in scores:
        if score.run == TRUNK and score.seed in seeds and score.step > 0:
            by_step.setdefault(score.step, {})[score.seed] = score
    means = []
    for step, found in by_step.items():
        if found.keys() == seeds:
            columns = {n: [s.values.get(n, math.nan) for s in found.values()] for n in (DENSE, IMAGE)}
            means.append(Score(TRUNK, -1, step, {n: float(np.mean(v)) for n, v in columns.items()}))
    return gate_of(means, None)


def gate_of(snapshots: Iterable[Score], seed: int | None) -> Gate | None:
    """The gate of one trunk; None with fewer than two snapshots that have both scores."""
    known = sorted(
        (s for s in snapshots if all(math.isfinite(s.values.get(name, math.nan)) for name in (DENSE, IMAGE))),
        key=lambda s: s.step,
    )
    if len(known) < 2:
        return None
    last, peak = known[-1], max(known[:-1], key=lambda s: s.values[DENSE])
    fall = 100.0 * (peak.values[DENSE] - last.values[DENSE])
    fires = fall >= FALL - _ROUNDING and last.values[IMAGE] >= peak.values[IMAGE] - _ROUNDING
    scores = (s.values[name] for name in (DENSE, IMAGE) for s in (peak, last))
    return Gate(seed, fires, peak.step, last.step, *scores)


def effect(scores: Iterable[Score], arm: str, over: str, metric: str) -> Effect | None:
    """One arm minus another, seed by seed; None where no seed has both at a common step."""
    mine, other = by_seed(scores, arm, metric), by_seed(scores, over, metric)
    seeds = tuple(sorted(mine.keys() & other.keys()))
    if not seeds:
        return None
    common = set.intersection(*(set(mine[s]) & set(other[s]) for s in seeds))
    if not common:
        return None
    step = max(common)
    a = np.array([mine[s][step] for s in seeds])
    b = np.array([other[s][step] for s in seeds])
    if len(seeds) < LEAST_SEEDS:
        verdict = "unknown"
    elif a.min() > b.max():
        verdict = "above"
    elif a.max() < b.min():
        verdict = "below"
    else:
        verdict = "within"
    d = a - b
    return Effect(arm, over, metric, step, float(d.mean()), float(d.min()), float(d.max()), seeds, verdict)


def effects_of(scores: Sequence[Score]) -> tuple[Effect, ...]:
    """Every arm over ``continue``, Gram arms over the other controls too, in all that is ruled or told."""
    arms = list(dict.fromkeys(s.run for s in scores))
    pairs = [(arm, "continue") for arm in arms if arm in (*GRAM_ARMS, "local-half", "feature-mse")]
    pairs += [(arm, over) for arm in arms if arm in GRAM_ARMS for over in CONTROLS[1:]]
    found = (
        effect(scores, arm, over, metric) for arm, over in pairs for metric in (DENSE, *MUST_HOLD, *BESIDE)
    )
    return tuple(e for e in found if e is not None)


def shortfalls(
    scores: Sequence[Score], effects: Sequence[Effect], arm: str, teacher: Score | None
) -> tuple[str, ...]:
    """Why a Gram arm may not be credited, in words; none where it may.

    Args:
        scores: of every network.
        effects: as `effects_of` returns them.
        arm: one of `GRAM_ARMS`.
        teacher: score of its frozen teacher.
    """
    found = {(e.over, e.metric): e for e in effects if e.arm == arm}
    why: list[str] = []
    for over in CONTROLS:
        dense = found.get((over, DENSE))
        if dense is None:
            why.append(f"there is no {over} to compare with")
        elif dense.verdict == "unknown":
            why.append(f"only {len(dense.seeds)} of {LEAST_SEEDS} seeds allow a comparison with {over}")
        elif dense.verdict != "above":
            place = "within the spread of the seeds of" if dense.verdict == "within" else "below"
            why.append(f"its patch kNN mIoU is {place} {over}")
        elif 100.0 * dense.mean < LEAST_GAIN:
            why.append(f"its gain over {over} is under {LEAST_GAIN:g} points")
    for metric in MUST_HOLD:
        held = found.get(("continue", metric))
        if held is not None and held.verdict == "below":
            why.append(f"its {EVERY[metric].short} is below that of continue")
    if teacher is None:
        why.append("its frozen teacher was not measured")
    else:
        mine = by_seed(scores, arm, DENSE)
        lowest = min((points[max(points)] for points in mine.values()), default=math.nan)
        if not lowest > teacher.values.get(DENSE, math.nan):
            why.append("not every seed exceeds its own frozen teacher, so it may be early stopping")
    return tuple(why)


def by_seed(scores: Iterable[Score], run: str, metric: str) -> dict[int, dict[int, float]]:
    """Values of a metric by seed and step, where they are known."""
    found: dict[int, dict[int, float]] = {}
    for score in scores:
        value = score.values.get(metric, math.nan)
        if score.run == run and math.isfinite(value):
            found.setdefault(score.seed, {})[score.step] = value
    return found
