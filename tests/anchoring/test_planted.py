from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dinoscope.anchoring import laboratory as module
from dinoscope.anchoring.arms import Recipe
from dinoscope.anchoring.conclude_planted import PURPOSE, conclude_planted
from dinoscope.anchoring.config import SecondStage
from dinoscope.anchoring.findings import AFTER_DAMAGE, METRICS, PLANTED, TRUNK, Gate, Score
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.held_out import Probes
from dinoscope.anchoring.laboratory import laboratory
from dinoscope.anchoring.losses import cls_pull
from dinoscope.anchoring.plan import Plan, Planting
from dinoscope.anchoring.planted import planted_settings
from dinoscope.anchoring.step import loss_weights
from dinoscope.errors import InputError
from tests.anchoring.small_runs import small, write_photographs

PLAN = Plan(
    trunk=small(learning_rate=3e-3),
    recipe=Recipe(steps=4, weight=40.0, ramp=1, update_every=0, teacher_step=2),
    arms=("gram-x1",),
    seeds=(0, 1),
    probes=Probes(n=8, n_dense=6, size_px=32, grid=8, n_classes=2, most_patches=100),
    measure_every=100,
    planted=Planting(steps=20, weight=20.0, ramp=1, arms=("continue", "gram-x1")),
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


def test_the_pull_is_one_minus_the_mean_cosine_and_leaves_the_class_token() -> None:
    random = np.random.default_rng(0)
    patches, cls = random.normal(size=(2, 5, 4)), random.normal(size=(2, 4))
    wanted = 1 - np.mean(
        [
            patches[b, n] @ cls[b] / np.linalg.norm(patches[b, n]) / np.linalg.norm(cls[b])
            for b in range(2)
            for n in range(5)
        ]
    )
    given = [torch.tensor(v, dtype=torch.float32, requires_grad=True) for v in (patches, cls)]
    pulled = cls_pull(*given)
    assert float(pulled.detach()) == pytest.approx(wanted, abs=1e-6)
    pulled.backward()
    assert given[0].grad is not None and float(given[0].grad.abs().max()) > 0
    assert given[1].grad is None


def test_the_pull_ramps_up_and_only_where_it_was_planted() -> None:
    planted = planted_settings(small(), 6, Planting(steps=9, weight=3.0, ramp=2))
    assert planted.steps == 15 and planted.second_stage == SecondStage(start=6, ramp=2, pull=3.0)
    assert [loss_weights(planted, step)["cls_pull"] for step in (6, 7, 8, 15)] == pytest.approx(
        [0, 1.5, 3, 3]
    )
    assert loss_weights(small(), 9)["cls_pull"] == 0.0


def test_damage_is_planted_once_released_and_reported_apart(photographs: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, of: int) -> None:
        if (stage, done) == (PLANTED, 15):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        laboratory(photographs, tmp_path, PLAN, on_progress=stop)
    told: list[tuple[str, int, int]] = []
    found = laboratory(photographs, tmp_path, PLAN, on_progress=lambda *what: told.append(what), resume=True)
    assert (PLANTED, 15, 26) in told and (PLANTED, 14, 26) not in told
    assert not any(s.run == PLANTED or s.run.startswith(AFTER_DAMAGE) for s in found.scores)
    control = found.control
    assert control is not None
    assert (control.start_step, control.release_step, control.teacher_step) == (6, 26, 2)
    ends = {(s.run, s.seed, s.step): s.values["cls_patch"] for s in control.scores}
    arms = {(f"{AFTER_DAMAGE}{arm}", seed, 30) for arm in ("continue", "gram-x1") for seed in (0, 1)}
    assert ends.keys() == arms | {(TRUNK, 0, 2), (TRUNK, 0, 6), (PLANTED, 0, 26)}
    assert ends[PLANTED, 0, 26] > ends[TRUNK, 0, 6] + 0.1
    assert control.sentences[0] == PURPOSE and not set(control.sentences) & set(found.conclusion.sentences)
    released = RunFolder(tmp_path / "planted/arms/seed-1/gram-x1").settings().second_stage
    assert released is not None and (released.pull, released.start, released.teacher_step) == (0.0, 26, 2)
    assert "cls_pull" not in (tmp_path / "planted/arms/seed-1/gram-x1/losses.jsonl").read_text()
    assert control.strip is not None
    assert [f.run for f in control.strip.frames][:3] == [TRUNK, TRUNK, PLANTED]
    assert {s.stage for s in found.spent} >= {PLANTED, f"{AFTER_DAMAGE}continue, seed 1"}


def test_where_the_gate_fires_nothing_is_planted(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired = Gate(0, True, 2, 6, 0.5, 0.4, 0.3, 0.3)
    monkeypatch.setattr(module, "mean_gate", lambda scores: fired)
    found = laboratory(photographs, tmp_path, replace(PLAN, seeds=(0,)))
    assert found.control is None and not (tmp_path / "planted").exists()


def test_damage_that_cannot_be_is_refused() -> None:
    for values, said in (
        ({"steps": 0}, "steps must be at least 1"),
        ({"weight": 0.0}, "above 0"),
        ({"arms": ("x",)}, "no arm"),
    ):
        with pytest.raises(InputError, match=said):
            Planting(**values)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one seed"):
        replace(PLAN, arms=(), seeds=())


def told(damaged: float, ends: Mapping[str, tuple[float, ...]], *, teacher: float = 0.30) -> str:
    def score(run: str, seed: int, step: int, dense: float) -> Score:
        return Score(run, seed, step, dict.fromkeys(METRICS, 0.5) | {"scene_knn_miou": dense})

    scores = [score(TRUNK, 0, 2, teacher), score(TRUNK, 0, 6, 0.40), score(PLANTED, 0, 26, damaged)]
    scores += [
        score(f"{AFTER_DAMAGE}{arm}", seed, 30, value)
        for arm, values in ends.items()
        for seed, value in enumerate(values)
    ]
    return " ".join(conclude_planted(scores, start_step=6, teacher_step=2))


ALONE = (0.34, 0.35, 0.36)


@pytest.mark.parametrize(
    ("anchored", "said"),
    [
        ((0.37, 0.38, 0.39), "repaired more than release alone: +3.0 points"),
        ((0.31, 0.32, 0.33), "repaired less than release alone: -3.0 points"),
        ((0.355, 0.38, 0.39), "did not repair more or less than release alone"),
        ((0.3601, 0.3601, 0.3601), "repaired more than release alone: +1.0 points"),
        ((0.37, 0.38), "no difference is called an effect"),
    ],
)
def test_repair_is_judged_by_the_spread_of_the_seeds(anchored: tuple[float, ...], said: str) -> None:
    sentences = told(0.30, {"continue": ALONE, "gram-x1": anchored})
    assert said in sentences
    assert "planted: continue: patch kNN mIoU 35.0% at step 30 (34.0 to 36.0% over 3 seeds), +5.0 points" in (
        sentences
    )
    assert "of 10.0 lost" in sentences


def test_less_than_half_a_point_is_no_repair_however_tight_the_seeds() -> None:
    sentences = told(0.30, {"continue": (0.35,) * 3, "gram-x1": (0.354,) * 3})
    assert "differs from release alone by less than 0.5 points" in sentences and "more than" not in sentences


def test_without_damage_nothing_is_said_about_repair() -> None:
    sentences = told(0.381, {"continue": ALONE, "gram-x1": (0.5, 0.5, 0.5)})
    assert "nothing is said about repair" in sentences and "repaired" not in sentences
    assert "repaired" in told(0.38, {"continue": ALONE, "gram-x1": (0.5, 0.5, 0.5)})
    assert "nothing is said about repair" in told(math.nan, {})


def test_a_return_to_the_teacher_and_a_missing_comparison_are_said() -> None:
    arms = {"continue": ALONE, "gram-x1": (0.37, 0.38, 0.39), "feature-mse": (0.37, 0.39, 0.40)}
    assert "ends above its frozen teacher (30.0%" in told(0.30, arms)
    assert "back to the teacher would do as well" in told(0.30, arms, teacher=0.37)
    assert "did not repair more or less than the feature error" in told(0.30, arms)
    assert "no run without the anchor" in told(0.30, {"gram-x1": (0.37, 0.38, 0.39)})
