"""Segments by clicks, and the curve of a simulated user."""

from __future__ import annotations

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.clicks import clicks_curve, segment


def two_parts(noise: float = 0.2) -> tuple[PatchFeatures, np.ndarray]:
    """A square of one kind of patch on a ground of another."""
    rng = np.random.default_rng(0)
    mask = np.zeros((10, 14), bool)
    mask[3:8, 4:11] = True
    kinds = rng.normal(size=(2, 24))
    values = kinds[mask.astype(int)] + noise * rng.normal(size=(10, 14, 24))
    return PatchFeatures.from_array(values.astype(np.float32), image_size=(140, 100)), mask


@pytest.mark.parametrize("how", ["nearest", "linear"])
def test_one_click_of_each_kind_separates_two_kinds_of_patches(how: str) -> None:
    f, mask = two_parts()
    np.testing.assert_array_equal(segment(f, [(0.5, 0.5, True), (0.05, 0.05, False)], how=how), mask)
    np.testing.assert_array_equal(segment(f, [(0.5, 0.5, False), (0.05, 0.05, True)], how=how), ~mask)


def test_a_single_click_is_enough_where_the_photograph_falls_apart() -> None:
    f, mask = two_parts()
    np.testing.assert_array_equal(segment(f, [(0.5, 0.5, True)]), mask)


def test_nearest_is_what_a_loop_says() -> None:
    f, _ = two_parts(noise=2.0)
    inside, outside = [(3, 4), (6, 9)], [(0, 0), (9, 13), (3, 5)]
    clicks = [(*f.grid.centre(*p), True) for p in inside] + [(*f.grid.centre(*p), False) for p in outside]
    found = segment(f, clicks)

    def cosine(a: tuple[int, int], b: tuple[int, int]) -> float:
        u, v = f.values[a].astype(float), f.values[b].astype(float)
        return float(u @ v / np.linalg.norm(u) / np.linalg.norm(v))

    for row in range(10):
        for col in range(14):
            at = (row, col)
            expected = max(cosine(at, p) for p in inside) > max(cosine(at, p) for p in outside)
            assert found[at] == expected


def test_clicked_patches_are_as_clicked_and_the_later_click_counts() -> None:
    f, mask = two_parts()
    found = segment(f, [(0.5, 0.5, True), (0.05, 0.05, True), (0.05, 0.05, False), (0.52, 0.52, True)])
    assert found[0, 0] == False and found[5, 7]  # noqa: E712
    np.testing.assert_array_equal(found, mask)


def test_a_mask_of_pixels_counts_where_most_of_a_patch_belongs() -> None:
    f, mask = two_parts()
    width, height = f.grid.image_size
    rows, cols = np.arange(height) * f.grid.h // height, np.arange(width) * f.grid.w // width
    pixels = mask[rows][:, cols]
    pixels[0, 0] = ~pixels[0, 0]  # one pixel of a patch decides nothing
    ours, known = clicks_curve(f, pixels, n=3), clicks_curve(f, mask, n=3)
    np.testing.assert_array_equal(ours[0], known[0])
    assert ours[1] == known[1] and pixels.shape != mask.shape


def test_the_simulated_user_clicks_deepest_first_and_ends_where_nothing_is_wrong() -> None:
    f, mask = two_parts()
    scores, clicks = clicks_curve(f, mask, n=4)
    assert scores.tolist() == [1.0] * 4 and len(clicks) == 1 and clicks[0][2]
    row, col = f.grid.patch_at(*clicks[0][:2])
    assert row == 5 and 6 <= col <= 8
    noisy, _ = two_parts(noise=1.2)
    first = clicks_curve(noisy, mask, n=12, seed=1)
    again = clicks_curve(noisy, mask, n=12, seed=1)
    assert first[1] == again[1] and first[0][-1] > first[0][0]
    assert {belongs for *_, belongs in first[1]} == {True, False}


def test_what_cannot_be_segmented_is_refused() -> None:
    f, mask = two_parts()
    with pytest.raises(InputError, match="no click says what belongs"):
        segment(f, [(0.5, 0.5, False)])
    with pytest.raises(InputError, match="in \\[0, 1\\]"):
        segment(f, [(1.5, 0.5, True)])
    with pytest.raises(InputError, match="both kinds"):
        segment(f, [(0.5, 0.5, True)], how="linear")
    with pytest.raises(InputError, match="nearest or linear"):
        segment(f, [(0.5, 0.5, True)], how="best")
    with pytest.raises(ShapeError, match="mask"):
        clicks_curve(f, mask[:4])
    with pytest.raises(InputError, match="mask with patches"):
        clicks_curve(f, np.zeros_like(mask))


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_click_that_does_not_say_whether_it_belongs_is_refused_in_words() -> None:
    f, _ = two_parts()
    with pytest.raises(InputError, match="a click is"):
        segment(f, [(0.5, 0.5)])  # type: ignore[list-item]
