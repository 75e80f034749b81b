from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths import gram_loss as loss_module
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.gram_loss import gram_loss

PARITY = load_file(str(Path(__file__).parents[1] / "data/parity/gram_loss.safetensors"))
CASES = ("far", "near", "wide")


def dense(student, teacher, clip=False, dtype=torch.float64):
    s, t = F.normalize(student.to(dtype), dim=-1), F.normalize(teacher.to(dtype), dim=-1)
    mine, theirs = s @ s.mT, t @ t.mT
    if clip == "teacher":  # entry by entry, as the words say it
        mine = torch.where((mine < 0) & (theirs < 0), torch.zeros_like(mine), mine)
        theirs = torch.where(theirs < 0, torch.zeros_like(theirs), theirs)
    elif clip:
        mine, theirs = mine.relu(), theirs.relu()
    return F.mse_loss(mine, theirs)


def patches(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def rotation(dim, seed=0):
    return torch.linalg.qr(patches(dim, dim, seed=seed, dtype=torch.float64))[0]


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_official_loss(case):
    student, teacher = PARITY[f"{case}/student"], PARITY[f"{case}/teacher"]
    kept, clipped = gram_loss(student, teacher), gram_loss(student, teacher, clip_negatives=True)
    assert kept.shape == () and kept.dtype == torch.float32
    assert kept.item() == pytest.approx(PARITY[f"{case}/loss"].item(), rel=2e-5, abs=0)
    assert kept.item() == pytest.approx(PARITY[f"{case}/loss_float64"].item(), rel=1e-6, abs=0)
    assert clipped.item() == pytest.approx(PARITY[f"{case}/loss_clipped"].item(), rel=2e-5, abs=0)
    assert clipped.item() == pytest.approx(dense(student, teacher, clip=True).item(), rel=1e-6, abs=0)


@pytest.mark.parametrize("clip", [False, True, "teacher"])
@pytest.mark.parametrize("case", CASES)
def test_its_gradient_is_that_of_the_dense_form(case, clip):
    ours, teacher = PARITY[f"{case}/student"].clone().requires_grad_(), PARITY[f"{case}/teacher"]
    theirs = PARITY[f"{case}/student"].double().requires_grad_()
    gram_loss(ours, teacher, clip).backward()
    dense(theirs, teacher, clip).backward()
    assert (ours.grad - theirs.grad).norm() < 1e-4 * theirs.grad.norm()


@pytest.mark.parametrize("clip", [False, True, "teacher"])
@pytest.mark.parametrize("case", CASES)
def test_in_double_precision_it_is_the_dense_form_to_a_millionth(case, clip):
    ours, teacher = PARITY[f"{case}/student"].double().requires_grad_(), PARITY[f"{case}/teacher"].double()
    theirs = ours.detach().clone().requires_grad_()
    found, want = gram_loss(ours, teacher, clip), dense(theirs, teacher, clip)
    found.backward()
    want.backward()
    assert found.item() == pytest.approx(want.item(), rel=1e-6, abs=0)
    if not clip:
        assert found.item() == pytest.approx(PARITY[f"{case}/loss_float64"].item(), rel=1e-6, abs=0)
    assert (ours.grad - theirs.grad).norm() < 1e-6 * theirs.grad.norm()


def test_another_way_of_clipping_is_refused(unchecked_shapes):
    with pytest.raises(InputError, match="clip_negatives"):
        gram_loss(patches(1, 5, 4), patches(1, 5, 4), "student")


@pytest.mark.parametrize("clip", [False, True, "teacher"])
@pytest.mark.parametrize(("n", "dims"), [(40, (6, 6)), (40, (5, 7)), (9, (7, 8))])
def test_both_sides_are_differentiable_whatever_the_shapes(n, dims, clip, monkeypatch):
    monkeypatch.setattr(loss_module, "ROWS", 16)  # several blocks, the last one smaller
    student = patches(2, n, dims[0], seed=1, dtype=torch.float64).requires_grad_()
    teacher = patches(2, n, dims[1], seed=2, dtype=torch.float64).requires_grad_()
    got = torch.autograd.grad(3 * gram_loss(student, teacher, clip), (student, teacher))
    want = torch.autograd.grad(3 * dense(student, teacher, clip), (student, teacher))
    for a, b in zip(got, want, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-15)


def test_different_channels_agree_with_the_dense_form():
    student, teacher = patches(2, 300, 24), patches(2, 300, 40, seed=1)
    assert gram_loss(student, teacher).item() == pytest.approx(dense(student, teacher).item(), rel=1e-6)


def test_a_rotated_teacher_cancels_nothing_but_the_loss():
    """Same Gram up to a small planted change, features far apart: the plain identity loses every digit."""
    teacher = patches(1, 400, 24, dtype=torch.float64)
    changed = teacher + 1e-9 * patches(1, 400, 24, seed=1, dtype=torch.float64)
    want = dense(changed, teacher).item()
    assert 0 < want < 1e-17
    student = (changed @ rotation(24)).requires_grad_()
    loss = gram_loss(student, teacher)
    assert loss.item() == pytest.approx(want, rel=1e-5, abs=0)
    loss.backward()
    reference = changed.clone().requires_grad_()
    dense(reference, teacher).backward()
    expected = reference.grad @ rotation(24)
    assert (student.grad - expected).norm() < 1e-4 * expected.norm()


def test_single_precision_falls_back_where_its_digits_are_gone():
    teacher = patches(1, 400, 24)
    student = ((teacher + 1e-2 * patches(1, 400, 24, seed=1)).double() @ rotation(24)).float()
    want = dense(student, teacher).item()
    assert gram_loss(student, teacher).item() == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("clip", [False, True, "teacher"])
def test_bfloat16_and_autocast_lose_nothing_beyond_the_input(clip):
    student, teacher = patches(1, 200, 16).bfloat16().requires_grad_(), patches(1, 200, 16, seed=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = gram_loss(student, teacher, clip)
        loss.backward()
    assert loss.item() == pytest.approx(dense(student, teacher, clip).item(), rel=1e-6)
    assert student.grad.dtype == torch.bfloat16
    reference = student.detach().double().requires_grad_()
    dense(reference, teacher, clip).backward()
    assert (student.grad - reference.grad).norm() < 1e-2 * reference.grad.norm()


class LargestTensor(TorchDispatchMode):
    entries = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for value in out if isinstance(out, tuple | list) else (out,):
            if isinstance(value, torch.Tensor):
                self.entries = max(self.entries, value.numel())
        return out


@pytest.mark.parametrize("clip", [False, True, "teacher"])
def test_no_gram_matrix_is_ever_held(clip, monkeypatch):
    monkeypatch.setattr(loss_module, "ROWS", 50)
    n, dim = 500, 12
    student, teacher = patches(1, n, dim).requires_grad_(), patches(1, n, dim, seed=1)
    with LargestTensor() as seen:
        gram_loss(student, teacher, clip).backward()
    assert student.grad is not None
    assert n * dim <= seen.entries < n * n / 20


@pytest.mark.parametrize("clip", [False, True, "teacher"])
def test_it_is_zero_for_the_same_and_blind_to_scale_and_rotation(clip):
    student, teacher = patches(2, 90, 12), patches(2, 90, 12, seed=1)
    assert gram_loss(student, student, clip).item() == 0.0
    base = gram_loss(student, teacher, clip).item()
    turned = (student.double() @ rotation(12, seed=5)).float() * 37.0
    assert gram_loss(turned, teacher, clip).item() == pytest.approx(base, rel=1e-5)
    if clip != "teacher":
        assert gram_loss(teacher, student, clip).item() == pytest.approx(base, rel=1e-6)


def test_a_zero_patch_is_a_zero_vector_as_in_the_official_code():
    student, teacher = patches(1, 50, 8), patches(1, 50, 8, seed=1)
    student[0, 3] = 0.0
    teacher[0, 7] = 0.0
    for clip in (False, True, "teacher"):
        assert gram_loss(student, teacher, clip).item() == pytest.approx(
            dense(student, teacher, clip).item(), rel=1e-6
        )


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_broken_values_are_named(bad):
    broken = patches(1, 5, 4)
    broken[0, 2, 1] = bad
    with pytest.raises(InputError, match="teacher holds NaN or infinite"):
        gram_loss(patches(1, 5, 4), broken)
    with pytest.raises(InputError, match="NaN or infinite"):
        gram_distance(broken[0], patches(5, 4))


def test_different_places_are_refused():
    with pytest.raises(ShapeError):
        gram_distance(patches(5, 4), patches(6, 4))
    with pytest.raises(GridMismatchError):
        gram_distance(patches(2, 3, 4), patches(3, 2, 4))
    with pytest.raises(ShapeError):
        gram_distance(patches(4), patches(4))


@pytest.mark.parametrize(("n", "dims"), [(64, (16, 16)), (64, (8, 24)), (20, (32, 48)), (1, (3, 3))])
def test_the_distance_is_the_mean_squared_gap_of_cosine_grams(n, dims):
    f, g = patches(n, dims[0]), patches(n, dims[1], seed=1)
    assert gram_distance(f, g) == pytest.approx(dense(f[None], g[None]).item(), rel=1e-12, abs=1e-30)


def test_the_distance_reads_feature_maps_of_any_kind():
    f, g = patches(6, 5, 8).numpy(), patches(6, 5, 3, seed=1).numpy()
    wrapped = PatchFeatures.from_array(f, image_size=(50, 60))
    want = gram_distance(f.reshape(30, 8), g.reshape(30, 3))
    assert gram_distance(wrapped, torch.from_numpy(g)) == want
    assert gram_distance(wrapped, wrapped) == 0.0


def test_the_distance_of_a_rotated_map_is_rounding_noise():
    f = patches(500, 16, dtype=torch.float64)
    assert gram_distance(f, f @ rotation(16) * 5) < 1e-25


def test_a_smoother_map_is_further_from_white_noise():
    noise = np.random.default_rng(0).normal(size=(100, 8))
    mean = noise.mean(axis=0) + 3.0
    distances = [gram_distance(noise, noise + k * mean) for k in (0.0, 0.3, 1.0, 3.0)]
    assert distances == sorted(distances) and distances[0] == 0.0 < distances[1]
