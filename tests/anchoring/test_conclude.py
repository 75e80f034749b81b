from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from dinoscope.anchoring.conclude import CAVEAT, conclude
from dinoscope.anchoring.findings import RANDOM, Score
from dinoscope.anchoring.gate import effect, gate_of, mean_gate

SPREAD = (-0.002, 0.0, 0.002)


def score(run: str, seed: int, step: int, dense: float, image: float = 0.5, **others: float) -> Score:
    values = {"scene_knn_miou": dense, "cls_knn": image, "boundary_auc": 0.7, "effective_rank_scenes": 40.0}
    return Score(run, seed, step, values | {"gram_distance_teacher": 0.06} | others)


def trunk(dense: Sequence[float], image: Sequence[float], seed: int = 0) -> list[Score]:
    return [
        score("trunk", seed, 100 * (i + 1), d, m) for i, (d, m) in enumerate(zip(dense, image, strict=True))
    ]


def arm(name: str, dense: float, seeds: Sequence[int] = (0, 1, 2), **others: float) -> list[Score]:
    """An arm with a little spread between its seeds, and an earlier snapshot that must not matter."""
    return [
        s
        for seed in seeds
        for s in (
            score(name, seed, 450, 0.9),
            score(name, seed, 500, dense + SPREAD[seed % 3], **others),
        )
    ]


DEGRADED = trunk([0.30, 0.38, 0.36, 0.34], [0.3, 0.4, 0.45, 0.5])
HEALTHY = trunk([0.30, 0.34, 0.36, 0.355], [0.3, 0.4, 0.45, 0.5])
CONTROLS = [*arm("continue", 0.34), *arm("local-half", 0.345), *arm("feature-mse", 0.35)]


def said(scores: Sequence[Score], teacher_step: int | None = 100) -> str:
    return " ".join(conclude(scores, teacher_step=teacher_step).sentences)


def test_a_fall_of_dense_quality_alone_fires() -> None:
    gate = gate_of(DEGRADED, 0)
    assert gate is not None
    assert (gate.fires, gate.peak_step, gate.last_step) == (True, 200, 400)
    assert gate.fall == pytest.approx(4.0)
    assert said(DEGRADED).startswith(
        "Dense quality fell by 4.0 points after step 200 (patch kNN mIoU 38.0% at step 200, "
        "34.0% at step 400)"
    )


@pytest.mark.parametrize(
    ("last", "fires"), [(0.36, True), (0.3601, False), (0.38, False), (0.5, False), (0.2, True)]
)
def test_two_points_are_the_threshold(last: float, fires: bool) -> None:
    gate = gate_of(trunk([0.3, 0.38, last], [0.4, 0.4, 0.4]), 0)
    assert gate is not None and gate.fires is fires


def test_a_fall_of_both_is_a_run_gone_bad() -> None:
    scores = trunk([0.30, 0.38, 0.34], [0.3, 0.4, 0.39])
    gate = mean_gate(scores)
    assert gate is not None and not gate.fires
    assert said(scores).startswith("Both dense and image quality fell")
    assert "gate did not fire" in said(scores)


def test_the_image_score_counts_where_the_patches_peaked_and_not_elsewhere() -> None:
    gate = gate_of(trunk([0.30, 0.38, 0.35, 0.34], [0.3, 0.4, 0.6, 0.5]), 0)
    assert gate is not None and gate.fires


def test_no_fall_is_said_plainly() -> None:
    assert said(HEALTHY).startswith(
        "No degradation was found at this scale: patch kNN mIoU 36.0% at step 300"
    )
    rising = trunk([0.30, 0.34, 0.36], [0.3, 0.4, 0.45])
    assert "no earlier one was higher" in said(rising)
    assert "cannot be said" in said(rising[:1])


