from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import dinoscope as ds
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from tests.training.small_models import dinov3, pixels

GRID = (4, 6)


def patches_of(model: Any, images: Tensor) -> Tensor:
    return model(images).last_hidden_state[:, 3:]


def dense(student: Tensor, teacher: Tensor, negatives: str) -> Tensor:
    """The official loss, entry by entry, in float64."""
    s, t = F.normalize(student.double(), dim=-1), F.normalize(teacher.double(), dim=-1)
    mine, theirs = s @ s.mT, t @ t.mT
    if negatives == "drop":
        mine, theirs = mine.clamp_min(0), theirs.clamp_min(0)
    elif negatives == "drop-teacher":
        mine = mine.masked_fill((mine < 0) & (theirs < 0), 0.0)
        theirs = theirs.clamp_min(0)
    return F.mse_loss(mine, theirs)


def anchor_of(teacher: Any, **options: Any) -> ds.GramAnchor:
    return ds.GramAnchor(teacher, **({"start": 0, "ramp": 0} | options))


@pytest.mark.parametrize("negatives", ["keep", "drop", "drop-teacher"])
@pytest.mark.parametrize("scale", [1, 2])
def test_it_is_the_weighted_loss_to_the_reduced_teacher(scale: int, negatives: Any) -> None:
    teacher, student = dinov3(1).double(), dinov3(2).double()
    images = pixels().double()
    fine = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    anchor = anchor_of(teacher, weight=1.5, scale=scale, negatives=negatives)
    ours = patches_of(student, images).detach().requires_grad_()
    found = anchor(ours, fine, step=1)
    found.backward()
    target = patches_of(teacher, fine).detach().unflatten(1, (scale * 4, scale * 6)).permute(0, 3, 1, 2)
    target = F.interpolate(target, size=GRID, mode="bicubic").flatten(2).mT
    theirs = ours.detach().clone().requires_grad_()
    want = 1.5 * dense(theirs, target, negatives)
    want.backward()
    assert found.item() == pytest.approx(want.item(), rel=1e-6, abs=0) and want.item() > 1e-4
    assert ours.grad is not None and theirs.grad is not None
    assert (ours.grad - theirs.grad).norm() < 1e-6 * theirs.grad.norm()


def test_small_images_are_enlarged_for_the_teacher() -> None:
    teacher = dinov3(1)
    images = pixels()
    large = F.interpolate(images, size=(32, 48), mode="bicubic", antialias=True)
    student = patches_of(dinov3(2), images).detach()
    assert torch.equal(
        anchor_of(teacher)(student, images, step=1), anchor_of(teacher)(student, large, step=1)
    )


def test_patch_sizes_and_channels_may_differ() -> None:
    """Patches of 7 pixels for the teacher, of 4 for the student: Grams compare."""
    teacher = dinov3(1, patch=7, dim=24)
    student = patches_of(dinov3(2), pixels()).detach()
    found = anchor_of(teacher)(student, pixels(), step=1)
    seen = F.interpolate(pixels(), size=(56, 84), mode="bicubic", antialias=True)
    target = patches_of(teacher, seen).unflatten(1, (8, 12)).permute(0, 3, 1, 2)
    target = F.interpolate(target, size=GRID, mode="bicubic").flatten(2).mT
    assert found.item() == pytest.approx(2 * dense(student, target, "keep").item(), rel=1e-5)


def test_a_backbone_of_ours_can_be_the_teacher() -> None:
    mini = ds.load_backbone("mini")
    side = mini.spec.patch_size
    images = pixels(1, 4 * side, 6 * side)
    anchor = anchor_of(mini, scale=1)
    assert anchor(mini.forward(images).patches[mini.spec.depth - 1], images, step=1).item() < 1e-12
    assert anchor.state_dict().keys() == {"_extra_state"}
    with pytest.raises(InputError, match="new anchor"):
        anchor.refresh(dinov3())


def test_the_weight_rises_along_half_a_cosine() -> None:
    anchor = ds.GramAnchor(dinov3(), weight=3.0, start=10, ramp=4)
    assert [anchor.weight_at(step) for step in (0, 10, 14, 999)] == [0.0, 0.0, 3.0, 3.0]
    assert anchor.weight_at(12) == pytest.approx(1.5)
    assert anchor.weight_at(11) == pytest.approx(3 * (1 - math.cos(math.pi / 4)) / 2)
    student = patches_of(dinov3(2), pixels()).detach()
    values = [anchor(student, pixels(), step=step).item() for step in (0, 10, 12, 14)]
    assert values[0] == values[1] == 0.0 and values[2] == pytest.approx(values[3] / 2) != 0


