from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dinoscope.anchoring.arms import Recipe
from dinoscope.anchoring.config import Objective
from dinoscope.anchoring.findings import METRICS, RANDOM, TRUNK
from dinoscope.anchoring.held_out import Probes
from dinoscope.anchoring.laboratory import examine, laboratory
from dinoscope.anchoring.plan import Plan
from dinoscope.errors import InputError
from dinoscope.io.images import read_photograph
from tests.anchoring.small_runs import small, write_photographs

PLAN = Plan(
    trunk=small(learning_rate=3e-3),
    recipe=Recipe(steps=14, weight=40.0, ramp=1, update_every=0, teacher_step=2),
    arms=("continue", "gram-x1"),
    seeds=(0, 1, 2),
    probes=Probes(n=8, n_dense=6, size_px=32, grid=8, n_classes=2, most_patches=100),
    measure_every=10,
)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


def test_the_experiment_goes_on_where_it_was_cut_off(photographs: Path, tmp_path: Path) -> None:
    shown = [read_photograph(write_photographs(tmp_path / "shown", n=11, side=40) / "10.png")]

    def stop(stage: str, done: int, of: int) -> None:
        if (stage, done) == ("gram-x1, seed 1", 9):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        laboratory(photographs, tmp_path / "out", PLAN, shown=shown, on_progress=stop)
    told: list[tuple[str, int, int]] = []
    found = laboratory(
        photographs,
        tmp_path / "out",
        PLAN,
        shown=shown,
        on_progress=lambda *what: told.append(what),
        resume=True,
    )
    assert not any(stage in (TRUNK, "continue, seed 1") for stage, _, _ in told)
    assert ("gram-x1, seed 2", 20, 20) in told
    runs = {(s.run, s.seed, s.step) for s in found.scores}
    arms = {(arm, seed, step) for arm in PLAN.arms for seed in (0, 1, 2) for step in (10, 20)}
    assert runs == arms | {(RANDOM, 0, 0), (TRUNK, 0, 2), (TRUNK, 0, 6)}
    assert all(set(s.values) == set(METRICS) for s in found.scores)
    assert (found.teacher_step, found.fork_step) == (2, 6)
    assert found.strip is not None
    assert [f.run for f in found.strip.frames] == [TRUNK, TRUNK, "continue", "gram-x1"]
    assert [(g.run, g.step, g.teacher_step) for g in found.grams] == [("continue", 20, 2), ("gram-x1", 20, 2)]
    assert all(np.allclose(np.diag(g.student), 1, atol=1e-5) for g in found.grams)
    assert {c.run for c in found.losses} == {TRUNK, *PLAN.arms}
    spent = {s.stage: s for s in found.spent}
    assert spent[TRUNK].steps == 6 and spent["gram-x1, seed 1"].steps >= 14
    assert all(s.seconds >= 0 for s in found.spent)
    again = examine(tmp_path / "out", PLAN, shown=shown)
    assert again.scores == found.scores and again.conclusion == found.conclusion


def test_the_anchor_holds_the_gram_distance_on_scenes_nobody_trained_on(
    photographs: Path, tmp_path: Path
) -> None:
    plan = replace(
        PLAN,
        # Far enough that its end is unlike the early teacher; targets so soft that the anchor outweighs them.
        trunk=small(learning_rate=1e-2, steps=40, objective=Objective(0.1, 0.04, 0.04)),
        recipe=Recipe(steps=16, weight=40.0, ramp=4, update_every=0, teacher_step=4),
        measure_every=100,
    )
    found = laboratory(photographs, tmp_path, plan)
    ends = {(s.run, s.seed): s.values["gram_distance_teacher"] for s in found.scores if s.step == 56}
    assert len(ends) == 6
    assert all(ends["gram-x1", seed] < 0.9 * ends["continue", seed] for seed in (0, 1, 2))
    assert found.conclusion.credited == ()


def test_another_experiment_is_refused_and_force_replaces_it(photographs: Path, tmp_path: Path) -> None:
    plan = replace(PLAN, arms=())
    first = laboratory(photographs, tmp_path, plan)
    assert first.grams == () and first.fork_step is None
    assert "nothing is said about the anchor" in " ".join(first.conclusion.sentences)
    other = replace(plan, trunk=replace(plan.trunk, seed=1))
    with pytest.raises(InputError, match="another run"):
        laboratory(photographs, tmp_path, other)
    with pytest.raises(InputError, match="seed was 0, is 1"):
        laboratory(photographs, tmp_path, other, resume=True)
    forced = laboratory(photographs, tmp_path, other, force=True)
    assert {s.seed for s in forced.scores} == {1}


def test_what_was_trained_on_is_not_shown(photographs: Path, tmp_path: Path) -> None:
    shown = read_photograph(photographs / "03.png")
    with pytest.raises(InputError, match=r"'03.png' is to be shown and lies in"):
        laboratory(photographs, tmp_path, PLAN, shown=[shown])
    assert not list(tmp_path.iterdir())


def test_a_plan_that_cannot_be_is_refused() -> None:
    with pytest.raises(InputError, match="twice"):
        Plan(seeds=(0, 0))
    with pytest.raises(InputError, match="no arm 'gram-x3'"):
        Plan(arms=("gram-x3",))
    with pytest.raises(InputError, match="at least one seed"):
        Plan(seeds=())
