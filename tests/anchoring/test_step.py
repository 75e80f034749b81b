from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from dinoscope.anchoring.batches import cut_batch
from dinoscope.anchoring.config import Objective, SecondStage, Settings
from dinoscope.anchoring.network import write_backbone
from dinoscope.anchoring.photographs import PhotographMemory, read_memory
from dinoscope.anchoring.state import State, fresh_state, half_precision, torch_device
from dinoscope.anchoring.step import (
    NotFiniteError,
    anchor_patches,
    learn,
    learning_rate,
    loss_weights,
    teacher_temperature,
)
from dinoscope.errors import InputError
from tests.anchoring.small_runs import small, write_photographs

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def memory(tmp_path_factory: pytest.TempPathFactory) -> PhotographMemory:
    return read_memory(
        write_photographs(tmp_path_factory.mktemp("photographs")), batch=4, crop_px=16, memory_px=32
    )


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("networks") / "anchor"
    write_backbone(fresh_state(small(seed=9), CPU, None).teacher.backbone, folder)
    return folder


def weights(module: torch.nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()]).clone()


def one(memory: PhotographMemory, settings: Settings, state: State, step: int = 1) -> dict[str, float]:
    return learn(state, cut_batch(memory, settings, step), settings, step, half=False)


def test_a_step_moves_the_student_and_a_little_the_teacher(memory: PhotographMemory) -> None:
    settings = small(ema=0.9, warmup=0)
    state = fresh_state(settings, CPU, None)
    before, held = weights(state.student), weights(state.teacher)
    assert torch.equal(before, held)
    losses = one(memory, settings, state)
    moved, followed = weights(state.student) - before, weights(state.teacher) - held
    assert float(moved.abs().max()) > 0
    assert torch.allclose(followed, 0.1 * moved, atol=1e-7)
    assert state.step == 1
    assert losses["loss"] == pytest.approx(
        losses["dino_global"] / 3 + losses["dino_local"] * 2 / 3 + losses["ibot"] + 0.1 * losses["koleo"],
        rel=1e-5,
    )


def test_contrast_is_added_where_it_has_a_weight(memory: PhotographMemory) -> None:
    plain, told = small(warmup=0), small(warmup=0, objective=Objective(contrast=2.0))
    without = one(memory, plain, fresh_state(plain, CPU, None))
    losses = one(memory, told, fresh_state(told, CPU, None))
    added = {name: losses[name] for name in losses if name not in without}
    assert set(added) == {"contrast_global", "contrast_local"}
    shares = 2 * (added["contrast_global"] / 3 + added["contrast_local"] * 2 / 3)
    assert losses["loss"] == pytest.approx(without["loss"] + shares, rel=1e-5)
    assert losses["gradient"] != pytest.approx(without["gradient"], rel=1e-3)


def test_weights_of_the_losses_over_the_second_stage() -> None:
    settings = small(
        objective=Objective(dino=3.0),
        second_stage=SecondStage(start=10, ramp=4, local=0.5, anchor="gram", weight=2.0),
    )
    early, late = loss_weights(settings, 10), loss_weights(settings, 14)
    assert (early["dino_global"], early["dino_local"], early["gram"]) == (1.0, 2.0, 0.0)
    assert (late["dino_global"], late["dino_local"], late["gram"]) == (1.0, 1.0, 2.0)
    assert loss_weights(settings, 12)["gram"] == pytest.approx(1.0)
    assert loss_weights(small(), 5)["dino_local"] == pytest.approx(2 / 3)


def test_the_rate_warms_up_and_stays() -> None:
    settings = small(warmup=4, learning_rate=0.1)
    assert [learning_rate(settings, step) for step in (1, 2, 4, 900)] == pytest.approx(
        [0.025, 0.05, 0.1, 0.1]
    )
    assert learning_rate(small(warmup=0, learning_rate=0.1), 1) == 0.1


def test_the_rate_falls_at_the_end_and_the_temperature_moves() -> None:
    settings = small(warmup=2, learning_rate=0.1, cooldown_start=10, cooldown_steps=4)
    assert [learning_rate(settings, step) for step in (2, 10, 11, 13, 14, 20)] == pytest.approx(
        [0.1, 0.1, 0.08, 0.04, 0.02, 0.02]
    )
    moving = Objective(first_temperature=0.04, teacher_temperature=0.07, temperature_steps=30)
    assert [teacher_temperature(moving, step) for step in (0, 10, 30, 99)] == pytest.approx(
        [0.04, 0.05, 0.07, 0.07]
    )
    assert teacher_temperature(Objective(), 1) == Objective().teacher_temperature


def test_a_step_uses_its_rate_and_its_temperature(memory: PhotographMemory) -> None:
    plain = small(warmup=0, learning_rate=0.01)
    cooled = replace(plain, cooldown_start=0, cooldown_steps=9)
    warm = replace(plain, objective=Objective(first_temperature=0.4, temperature_steps=9))
    states = [fresh_state(settings, CPU, None) for settings in (plain, cooled, warm)]
    start = weights(states[0].student)
    losses = [one(memory, s, state, 9) for s, state in zip((plain, cooled, warm), states, strict=True)]
    assert losses[0] == losses[1] == losses[2]  # the temperature has arrived
    moved = [float((weights(state.student) - start).abs().max()) for state in states]
    assert moved[1] == pytest.approx(moved[0] / 10, rel=0.05)
    early = one(memory, warm, fresh_state(warm, CPU, None), 1)
    assert early["ibot"] != one(memory, plain, fresh_state(plain, CPU, None), 1)["ibot"]


