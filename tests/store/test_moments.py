from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.pca import PatchMoments, merge_moments, patch_moments
from dinoscope.store.moments import SAMPLE, MomentsSum, read_moments, smaller_sample, write_moments

DIM = 5


def parts(count: int = 12, patches: int = 300) -> list[PatchMoments]:
    rng = np.random.default_rng(0)
    return [
        smaller_sample(patch_moments((i + rng.normal(size=(patches, DIM))).astype(np.float32)))
        for i in range(count)
    ]


def test_a_sum_is_the_moments_of_all_photographs_together() -> None:
    total, whole = MomentsSum(), parts()[0]
    for part in parts():
        total.add(part)
    for part in parts()[1:]:
        whole = merge_moments(whole, part)
    found = total.value()
    assert found.n == whole.n == 3600
    np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(found.scatter, whole.scatter, rtol=1e-12)
    smallest = np.sort(np.concatenate(whole.keys))[:SAMPLE]
    np.testing.assert_array_equal(found.keys[0], smallest)
    assert found.sample[0].shape == (SAMPLE, DIM)


@pytest.mark.parametrize("cut", [1, 5, 11])
def test_a_sum_that_was_written_and_read_goes_on_with_the_same_bits(tmp_path: Path, cut: int) -> None:
    straight, first = MomentsSum(), MomentsSum()
    for part in parts():
        straight.add(part)
    for part in parts()[:cut]:
        first.add(part)
    write_moments(tmp_path, "all", 0, first.value())
    second = MomentsSum(read_moments(tmp_path, "all", 0))
    for part in parts()[cut:]:
        second.add(part)
    for name in ("n", "mean", "scatter", "sample", "keys"):
        np.testing.assert_array_equal(getattr(second.value(), name), getattr(straight.value(), name))


def test_what_is_added_is_not_changed() -> None:
    first, second = parts(2)
    before = first.scatter.copy(), first.mean.copy()
    total = MomentsSum()
    total.add(first)
    total.add(second)
    np.testing.assert_array_equal(first.scatter, before[0])
    np.testing.assert_array_equal(first.mean, before[1])


def test_nothing_and_other_channels_are_refused() -> None:
    total = MomentsSum()
    with pytest.raises(InputError, match="at least one row"):
        total.value()
    total.add(parts(1)[0])
    with pytest.raises(ShapeError, match="dim=5"):
        total.add(patch_moments(np.ones((3, 4), np.float32)))