def test_what_falls_outside_the_gate_is_said() -> None:
    lower = [score("trunk", 0, 100 * i, 0.3, coherence_auc=0.8 - 0.01 * i) for i in (1, 2, 3, 4)]
    text = said(lower)
    assert "No degradation was found" in text
    assert "Outside the gate, coherence AUC fell from 0.790 at step 100 to 0.760 at step 400" in text
    assert "boundary AUC fell" not in text


def test_a_gate_without_room_is_said_to_have_none() -> None:
    def untrained(dense: float) -> list[Score]:
        return [score(RANDOM, 0, 0, dense, coherence_auc=0.768)]

    told = "could hardly have fired: random weights score 28.1% in patch kNN mIoU, the highest snapshot 7.9"
    assert told in said([*untrained(0.281), *HEALTHY])
    assert "hardly" not in said([*untrained(0.279), *HEALTHY]), "8.1 points learned: 2 of them are a quarter"
    assert "hardly" not in said([*untrained(0.3), *DEGRADED]), "it did fire"
    assert "hardly" not in said(HEALTHY)
    lower = [score("trunk", 0, 100 * i, 0.3, coherence_auc=0.8 - 0.01 * i) for i in (1, 2, 3, 4)]
    assert "at step 400 (seed 0; random weights: 0.768)" in said([*untrained(0.1), *lower])


def test_a_coherence_that_random_weights_reach_is_told_beside_them() -> None:
    arms = [*arm("continue", 0.34, coherence_auc=0.62), *arm("gram-x2", 0.34, coherence_auc=0.79)]
    alone = said([*DEGRADED, *arms])
    assert "Outside the rules, its coherence AUC differs by +0.170" in alone
    assert "random weights, which know no object" not in alone
    untrained = score("random weights", 0, 0, 0.15, coherence_auc=0.77)
    assert "It is 0.790 then; random weights, which know no object, score 0.770." in said(
        [*DEGRADED, *arms, untrained]
    )


def test_an_undefined_score_is_no_snapshot() -> None:
    gate = gate_of([*DEGRADED, score("trunk", 0, 500, math.nan)], 0)
    assert gate is not None and gate.last_step == 400


def test_several_trunks_are_judged_by_their_mean() -> None:
    flat = trunk([0.30, 0.38, 0.379, 0.38], [0.3, 0.4, 0.45, 0.5], seed=1)
    flat_too = trunk([0.30, 0.38, 0.379, 0.38], [0.3, 0.4, 0.45, 0.5], seed=2)
    gate = mean_gate([*DEGRADED, *flat, *flat_too])
    assert gate is not None and gate.seed is None and not gate.fires
    assert gate.fall == pytest.approx(4.0 / 3)
    text = said([*DEGRADED, *flat, *flat_too])
    assert "seed 0: -4.0 points since step 200, fired; seed 1: " in text
    both = mean_gate([*DEGRADED, *trunk([0.30, 0.38, 0.36, 0.34], [0.3, 0.4, 0.45, 0.5], seed=1)])
    assert both is not None and both.fires


def test_an_anchor_that_beats_every_control_is_credited() -> None:
    scores = [*DEGRADED, *CONTROLS, *arm("gram-x2", 0.38, gram_distance_teacher=0.01)]
    found = conclude(scores, teacher_step=100)
    assert found.credited == ("gram-x2",)
    text = " ".join(found.sentences)
    assert "With the anchor (gram-x2) patch kNN mIoU was +4.0 points (" in text
    assert "restored or kept dense quality" in text
    healthy = said([*HEALTHY, *CONTROLS, *arm("gram-x2", 0.38)])
    assert "The anchor (gram-x2) changed patch kNN mIoU by +4.0 points" in healthy
    assert "although none had been lost" in healthy


