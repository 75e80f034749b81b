"""What the positive control may say, by stated rules."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dinoscope.anchoring.findings import AFTER_DAMAGE, DENSE, PLANTED, RANK, TRUNK, Effect, Score
from dinoscope.anchoring.gate import FALL, GRAM_ARMS, LEAST_GAIN, LEAST_SEEDS, effect
from dinoscope.metrics.registry import EVERY

PURPOSE = (
    "This damage was planted on purpose. It shows what repair looks like, and says nothing about whether "
    "training causes such damage."
)
TOLD = ("cls_patch", DENSE, "cls_knn", "boundary_auc", "coherence_auc", RANK)


def conclude_planted(
    scores: Sequence[Score], *, start_step: int, teacher_step: int | None
) -> tuple[str, ...]:
    """Apply the rules.

    Repair is judged only if the pull cost at least `FALL` points of patch kNN mIoU.

    Args:
        scores: of the trunk where the pull began and of the frozen teacher, of the damaged network, and of
            the arms after it.
        start_step: where the pull began.
        teacher_step: of the frozen teacher; None without anchored arms.
    """
    before = next((s for s in scores if (s.run, s.step) == (TRUNK, start_step)), None)
    damaged = max((s for s in scores if s.run == PLANTED), key=lambda s: s.step, default=None)
    if before is None or damaged is None:
        return (PURPOSE, "The damaged network was not measured, so nothing is said about repair.")
    changes = ", ".join(_change(name, before, damaged) for name in TOLD)
    said = [
        PURPOSE,
        f"From step {before.step:,} to {damaged.step:,} all patches were pulled towards their class token: "
        f"{changes}.",
    ]
    lost = 100.0 * (_value(before, DENSE) - _value(damaged, DENSE))
    if not lost >= FALL - 1e-9:
        said.append(
            f"Patch kNN mIoU changed by {-lost:+.1f} points where a loss of {FALL:g} is asked for: too "
            "little to judge a repair by, and nothing is said about repair."
        )
        return tuple(said)
    arms = list(dict.fromkeys(s.run for s in scores if s.run.startswith(AFTER_DAMAGE)))
    said += [_arm_sentence(scores, arm, damaged, lost) for arm in arms]
    teacher = next((s for s in scores if (s.run, s.step) == (TRUNK, teacher_step)), None)
    for arm in (f"{AFTER_DAMAGE}{name}" for name in GRAM_ARMS):
        if arm not in arms:
            continue
        for over, what in (("continue", "release alone"), ("feature-mse", "the feature error")):
            found = effect(scores, arm, f"{AFTER_DAMAGE}{over}", DENSE)
            if found is not None:
                said.append(_compared(arm, what, found))
            elif over == "continue":
                said.append(f"{arm} has no run without the anchor to be compared with.")
        if teacher is not None:
            said.append(_beside_teacher(scores, arm, teacher))
    if not arms:
        said.append("No arm after the damage was measured.")
    return tuple(said)


def _change(name: str, before: Score, after: Score) -> str:
    metric = EVERY[name]
    scale, end = (100.0, "%") if metric.unit == "%" else (1.0, "")
    digits = 1 if end or name == RANK else 3
    a, b = (f"{scale * _value(s, name):.{digits}f}{end}" for s in (before, after))
    return f"{metric.short} from {a} to {b}"


def _arm_sentence(scores: Sequence[Score], arm: str, damaged: Score, lost: float) -> str:
    step, values = _last(scores, arm)
    mean = float(np.mean(values))
    back = 100.0 * (mean - _value(damaged, DENSE))
    spread = "one seed" if len(values) == 1 else f"{100 * min(values):.1f} to {100 * max(values):.1f}% over "
    spread += "" if len(values) == 1 else f"{len(values)} seeds"
    return (
        f"{arm}: patch kNN mIoU {100 * mean:.1f}% at step {step:,} ({spread}), {back:+.1f} points since the "
        f"release, of {lost:.1f} lost."
    )


def _compared(arm: str, what: str, e: Effect) -> str:
    spread = f"{100 * e.low:+.1f} to {100 * e.high:+.1f}, {len(e.seeds)} seeds"
    size = f"{100 * e.mean:+.1f} points ({'one seed' if len(e.seeds) == 1 else spread})"
    if e.verdict == "unknown":
        return (
            f"{arm} against {what}: {size}; with fewer than {LEAST_SEEDS} seeds no difference is called an "
            "effect."
        )
    if e.verdict == "within":
        return f"{arm} did not repair more or less than {what}, beyond the spread of the seeds: {size}."
    if abs(100.0 * e.mean) < LEAST_GAIN:
        return f"{arm} differs from {what} by less than {LEAST_GAIN:g} points: {size}."
    return f"{arm} repaired {'more' if e.verdict == 'above' else 'less'} than {what}: {size}."


def _beside_teacher(scores: Sequence[Score], arm: str, teacher: Score) -> str:
    _, values = _last(scores, arm)
    shown = f"{100 * _value(teacher, DENSE):.1f}% at step {teacher.step:,}"
    if min(values) > _value(teacher, DENSE):
        return f"Every seed of {arm} ends above its frozen teacher ({shown})."
    return (
        f"Not every seed of {arm} ends above its frozen teacher ({shown}): going back to the teacher would "
        "do as well."
    )


def _last(scores: Sequence[Score], arm: str) -> tuple[int, list[float]]:
    """The last step that all seeds of an arm have, and their patch scores there."""
    by_seed: dict[int, dict[int, float]] = {}
    for s in scores:
        if s.run == arm:
            by_seed.setdefault(s.seed, {})[s.step] = _value(s, DENSE)
    step = max(set.intersection(*(set(points) for points in by_seed.values())), default=-1)
    if step < 0:
        ends = [max(points) for points in by_seed.values()]
        return min(ends), [points[max(points)] for points in by_seed.values()]
    return step, [points[step] for points in by_seed.values()]


def _value(score: Score, name: str) -> float:
    return score.values.get(name, math.nan)
