from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dinoscope.anchoring.losses import (
    contrast_loss,
    dino_loss,
    feature_mse,
    ibot_loss,
    koleo_loss,
    sinkhorn,
)
from dinoscope.errors import ShapeError
from dinoscope.maths.gram_loss import gram_loss


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def test_sinkhorn_agrees_with_the_plain_algorithm() -> None:
    logits = 0.2 * numbers(12, 5)
    table = np.exp(logits.double().numpy() / 0.04)
    for _ in range(3):
        table = table / table.sum(axis=0, keepdims=True)
        table = table / table.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(sinkhorn(logits, 0.04, 3).numpy(), table, rtol=1e-4, atol=1e-7)


def test_sinkhorn_balances_the_prototypes() -> None:
    logits = 0.1 * numbers(40, 5) + torch.tensor([0.5, 0.0, 0.0, 0.0, 0.0])
    assigned = sinkhorn(logits, 0.05, 30)
    assert torch.allclose(assigned.sum(dim=1), torch.ones(40), atol=1e-5)
    assert torch.allclose(assigned.sum(dim=0), torch.full((5,), 8.0), atol=1e-2)
    softmax = (logits / 0.05).softmax(dim=1)
    assert float(softmax[:, 0].mean()) > 0.9  # unbalanced without it


def test_sinkhorn_survives_a_tiny_temperature() -> None:
    assigned = sinkhorn(100 * numbers(6, 4), 1e-3)
    assert bool(torch.isfinite(assigned).all())
    assert torch.allclose(assigned.sum(dim=1), torch.ones(6), atol=1e-4)


@pytest.mark.parametrize("skip_same", [True, False])
def test_dino_loss_agrees_with_a_loop(skip_same: bool) -> None:
    student, teacher = numbers(2, 3, 7), numbers(2, 3, 7, seed=1).softmax(dim=-1)
    terms = []
    for i in range(2):
        for j in range(2):
            if skip_same and i == j:
                continue
            for row in range(3):
                logits = student[i, row].double().numpy() / 0.1
                logs = logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()
                terms.append(-(teacher[j, row].double().numpy() * logs).sum())
    found = dino_loss(student, teacher, temperature=0.1, skip_same=skip_same)
    assert float(found) == pytest.approx(np.mean(terms), rel=1e-5)


def test_uniform_guesses_cost_the_log_of_the_prototypes() -> None:
    teacher = numbers(2, 4, 256).softmax(dim=-1)
    flat = torch.zeros(2, 4, 256)
    assert float(dino_loss(flat, teacher, temperature=0.1, skip_same=True)) == pytest.approx(math.log(256))
    masks = torch.tensor([[True, True, False], [False, False, False], [True, False, False]])
    found = ibot_loss(torch.zeros(3, 256), numbers(3, 256).softmax(dim=-1), masks, temperature=0.1)
    assert float(found) == pytest.approx(math.log(256))


def test_ibot_loss_counts_crops_alike_whatever_their_block() -> None:
    masks = torch.tensor([[True, True, True, False], [False] * 4, [False, False, True, False]])
    student, teacher = numbers(4, 6), numbers(4, 6, seed=1).softmax(dim=-1)
    each = -(teacher * F.log_softmax(student / 0.1, dim=-1)).sum(dim=-1).double()
    expected = (each[:3].mean() + each[3]) / 2
    assert float(ibot_loss(student, teacher, masks, temperature=0.1)) == pytest.approx(
        float(expected), rel=1e-5
    )
    with pytest.raises(ShapeError):
        ibot_loss(student[:3], teacher[:3], masks, temperature=0.1)
    with pytest.raises(ShapeError):
        ibot_loss(student[:0], teacher[:0], torch.zeros_like(masks), temperature=0.1)


@pytest.mark.parametrize("skip_same", [False, True])
def test_contrast_agrees_with_a_loop_over_every_pair_of_crops(skip_same: bool) -> None:
    student = F.normalize(numbers(3, 4, 6), dim=-1)
    teacher = F.normalize(numbers(2, 4, 6, seed=1), dim=-1)
    pairs = []
    for s, t in product(range(3), range(2)):
        if skip_same and s == t:
            continue
        scores = np.exp(student[s].numpy() @ teacher[t].numpy().T / 0.2)
        pairs.append(-np.log(np.diag(scores) / scores.sum(axis=1)).mean())
    found = contrast_loss(student, teacher, temperature=0.2, skip_same=skip_same)
    assert float(found) == pytest.approx(np.mean(pairs), rel=1e-5)


def test_contrast_is_small_for_directions_of_their_own_and_ln_b_for_one_that_all_share() -> None:
    apart, alike = torch.eye(5)[None], torch.ones(1, 5, 5) / math.sqrt(5)
    assert float(contrast_loss(apart, apart, temperature=0.05, skip_same=False)) < 1e-6
    told = float(contrast_loss(alike, alike, temperature=0.05, skip_same=False))
    assert told == pytest.approx(math.log(5), rel=1e-5)
    with pytest.raises(ShapeError):
        contrast_loss(apart, apart, temperature=0.05, skip_same=True)


def test_koleo_agrees_with_a_loop_and_falls_as_vectors_spread() -> None:
    vectors = numbers(6, 4)
    unit = (vectors / vectors.norm(dim=1, keepdim=True)).double().numpy()
    nearest = [min(np.linalg.norm(unit[i] - unit[j]) for j in range(6) if j != i) for i in range(6)]
    assert float(koleo_loss(vectors)) == pytest.approx(-np.mean(np.log(nearest)), rel=1e-4)
    assert float(koleo_loss(3 * vectors)) == pytest.approx(float(koleo_loss(vectors)), rel=1e-5)
    spread, close = torch.eye(4), torch.ones(4, 4) + 0.1 * torch.eye(4)
    assert float(koleo_loss(spread)) < float(koleo_loss(close))
    opposite = torch.tensor([[1.0, 0.0], [-3.0, 0.0]])  # no vector is its own neighbour
    assert float(koleo_loss(opposite)) == pytest.approx(-math.log(2), rel=1e-5)
    with pytest.raises(ShapeError):
        koleo_loss(vectors[:1])


def test_koleo_of_equal_vectors_has_a_finite_gradient() -> None:
    vectors = torch.ones(4, 3, requires_grad=True)
    koleo_loss(vectors).backward()
    assert vectors.grad is not None
    assert bool(torch.isfinite(vectors.grad).all())


def test_feature_mse_sees_a_rotation_that_the_gram_loss_does_not() -> None:
    patches = numbers(2, 9, 4)
    rotation, _ = torch.linalg.qr(numbers(4, 4, seed=5))
    cosines = F.cosine_similarity(patches, patches @ rotation, dim=-1)
    assert float(feature_mse(patches, patches @ rotation)) == pytest.approx(
        2 - 2 * float(cosines.mean()), rel=1e-5
    )
    assert float(gram_loss(patches, patches @ rotation)) < 1e-10
    assert float(feature_mse(patches, 7 * patches)) < 1e-10
    with pytest.raises(ShapeError):
        feature_mse(patches, patches[:, :8])
