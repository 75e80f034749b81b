from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.stats import ortho_group

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.align import align_colours


def scores(seed: int, n: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, 3)) * (3.0, 2.0, 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_rotated_or_reflected_copy_is_brought_back(seed: int) -> None:
    reference = scores(seed)
    turn = ortho_group.rvs(3, random_state=seed)
    alignment = align_colours(reference @ turn, reference, reference_name="a")
    np.testing.assert_allclose(reference @ turn @ alignment.rotation, reference, atol=1e-9)
    assert alignment.residual == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(alignment.rotation @ alignment.rotation.T, np.eye(3), atol=1e-12)


def test_no_other_rotation_does_better() -> None:
    reference, other = scores(1), scores(1) @ ortho_group.rvs(3, random_state=2) + scores(3)
    best = align_colours(other, reference).rotation
    least = ((reference - other @ best) ** 2).sum()
    for seed in range(200):
        turn = ortho_group.rvs(3, random_state=seed)
        assert ((reference - other @ turn) ** 2).sum() >= least - 1e-9


def test_the_residual_is_that_of_scipy_and_reaches_one_for_unrelated_maps() -> None:
    rng = np.random.default_rng(0)
    reference, other = rng.standard_normal((2, 500, 3))
    for mixed in (other, reference + other, reference + 0.1 * other, 7 * reference):
        a, b = reference - reference.mean(0), mixed - mixed.mean(0)
        assert align_colours(b, a).residual == pytest.approx(procrustes(a, b)[2], abs=1e-9)
    assert align_colours(other, reference).residual > 0.98


@pytest.mark.usefixtures("unchecked_shapes")
def test_what_cannot_be_aligned_is_refused() -> None:
    with pytest.raises(ShapeError):
        align_colours(scores(0, 10), scores(0, 11))
    with pytest.raises(InputError, match="variance"):
        align_colours(scores(0), np.zeros((200, 3)))