def test_biases_norms_and_tokens_do_not_decay() -> None:
    state = fresh_state(small(weight_decay=0.3), CPU, None)
    decays, stays = state.optimizer.param_groups
    assert (decays["weight_decay"], stays["weight_decay"]) == (0.3, 0.0)
    names = {id(p): name for name, p in state.student.named_parameters()}
    held = {names[id(p)] for p in stays["params"]}
    assert all(
        name.endswith((".bias", "_token", "register_tokens", "lambda1")) or "norm" in name for name in held
    )
    assert len(held) + len(decays["params"]) == len(names)
    assert not any(names[id(p)].endswith((".bias", "_token")) for p in decays["params"])


@pytest.mark.parametrize("kind", ["gram", "feature-mse"])
def test_an_anchor_adds_one_loss_and_never_learns(memory: PhotographMemory, anchor: Path, kind: str) -> None:
    stage = SecondStage(start=0, anchor=kind, weight=4.0, scale=2)  # type: ignore[arg-type]
    settings = small(second_stage=stage)
    plain = fresh_state(settings, CPU, None)
    state = fresh_state(settings, CPU, anchor)
    assert state.anchor is not None
    held = weights(state.anchor)
    without, losses = one(memory, settings, plain), one(memory, settings, state)
    name = kind.replace("-", "_")
    assert set(losses) - set(without) == {name}
    assert {k: losses[k] for k in ("dino_global", "dino_local", "ibot", "koleo")} == {
        k: without[k] for k in ("dino_global", "dino_local", "ibot", "koleo")
    }
    assert losses["loss"] == pytest.approx(without["loss"] + 4.0 * losses[name], rel=1e-5)
    assert torch.equal(weights(state.anchor), held)
    assert not torch.equal(weights(state.student), weights(plain.student))


def test_the_anchor_is_renewed_from_the_average_so_often_and_no_more(
    memory: PhotographMemory, anchor: Path
) -> None:
    settings = small(second_stage=SecondStage(start=0, anchor="gram", update_every=2, max_updates=2))
    state = fresh_state(settings, CPU, anchor)
    assert state.anchor is not None
    held, renewed = weights(state.anchor), []
    for step in range(1, 8):
        one(memory, settings, state, step)
        now = weights(state.anchor)
        if not torch.equal(now, held):
            assert torch.equal(now, weights(state.teacher.backbone))
            renewed.append(step)
        held = now
    assert renewed == [2, 4]
    assert state.n_updates == 2


def test_the_target_is_reduced_before_it_is_normalised(memory: PhotographMemory, anchor: Path) -> None:
    settings = small(second_stage=SecondStage(start=0, anchor="gram", scale=2))
    state = fresh_state(settings, CPU, anchor)
    batch = cut_batch(memory, settings, 1)
    assert state.anchor is not None and batch.clean_crops is not None
    target = anchor_patches(state.anchor, batch, settings.grid)
    assert target.shape == (8, 16, 16)
    fine = state.anchor(batch.clean_crops).last_hidden_state[:, 3:]
    maps = fine.unflatten(1, (8, 8)).permute(0, 3, 1, 2)
    halved = torch.nn.functional.interpolate(maps, size=(4, 4), mode="bicubic", antialias=False)
    assert torch.allclose(target, halved.flatten(2).mT, atol=1e-6)


def test_a_loss_that_is_not_finite_changes_nothing(memory: PhotographMemory) -> None:
    settings = small()
    state = fresh_state(settings, CPU, None)
    with torch.no_grad():
        state.student.ibot_head.prototypes.weight[0, 0] = float("nan")
    before, optimiser = weights(state.teacher), copy.deepcopy(state.optimizer.state_dict())
    with pytest.raises(NotFiniteError) as caught:
        one(memory, settings, state)
    assert caught.value.what == "ibot"
    assert torch.equal(weights(state.teacher), before)
    assert state.optimizer.state_dict() == optimiser
    assert state.step == 0


def test_a_broken_backbone_is_a_loss_not_an_anchors_complaint(memory: PhotographMemory, anchor: Path) -> None:
    settings = small(second_stage=SecondStage(start=0, anchor="gram"))
    state = fresh_state(settings, CPU, anchor)
    with torch.no_grad():
        state.student.backbone.norm.weight[0] = float("inf")
    with pytest.raises(NotFiniteError, match="dino_global"):
        one(memory, settings, state)


def test_bfloat16_forward_passes_keep_losses_close(memory: PhotographMemory, anchor: Path) -> None:
    settings = small(second_stage=SecondStage(start=0, anchor="gram"))
    full = one(memory, settings, fresh_state(settings, CPU, anchor))
    state = fresh_state(settings, CPU, anchor)
    half = learn(state, cut_batch(memory, settings, 1), settings, 1, half=True)
    assert half != full
    for name in full:
        assert half[name] == pytest.approx(full[name], rel=0.1, abs=0.02)
    assert next(state.student.parameters()).dtype == torch.float32


def test_devices() -> None:
    machine = small().machine
    assert torch_device(replace(machine, device="cpu")) == CPU
    assert not half_precision(machine, CPU)
    assert half_precision(replace(machine, precision="bfloat16"), CPU)
    with pytest.raises(InputError, match="use cpu or auto"):
        torch_device(replace(machine, device="meta"))
    with pytest.raises(InputError, match="no device"):
        torch_device(replace(machine, device="gpu7"))