def test_a_small_gram_distance_earns_nothing() -> None:
    scores = [*DEGRADED, *CONTROLS, *arm("gram-x2", 0.34, gram_distance_teacher=1e-6)]
    found = conclude(scores, teacher_step=100)
    assert found.credited == ()
    text = " ".join(found.sentences)
    assert "only shows that the loss works" in text
    assert "No gain is credited to the anchor of gram-x2: its patch kNN mIoU is within the spread" in text


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"boundary_auc": 0.6}, "its boundary AUC is below that of continue"),
        ({"effective_rank_scenes": 5.0}, "its effective rank is below that of continue"),
        ({"image": 0.2}, "its class-token kNN is below that of continue"),
    ],
)
def test_a_gain_that_is_paid_for_elsewhere_is_not_credited(changes: dict[str, float], reason: str) -> None:
    scores = [*DEGRADED, *CONTROLS, *arm("gram-x2", 0.38, **changes)]
    found = conclude(scores, teacher_step=100)
    assert found.credited == () and reason in " ".join(found.sentences)


def test_what_any_control_does_as_well_is_not_the_anchors() -> None:
    for control in ("continue", "local-half", "feature-mse"):
        others = [s for s in CONTROLS if s.run != control]
        anchored = arm("gram-x2", 0.38)
        equal = conclude([*DEGRADED, *others, *arm(control, 0.379), *anchored], teacher_step=100)
        assert equal.credited == ()
        assert f"within the spread of the seeds of {control}" in " ".join(equal.sentences)
        missing = conclude([*DEGRADED, *others, *anchored], teacher_step=100)
        assert missing.credited == ()
        assert f"there is no {control} to compare with" in " ".join(missing.sentences)


def test_a_return_to_the_teacher_is_early_stopping() -> None:
    scores = [*DEGRADED, *CONTROLS, *arm("gram-x2", 0.378)]
    assert conclude(scores, teacher_step=100).credited == ("gram-x2",)
    assert conclude(scores, teacher_step=200).credited == ()
    assert "early stopping" in said(scores, 200)
    assert "its frozen teacher was not measured" in said(scores, 150)


def test_a_gain_below_half_a_point_is_not_credited_however_tight_the_seeds() -> None:
    tight = [
        score(name, seed, 500, dense)
        for seed in (0, 1, 2)
        for name, dense in (
            ("continue", 0.340),
            ("local-half", 0.340),
            ("feature-mse", 0.340),
            ("gram-x1", 0.344),
        )
    ]
    assert "its gain over continue is under 0.5 points" in said([*DEGRADED, *tight])


def test_fewer_than_three_seeds_are_no_effect() -> None:
    scores = [s for s in [*CONTROLS, *arm("gram-x2", 0.40)] if s.run == "trunk" or s.seed < 2]
    found = conclude([*DEGRADED, *scores], teacher_step=100, planned_seeds=3)
    text = " ".join(found.sentences)
    assert found.credited == ()
    assert {e.verdict for e in found.effects} == {"unknown"}
    assert "Fewer than 3 fork seeds" in text and "Of 3 planned fork seeds" in text
    assert "only 2 of 3 seeds allow a comparison" in text


def test_seeds_are_compared_with_themselves_at_a_step_that_all_have() -> None:
    a = [score("gram-x1", s, step, 0.3 + 0.01 * s) for s in (0, 1, 2) for step in (450, 500)]
    b = [score("continue", s, step, 0.2 + 0.01 * s) for s in (0, 1, 2) for step in (450, 500)]
    late = score("continue", 0, 600, 0.9)
    found = effect([*a, *b, late], "gram-x1", "continue", "scene_knn_miou")
    assert found is not None
    assert (found.step, found.seeds, found.verdict) == (500, (0, 1, 2), "above")
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    worse = effect([*a, *b], "continue", "gram-x1", "scene_knn_miou")
    assert worse is not None and worse.verdict == "below"
    assert effect(a, "gram-x1", "continue", "scene_knn_miou") is None


def test_released_models_are_named_only_to_say_that_nothing_follows() -> None:
    for scores in (DEGRADED, HEALTHY, [*DEGRADED, *CONTROLS, *arm("gram-x2", 0.38)]):
        *others, last = conclude(scores, teacher_step=100).sentences
        assert last == CAVEAT
        assert not any("DINO" in sentence for sentence in others)
