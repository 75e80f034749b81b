from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dinoscope.anchoring.arms import ARMS, Branch, Recipe, arm_settings, run_arm
from dinoscope.anchoring.batches import cut_batch
from dinoscope.anchoring.config import SecondStage
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.forward import every_token
from dinoscope.anchoring.network import read_backbone
from dinoscope.anchoring.photographs import read_memory
from dinoscope.anchoring.step import anchor_patches
from dinoscope.anchoring.train import Progress, run
from dinoscope.errors import InputError
from dinoscope.maths.gram_loss import gram_loss
from tests.anchoring.small_runs import NETWORK, small, write_photographs

TRUNK = small(steps=20, learning_rate=3e-3, checkpoint_every=10, snapshot_every=4, keep_checkpoints=0)
GRAM = Branch("gram-x1")
RECIPE = Recipe(steps=16, weight=40.0, ramp=4, update_every=0)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module", params=[0, 1, 2])
def trunk(
    request: pytest.FixtureRequest, photographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    return run(replace(TRUNK, seed=request.param), photographs, tmp_path_factory.mktemp("trunk") / "run")


def logged(folder: RunFolder) -> list[dict[str, float]]:
    return [json.loads(line) for line in folder.losses.read_text().splitlines()]


def distance(folder: Path, teacher: Path, photographs: Path, scale: int) -> float:
    """Gram loss of a network to the frozen teacher on crops that no run has seen."""
    settings = replace(TRUNK, second_stage=SecondStage(start=20, anchor="gram", scale=scale))
    memory = read_memory(photographs, batch=4, crop_px=16, memory_px=32)
    network, held = read_backbone(folder, NETWORK), read_backbone(teacher, NETWORK)
    total = 0.0
    for step in range(1000, 1006):
        batch = cut_batch(memory, settings, step)
        with torch.no_grad():
            assert batch.clean_crops is not None
            small_crops = torch.nn.functional.avg_pool2d(batch.clean_crops, scale)
            total += float(
                gram_loss(every_token(network, small_crops).patches, anchor_patches(held, batch, 4))
            )
    return total / 6


def test_the_gram_arms_stay_closer_to_their_teacher(
    trunk: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    arms = {
        arm: run_arm(trunk.path, photographs, tmp_path / arm, Branch(arm), RECIPE)
        for arm in ("continue", "gram-x1", "gram-x2")
    }
    teacher = trunk.snapshot(4)
    for arm, scale in (("gram-x1", 1), ("gram-x2", 2)):
        free = distance(arms["continue"].teacher, teacher, photographs, scale)
        held = distance(arms[arm].teacher, teacher, photographs, scale)
        assert held < 0.8 * free


def test_arms_share_everything_until_they_differ(photographs: Path, tmp_path: Path) -> None:
    trunk = run(TRUNK, photographs, tmp_path / "trunk")
    told: list[int] = []

    def tell(progress: Progress) -> None:
        told.append(progress.step)

    recipe = replace(RECIPE, steps=4, ramp=2)
    arms = {
        arm: run_arm(trunk.path, photographs, tmp_path / arm, Branch(arm), recipe, on_step=tell)
        for arm in ARMS
    }
    assert told == [21, 22, 23, 24] * len(ARMS)
    common = ("dino_global", "dino_local", "ibot", "koleo")
    first = {arm: tuple(logged(folder)[0][name] for name in common) for arm, folder in arms.items()}
    assert len(set(first.values())) == 1
    last = {arm: tuple(logged(folder)[-1][name] for name in common) for arm, folder in arms.items()}
    assert len(set(last.values())) == len(ARMS)
    assert all("gram" in line for line in logged(arms["gram-x2"]))
    assert all("feature_mse" in line for line in logged(arms["feature-mse"]))
    longer = run(replace(TRUNK, steps=24), photographs, tmp_path / "trunk", resume=True)
    assert logged(longer)[20:] == logged(arms["continue"])


def test_an_interrupted_arm_with_a_renewed_teacher_resumes_exactly(photographs: Path, tmp_path: Path) -> None:
    trunk = run(replace(TRUNK, steps=8, checkpoint_every=4), photographs, tmp_path / "trunk")
    recipe = Recipe(steps=9, weight=5.0, ramp=2, update_every=2, max_updates=3)

    def stop(progress: Progress) -> None:
        if progress.step == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_arm(trunk.path, photographs, tmp_path / "cut", GRAM, recipe, on_step=stop)
    cut = run_arm(trunk.path, photographs, tmp_path / "cut", GRAM, recipe, resume=True)
    straight = run_arm(trunk.path, photographs, tmp_path / "straight", GRAM, recipe)
    assert cut.losses.read_bytes() == straight.losses.read_bytes()
    never = replace(recipe, update_every=0)
    still = run_arm(trunk.path, photographs, tmp_path / "still", GRAM, never)
    assert still.losses.read_bytes() != straight.losses.read_bytes()


def test_the_papers_values_are_scaled_to_the_trunk() -> None:
    settings = arm_settings(small(), 10_000, "gram-x2", Recipe(steps=500), teacher_step=2000)
    assert settings.steps == 10_500
    assert settings.second_stage == SecondStage(
        start=10_000,
        ramp=10,
        local=1.0,
        anchor="gram",
        weight=2.0,
        scale=2,
        teacher_step=2000,
        update_every=100,
        max_updates=3,
    )


def test_each_arm_differs_from_continue_in_one_thing() -> None:
    stages = {
        arm: arm_settings(small(), 1000, arm, Recipe(steps=9), teacher_step=200).second_stage for arm in ARMS
    }
    plain = stages["continue"]
    assert plain is not None and plain.anchor == "none" and plain.local == 1.0
    assert stages["local-half"] == replace(plain, local=0.5)
    anchored = [stages[arm] for arm in ("gram-x1", "gram-x2", "feature-mse")]
    assert [(s.anchor, s.scale, s.local) for s in anchored if s is not None] == [
        ("gram", 1, 1.0),
        ("gram", 2, 1.0),
        ("feature-mse", 2, 1.0),
    ]


def test_what_is_not_there_is_said(photographs: Path, tmp_path: Path) -> None:
    trunk = run(small(), photographs, tmp_path / "trunk")
    arm = tmp_path / "arm"
    with pytest.raises(InputError, match="no arm 'gram-x3'"):
        run_arm(trunk.path, photographs, arm, Branch("gram-x3"), RECIPE)
    with pytest.raises(InputError, match="no checkpoint of step 2"):
        run_arm(trunk.path, photographs, arm, Branch("gram-x1", step=2), RECIPE)
    with pytest.raises(InputError, match=r"no snapshot of step 3; there are \[2, 4, 6\]"):
        run_arm(trunk.path, photographs, arm, GRAM, replace(RECIPE, teacher_step=3))
    with pytest.raises(InputError, match="no checkpoint"):
        run_arm(tmp_path / "nowhere", photographs, arm, GRAM, RECIPE)
