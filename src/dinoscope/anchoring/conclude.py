"""From numbers to sentences, by stated rules; see `dinoscope.anchoring.gate`."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.anchoring.findings import (
    DENSE,
    RANDOM,
    RANK,
    TEACHER,
    TRUNK,
    Conclusion,
    Effect,
    Gate,
    Score,
)
from dinoscope.anchoring.gate import (
    CONTROLS,
    FALL,
    GRAM_ARMS,
    LEAST_SEEDS,
    by_seed,
    effects_of,
    gates,
    mean_gate,
    shortfalls,
)
from dinoscope.metrics.registry import EVERY

CAVEAT = (
    "Nothing here explains the difference between released DINOv2 and DINOv3 models: the released DINOv3 S, "
    "S+, B, L and H+ were distilled and never trained with a Gram anchor."
)


_NOT_FIRED = "The gate did not fire, {}: this is the rule set beforehand, and patch kNN mIoU alone."

LITTLE_ROOM = 0.25
"""Share of what was learned, from random weights to the highest snapshot, above which a gate hardly fires."""

NOTABLE_FALL = 0.02
"""Change of an area under a curve that is mentioned although no rule asks for it."""


def conclude(
    scores: Sequence[Score], *, teacher_step: int | None, planned_seeds: int | None = None
) -> Conclusion:
    """Apply the rules.

    Args:
        scores: of every network measured.
        teacher_step: of the trunk's snapshot that is the frozen teacher; None without anchored arms.
        planned_seeds: how many fork seeds were asked for; None where that is not known.
    """
    each, gate = gates(scores), mean_gate(scores)
    found = effects_of(scores)
    teachers = [s for s in scores if s.run == TRUNK and s.step == teacher_step]
    teacher = teachers[0] if teachers else None
    arms = [arm for arm in GRAM_ARMS if any(s.run == arm for s in scores)]
    why = {arm: shortfalls(scores, found, arm, teacher) for arm in arms}
    credited = tuple(arm for arm in arms if not why[arm])
    sentences = [_gate_sentence(gate, len(each))]
    if len(each) > 1:
        sentences.append(_each_gate(each))
    sentences += _room_of_the_gate(scores, gate)
    sentences += _outside_the_gate(scores, gate)
    sentences += _seed_sentences(scores, planned_seeds)
    for arm in arms:
        sentences.append(_arm_sentence(arm, found, fired=gate is not None and gate.fires))
        sentences += _beside_the_rules(arm, found, scores)
        sentences += _loss_works(arm, found)
        sentences.append(_credit_sentence(arm, why[arm], fired=gate is not None and gate.fires))
    sentences += [
        f"Control {e.arm}: {_difference(e)} in patch kNN mIoU against continue at step {e.step:,}."
        for e in found
        if e.metric == DENSE and e.arm in CONTROLS
    ]
    if not arms:
        sentences.append("No arm with a Gram anchor was measured, so nothing is said about the anchor.")
    sentences.append(CAVEAT)
    return Conclusion(each, gate, found, credited, tuple(sentences))


def _gate_sentence(gate: Gate | None, n: int) -> str:
    if gate is None:
        return "Fewer than two snapshots were measured: whether dense quality fell cannot be said."
    whose = "on the mean of the trunks" if n > 1 else "on one trunk"
    dense = (
        f"patch kNN mIoU {_share(gate.dense_peak)} at step {gate.peak_step:,}, "
        f"{_share(gate.dense_last)} at step {gate.last_step:,}"
    )
    image = f"class-token kNN {_share(gate.image_peak)}, then {_share(gate.image_last)}"
    if gate.fires:
        return (
            f"Dense quality fell by {gate.fall:.1f} points after step {gate.peak_step:,} ({dense}) while "
            f"image quality did not ({image}): the gate fired, {whose}."
        )
    if gate.fall >= FALL - 1e-9:
        return (
            f"Both dense and image quality fell ({dense}; {image}): a run that went bad, not the degradation "
            f"in question. The gate did not fire, {whose}."
        )
    if gate.fall <= 0:
        return (
            f"No degradation was found at this scale: at the last snapshot, step {gate.last_step:,}, patch "
            f"kNN mIoU was {_share(gate.dense_last)}, and no earlier one was higher (the highest, at "
            f"step {gate.peak_step:,}: {_share(gate.dense_peak)}; {image}). {_NOT_FIRED.format(whose)}"
        )
    return (
        f"No degradation was found at this scale: {dense}, a fall of {gate.fall:.1f} points where the gate "
        f"asks for {FALL:g} ({image}). {_NOT_FIRED.format(whose)}"
    )


def _each_gate(each: Sequence[Gate]) -> str:
    shown = "; ".join(
        f"seed {g.seed}: {-g.fall:+.1f} points since step {g.peak_step:,}, "
        f"{'fired' if g.fires else 'not fired'}"
        for g in each
    )
    return f"One by one: {shown}."


def _room_of_the_gate(scores: Sequence[Score], gate: Gate | None) -> list[str]:
    """Whether there was enough to lose for the gate to fire."""
    untrained = _untrained(scores, DENSE)
    if gate is None or gate.fires or not untrained:
        return []
    floor = sum(untrained) / len(untrained)
    learned = 100 * (gate.dense_peak - floor)
    if learned * LITTLE_ROOM > FALL:
        return []
    return [
        f"The gate could hardly have fired: random weights score {_share(floor)} in patch kNN mIoU, the "
        f"highest snapshot {learned:.1f} points more, and it asks for {FALL:g} of those to be lost again."
    ]


def _outside_the_gate(scores: Sequence[Score], gate: Gate | None) -> list[str]:
    """What fell although no gate asks for it: "no degradation" must not hide it."""
    said: list[str] = []
    for metric in ("boundary_auc", "coherence_auc") if gate is not None else ():
        untrained = _untrained(scores, metric)
        for seed, points in sorted(by_seed(scores, TRUNK, metric).items()):
            peak, last = max(points, key=lambda step: points[step]), max(points)
            if points[peak] - points[last] >= NOTABLE_FALL:
                said.append(
                    f"Outside the gate, {EVERY[metric].short} fell from {points[peak]:.3f} at step "
                    f"{peak:,} to {points[last]:.3f} at step {last:,} (seed {seed}"
                    + (f"; random weights: {untrained[-1]:.3f}" if untrained else "")
                    + "): the gate is about its two scores only."
                )
    return said


def _seed_sentences(scores: Sequence[Score], planned: int | None) -> list[str]:
    seeds = {arm: len({s.seed for s in scores if s.run == arm}) for arm in (*CONTROLS, *GRAM_ARMS)}
    few = {arm: n for arm, n in seeds.items() if 0 < n < LEAST_SEEDS}
    said: list[str] = []
    if few:
        listed = ", ".join(f"{arm} {n}" for arm, n in few.items())
        said.append(
            f"Fewer than {LEAST_SEEDS} fork seeds ({listed}): the spread between seeds is not known, and no "
            "difference of these arms is called an effect."
        )
    unfinished = [f"{arm} {n}" for arm, n in seeds.items() if planned is not None and 0 < n < planned]
    if unfinished and planned is not None:
        said.append(f"Of {planned} planned fork seeds these are measured so far: {', '.join(unfinished)}.")
    return said


def _arm_sentence(arm: str, effects: Sequence[Effect], *, fired: bool) -> str:
    dense = _find(effects, arm, "continue", DENSE)
    if dense is None:
        return f"{arm} cannot be compared: no run without the anchor shares a seed and a step with it."
    others = [_find(effects, arm, "continue", name) for name in ("cls_knn", "boundary_auc", RANK)]
    if fired:
        what = f"With the anchor ({arm}) patch kNN mIoU was {_difference(dense)} from continuing without it"
    else:
        what = (
            f"The anchor ({arm}) changed patch kNN mIoU by {_difference(dense)} against continuing without it"
        )
    what = f"{what}, at step {dense.step:,}"
    rest = ", ".join(f"{EVERY[e.metric].short} {_difference(e)}" for e in others if e is not None)
    return f"{what}; {rest}." if rest else f"{what}."


def _beside_the_rules(arm: str, effects: Sequence[Effect], scores: Sequence[Score]) -> list[str]:
    found = _find(effects, arm, "continue", "coherence_auc")
    if found is None or abs(found.mean) < NOTABLE_FALL:
        return []
    title = EVERY["coherence_auc"].short
    said = (
        f"Outside the rules, its {title} differs by {_difference(found)} from continuing without it; no rule "
        "was set for this number, so no gain is credited for it."
    )
    untrained = _untrained(scores, "coherence_auc")
    reached = [s.values["coherence_auc"] for s in scores if (s.run, s.step) == (arm, found.step)]
    if untrained and reached:
        said += (
            f" It is {sum(reached) / len(reached):.3f} then; random weights, which know no object, score "
            f"{sum(untrained) / len(untrained):.3f}."
        )
    return [said]


def _loss_works(arm: str, effects: Sequence[Effect]) -> list[str]:
    distance = _find(effects, arm, "continue", TEACHER)
    if distance is None or distance.mean >= 0:
        return []
    return [
        f"Its Gram distance to the teacher is {-distance.mean:.3g} smaller than without the anchor, which "
        "only shows that the loss works and counts for nothing here."
    ]


def _credit_sentence(arm: str, why: Sequence[str], *, fired: bool) -> str:
    if not why:
        ground = (
            "restored or kept dense quality" if fired else "raised dense quality, although none had been lost"
        )
        return (
            f"By the rules the anchor of {arm} is credited: it {ground}, beyond the spread of the seeds and "
            f"beyond {', '.join(CONTROLS[:-1])} and {CONTROLS[-1]}, and beyond its own frozen teacher."
        )
    return f"No gain is credited to the anchor of {arm}: {'; '.join(why)}."


def _difference(e: Effect) -> str:
    scale, unit, digits = (100.0, " points", 1) if EVERY[e.metric].unit == "%" else (1.0, "", 3)
    if e.metric == RANK:
        digits = 1
    mean = f"{scale * e.mean:+.{digits}f}{unit}"
    if len(e.seeds) == 1:
        return f"{mean} (one seed)"
    spread = f"{scale * e.low:+.{digits}f} to {scale * e.high:+.{digits}f} over {len(e.seeds)} seeds"
    said = {
        "above": ", beyond their spread",
        "below": ", beyond their spread",
        "within": ", within their spread",
    }
    return f"{mean} ({spread}{said.get(e.verdict, '')})"


def _untrained(scores: Sequence[Score], metric: str) -> list[float]:
    """Known values of networks with random weights."""
    return [value for points in by_seed(scores, RANDOM, metric).values() for value in points.values()]


def _find(effects: Sequence[Effect], arm: str, over: str, metric: str) -> Effect | None:
    return next((e for e in effects if (e.arm, e.over, e.metric) == (arm, over, metric)), None)


def _share(value: float) -> str:
    return f"{100.0 * value:.1f}%"