class Counted(nn.Module):
    """How often it was asked."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.calls = inner, [0]

    def __deepcopy__(self, memo: dict[int, Any]) -> Counted:
        copied = Counted(copy.deepcopy(self.inner, memo))
        copied.calls = self.calls
        return copied

    def forward(self, images: Tensor) -> Tensor:
        self.calls[0] += 1
        return patches_of(self.inner, images)


def test_weight_0_asks_nobody_and_touches_no_gradient() -> None:
    teacher = Counted(dinov3())
    student = patches_of(dinov3(2), pixels()).detach().requires_grad_()
    loss = anchor_of(teacher, weight=0)(student, pixels(), step=5)
    assert loss.item() == 0.0 and not loss.requires_grad and teacher.calls == [0]


def test_before_its_start_the_teacher_is_tried_once() -> None:
    teacher = Counted(dinov3())
    student = patches_of(dinov3(2), pixels(height=32, width=48)).detach()
    anchor = anchor_of(teacher, start=100, scale=1)
    for step in range(5):
        assert anchor(student, pixels(height=32, width=48), step=step).item() == 0.0
    assert teacher.calls == [1]
    with pytest.raises(InputError, match="no patch tokens"):
        anchor_of(nn.Flatten(), start=100)(student, pixels(height=32, width=48), step=0)


def test_the_teacher_is_the_model_of_then() -> None:
    model = dinov3(1)
    student = patches_of(dinov3(2), pixels()).detach()
    anchor = anchor_of(model)
    before = anchor(student, pixels(), step=1)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    assert torch.equal(anchor(student, pixels(), step=2), before)
    anchor.refresh(model)
    assert not torch.equal(anchor(student, pixels(), step=3), before)
    assert torch.equal(anchor(student, pixels(), step=3), anchor_of(model)(student, pixels(), step=3))


def test_new_teachers_come_at_their_steps_and_no_more_than_so_many() -> None:
    live = nn.Conv2d(3, 4, 4, 4)

    def as_patches(x: Tensor) -> Tensor:
        return x.flatten(2).mT

    model = nn.Sequential(live, nn.Flatten(2))
    model.append(Transposed())
    anchor = anchor_of(model, start=10, refresh_every=5, max_refreshes=2)
    student = torch.randn(2, 24, 4)
    held, steps = [], [9, 14, 15, 15, 16, 21, 29, 40]
    for step in steps:
        with torch.no_grad():
            live.bias.fill_(step)
        anchor(student, pixels(), step=step)
        held.append(float(anchor.teacher[0].bias[0]))  # type: ignore[index]
    assert held[0] == held[1] not in steps and held[2:] == [15, 15, 15, 21, 21, 21]
    assert anchor.n_refreshes == 2


class Transposed(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mT


def test_a_resumed_anchor_is_the_same() -> None:
    model = dinov3(1)
    anchor = anchor_of(model, refresh_every=5)
    student = patches_of(dinov3(2), pixels()).detach()
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    want = anchor(student, pixels(), step=6)
    fresh = anchor_of(dinov3(7), refresh_every=5)
    fresh.load_state_dict(copy.deepcopy(anchor.state_dict()))
    assert (fresh.n_refreshes, fresh.last_step) == (1, 6)
    assert torch.equal(fresh(student, pixels(), step=6), want)
    with pytest.raises(InputError, match="step 5 after step 6"):
        fresh(student, pixels(), step=5)


def test_the_teacher_never_trains() -> None:
    anchor = anchor_of(dinov3())
    anchor.train()
    assert anchor.training and not anchor.teacher.training  # type: ignore[union-attr]
    assert not any(p.requires_grad for p in anchor.parameters())


def test_under_autocast_the_loss_stays_single_precision() -> None:
    teacher, student = dinov3(1), dinov3(2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        patches = patches_of(student, pixels())
        loss = anchor_of(teacher)(patches, pixels(), step=1)
    loss.backward()
    exact = anchor_of(teacher)(patches_of(student, pixels()), pixels(), step=1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.05)
    assert all(torch.isfinite(p.grad).all() for p in student.parameters() if p.grad is not None)


def gradients(model: Any, loss: Tensor) -> list[Tensor]:
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters() if p.grad is not None]


def test_gradient_checkpointing_changes_no_gradient() -> None:
    student, anchor = dinov3(2), anchor_of(dinov3(1))
    want = gradients(student, anchor(patches_of(student, pixels()), pixels(), step=1))

    def run(x: Tensor) -> Tensor:
        return patches_of(student, x)

    for reentrant in (False, True):
        images = pixels().requires_grad_()
        patches = checkpoint(run, images, use_reentrant=reentrant)
        found = gradients(student, anchor(patches, pixels(), step=1))
        for a, b in zip(found, want, strict=True):
            assert torch.equal(a, b)


# What torch's own compiler looks at where it hands a tensor back to Python.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
def test_a_compiled_step_has_the_same_gradients() -> None:
    student, anchor = dinov3(2), anchor_of(dinov3(1))

    def loss(x: Tensor, step: int) -> Tensor:
        return anchor(patches_of(student, x), x, step=step) * 2

    want = gradients(student, loss(pixels(), 1))
    compiled = torch.compile(loss, backend="aot_eager")
    for step in (1, 2):
        for a, b in zip(gradients(student, compiled(pixels(), step)), want, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"weight": -1}, "weight must be 0 or more"),
        ({"weight": math.nan}, "weight must be 0 or more"),
        ({"scale": 0.5}, "scale must be 1 or more"),
        ({"start": -1}, "start must not be negative"),
        ({"ramp": -1}, "ramp must not be negative"),
        ({"refresh_every": 0}, "refresh_every must be 1 or more"),
        ({"max_refreshes": -1}, "max_refreshes is negative"),
        ({"negatives": "clip"}, "keep, drop, drop-teacher, not 'clip'"),
    ],
)
def test_what_cannot_be_asked(options: dict[str, Any], said: str, unchecked_shapes: None) -> None:
    with pytest.raises(InputError, match=said):
        ds.GramAnchor(dinov3(), **options)


def test_a_function_cannot_be_refreshed() -> None:
    with pytest.raises(InputError, match="must be a torch module"):
        ds.GramAnchor(lambda x: x, refresh_every=10)


def test_another_architecture_cannot_be_taken() -> None:
    with pytest.raises(InputError, match=r"not of one architecture: embeddings\.cls_token"):
        anchor_of(dinov3()).refresh(dinov3(dim=32))


def test_a_teacher_with_a_grid_of_its_own_says_which_images_fit() -> None:
    def fixed(x: Tensor) -> Tensor:
        return patches_of(dinov3(), F.interpolate(x, size=(16, 24)))

    student = patches_of(dinov3(2), pixels()).detach()
    with pytest.raises(GridMismatchError, match=r"32x48 pixels; at scale 2 .*fits a student's grid of 2 x 3"):
        anchor_of(fixed)(student, pixels(), step=1)
    assert anchor_of(fixed, scale=1)(student, pixels(), step=1).item() > 0


def test_a_scale_that_cuts_patches_is_refused() -> None:
    student = patches_of(dinov3(2), pixels(height=20, width=20)).detach()
    with pytest.raises(InputError, match="3/2 times a grid of 5x5"):
        anchor_of(dinov3(), scale=1.5)(student, pixels(height=20, width=20), step=1)
    wide = patches_of(dinov3(2), pixels()).detach()
    assert anchor_of(dinov3(), scale=1.5)(wide, pixels(), step=1).item() > 0


def test_other_photographs_than_patches_are_refused(unchecked_shapes: None) -> None:
    student = patches_of(dinov3(2), pixels()).detach()
    anchor = anchor_of(dinov3())
    for patches, images, said in [
        (student, pixels(3), "images: expected shape"),
        (student, pixels(height=16, width=16), "over 16x16 pixels"),
        (student.unflatten(1, (4, 6)), pixels(height=16, width=16), "other proportions"),
        (student[:, :, 0], pixels(), "student_patches"),
    ]:
        with pytest.raises((ShapeError, InputError), match=said):
            anchor(patches, images, step=1)


def test_nan_is_named_on_either_side() -> None:
    student = patches_of(dinov3(2), pixels()).detach()
    broken = dinov3(1)
    with torch.no_grad():
        broken.norm.weight[0] = math.nan
    with pytest.raises(InputError, match="teacher holds NaN"):
        anchor_of(broken)(student, pixels(), step=1)
    student[0, 0, 0] = math.nan
    with pytest.raises(InputError, match="student holds NaN"):
        anchor_of(dinov3(1))(student, pixels(), step=1)
