"""Laws of grids and maths, for whatever hypothesis thinks of.

The tests run some examples of each, the same everywhere; ``python -m benchmarks.fuzz --only laws`` drives
them with mutated bytes, as many as wished.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dinoscope.data.grid import PatchGrid
from dinoscope.maths.align import align_colours
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.intervals import mean_interval, paired_difference
from dinoscope.maths.masks import label_counts, patch_labels
from dinoscope.maths.patches import unit
from dinoscope.maths.pca import merge_moments, patch_moments, pca_of_moments, to_rgb
from dinoscope.maths.pooling import gem_pool, mean_pool, weighted_pool
from dinoscope.maths.ranking import top_k
from dinoscope.maths.resample import area_average
from dinoscope.maths.smoothness import smoothness
from dinoscope.maths.upsample import upsampled

LARGEST = 1e4
"""Of the values that are tried; features of real models stay below some hundreds."""

SMALLEST = 1e-4
"""Of those that are not 0."""


def _numbers(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Arrays of float32 without tiny values, whose squares float32 does not hold."""
    single = st.floats(-LARGEST, LARGEST, width=32).map(lambda v: v if abs(v) >= SMALLEST else 0.0)
    return arrays(np.float32, shape, elements=single)


@st.composite
def _rows(draw: st.DrawFn, least: int = 1, channels: int | None = None) -> np.ndarray:
    n, dim = draw(st.integers(least, 12)), channels or draw(st.integers(1, 6))
    return draw(_numbers(n, dim))


@st.composite
def _maps(draw: st.DrawFn) -> np.ndarray:
    return draw(_numbers(draw(st.integers(1, 5)), draw(st.integers(1, 5)), draw(st.integers(1, 4))))


@st.composite
def _grids(draw: st.DrawFn) -> PatchGrid:
    size = draw(st.tuples(st.integers(1, 60_000), st.integers(1, 60_000)))
    shape = draw(st.tuples(st.integers(1, 700), st.integers(1, 700)))
    return PatchGrid.fit(size, draw(st.integers(1, 64)), grid=shape)


_SHARES = st.floats(0.0, 1.0)


@given(
    size=st.tuples(st.integers(1, 4000), st.integers(1, 4000)),
    patch=st.integers(1, 64),
    side=st.integers(1, 16),
)
def a_grid_keeps_the_aspect(size: tuple[int, int], patch: int, side: int) -> None:
    """The short side is as asked for, the long one the nearest whole number."""
    grid = PatchGrid.fit(size, patch, grid=side)
    assert min(grid.shape) == side
    wanted = side * max(size) / min(size)
    assert abs(max(grid.shape) - wanted) <= 0.5 + 1e-9 * wanted
    assert (grid.w >= grid.h) == (size[0] >= size[1]) or grid.w == grid.h
    assert grid.input_size == (grid.h * patch, grid.w * patch)
    turned = PatchGrid.fit(size[::-1], patch, grid=side)
    assert turned.shape == grid.shape[::-1]


@given(grid=_grids(), x=_SHARES, y=_SHARES)
def a_place_lies_in_its_patch(grid: PatchGrid, x: float, y: float) -> None:
    """The footprint of the patch at a place holds it; its centre leads back to it."""
    row, col = grid.patch_at(x, y)
    left, top, right, bottom = grid.box(row, col)
    width, height = grid.image_size
    assert left - 1e-6 <= x * width <= right + 1e-6
    assert top - 1e-6 <= y * height <= bottom + 1e-6
    assert grid.patch_at(*grid.centre(row, col)) == (row, col)
    assert right <= width * (1 + 1e-12)
    assert bottom <= height * (1 + 1e-12)


@given(grid=_grids(), x=_SHARES, y=_SHARES)
def a_pixel_belongs_to_the_patch_at_its_centre(grid: PatchGrid, x: float, y: float) -> None:
    """In whole numbers and in floating point, but for the width of an edge."""
    width, height = grid.image_size
    px, py = min(int(x * width), width - 1), min(int(y * height), height - 1)
    row, col = grid.patch_at_pixel(px, py)
    left, top, right, bottom = grid.box(row, col)
    assert left - 1e-6 <= px + 0.5 <= right + 1e-6
    assert top - 1e-6 <= py + 0.5 <= bottom + 1e-6


@given(
    labels=arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(-1, 3)),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def every_pixel_votes_once(labels: np.ndarray, shape: tuple[int, int]) -> None:
    """Counts of labels add up to the pixels; purities are shares; a label of a patch is among its pixels'."""
    grid = PatchGrid.fit(labels.shape[::-1], 14, grid=shape)
    known, counts = label_counts(labels, grid)
    assert counts.sum() == labels.size
    assert list(known) == sorted(set(labels.ravel()))
    found = patch_labels(labels, grid)
    assert np.all((found.purity >= 0) & (found.purity <= 1))
    assert set(found.labels.ravel()) <= {*labels.ravel(), -1}


@given(values=_maps(), shape=st.tuples(st.integers(1, 9), st.integers(1, 9)))
def an_average_keeps_the_mean(values: np.ndarray, shape: tuple[int, int]) -> None:
    """And stays between the extremes; on its own grid a map stays as it is."""
    found = area_average(values, shape)
    assert found.shape == (*shape, values.shape[2])
    near = 1e-9 * (1 + float(np.abs(values).max()))
    wide = values.astype(np.float64)
    assert np.allclose(found.mean((0, 1)), wide.mean((0, 1)), rtol=0, atol=near)
    assert np.all(found >= wide.min((0, 1)) - near)
    assert np.all(found <= wide.max((0, 1)) + near)
    assert np.allclose(area_average(values, wide.shape[:2]), wide, rtol=0, atol=near)


@given(values=_maps(), more=st.tuples(st.integers(0, 6), st.integers(0, 6)))
def a_finer_map_stays_between_the_extremes(values: np.ndarray, more: tuple[int, int]) -> None:
    """Bilinearly, and by the nearest, which makes no new values."""
    size = (values.shape[0] + more[0], values.shape[1] + more[1])
    near = 1e-5 * (1 + float(np.abs(values).max()))
    smooth = upsampled(values, size)
    assert np.all(smooth >= values.min((0, 1)) - near)
    assert np.all(smooth <= values.max((0, 1)) + near)
    assert set(upsampled(values, size, "nearest").ravel()) <= set(values.ravel())
    for how in ("nearest", "bilinear"):
        same = upsampled(values, values.shape[:2], how)
        assert np.allclose(same, values, rtol=0, atol=near)


@given(rows=_rows())
def directions_have_length_one(rows: np.ndarray) -> None:
    """But for a vector without length, which stays 0; a direction is its own direction."""
    wide = rows.astype(np.float64)
    found = unit(wide)
    lengths = np.linalg.norm(found, axis=1)
    some = np.any(wide != 0, axis=1)
    assert np.allclose(lengths[some], 1.0, rtol=0, atol=1e-12)
    assert np.all(lengths[~some] == 0)
    assert np.allclose(unit(found), found, rtol=0, atol=1e-12)


@given(rows=_rows(), data=st.data())
def pools_stay_between_the_extremes(rows: np.ndarray, data: st.DataObject) -> None:
    """Whatever the weights; equal ones, and none, give the mean."""
    near = 1e-6 * (1 + float(np.abs(rows).max()))
    weights = data.draw(arrays(np.float64, len(rows), elements=st.floats(0, 1e6)))
    pooled = weighted_pool(rows, weights)
    assert np.all(pooled >= rows.min(0) - near)
    assert np.all(pooled <= rows.max(0) + near)
    for even in (0.0, 0.5, 7.0):
        same = weighted_pool(rows, np.full(len(rows), even))
        assert np.allclose(same, mean_pool(rows), rtol=0, atol=near)
    general = gem_pool(rows)
    assert np.all(general <= np.maximum(rows.max(0), 1e-6) + near)
    assert np.all(general >= 1e-6 * (1 - 1e-9))


@given(rows=_rows(least=3), data=st.data())
def moments_merge_in_any_order(rows: np.ndarray, data: st.DataObject) -> None:
    """And as if all patches had come at once, to the precision of products in float32."""
    cut = data.draw(st.integers(1, len(rows) - 1))
    first, second, whole = (patch_moments(part) for part in (rows[:cut], rows[cut:], rows))
    near = 1e-6 * (1 + float(np.abs(rows).max()) ** 2) * len(rows)
    for merged in (merge_moments(first, second), merge_moments(second, first)):
        assert merged.n == whole.n
        assert np.allclose(merged.mean, whole.mean, rtol=0, atol=near)
        assert np.allclose(merged.scatter, whole.scatter, rtol=0, atol=near)


@given(rows=_rows(least=4, channels=3))
def components_are_a_frame_and_colours_lie_in_their_range(rows: np.ndarray) -> None:
    """Orthonormal, by falling variance, of which the shares add up to 1 at most."""
    found = pca_of_moments(patch_moments(rows), 3)
    assert np.allclose(found.components @ found.components.T, np.eye(3), rtol=0, atol=1e-6)
    assert np.all(np.diff(found.explained_variance) <= 1e-6 * (1 + found.explained_variance[0]))
    shares = found.explained_variance_ratio
    assert np.all(np.isnan(shares)) or (np.all(shares >= -1e-9) and shares.sum() <= 1 + 1e-6)
    scores = ((rows - found.mean) @ found.components.T)[None]
    colours = to_rgb(scores, limits=np.stack([scores[0].min(0), scores[0].max(0)], axis=1))
    assert np.all((colours >= 0) & (colours <= 1))


@given(rows=_rows(), data=st.data())
def gram_distances_are_distances(rows: np.ndarray, data: st.DataObject) -> None:
    """0 to itself, the same both ways, between 0 and 4; turning features changes nothing."""
    other = data.draw(_numbers(len(rows), data.draw(st.integers(1, 6))))
    there, back = gram_distance(rows, other), gram_distance(other, rows)
    assert gram_distance(rows, rows) == 0.0
    assert 0.0 <= there <= 4.0
    assert abs(there - back) <= 1e-9 * (1 + there)
    order = data.draw(st.permutations(range(rows.shape[1])))
    signs = data.draw(arrays(np.float32, rows.shape[1], elements=st.sampled_from([-1.0, 1.0])))
    assert gram_distance(rows, rows[:, order] * signs) <= 1e-12


@given(rows=_rows(channels=4), queries=_rows(channels=4), k=st.integers(1, 15))
def a_ranking_is_that_of_all_cosines(rows: np.ndarray, queries: np.ndarray, k: int) -> None:
    """Sorted one by one, in float64."""
    found = top_k(queries, rows, k)
    cosines = unit(queries.astype(np.float64)) @ unit(rows.astype(np.float64)).T
    best = -np.sort(-cosines, axis=1)[:, : min(k, len(rows))]
    assert np.allclose(found.scores, best, rtol=0, atol=1e-9)
    for ranked in found.indices:
        assert len(set(ranked)) == len(ranked)
        assert all(0 <= place < len(rows) for place in ranked)


@given(values=_maps(), scale=st.sampled_from([0.25, 4.0, 64.0]))
def smoothness_is_of_directions(values: np.ndarray, scale: float) -> None:
    """Cosines lie in [-1, 1], whatever the scale; mirrored, a map is as smooth as before."""
    found = smoothness(values)
    if values.shape[0] * values.shape[1] < 2:
        assert np.isnan([found.neighbour, found.random_pair, found.locality]).all()
        return
    assert abs(found.neighbour) <= 1 + 1e-9
    assert abs(found.random_pair) <= 1 + 1e-9
    for other in (smoothness(values * np.float32(scale)), smoothness(values[::-1, ::-1])):
        assert abs(other.neighbour - found.neighbour) < 1e-9
        assert abs(other.random_pair - found.random_pair) < 1e-9


@given(scores=_rows(least=3, channels=3), data=st.data())
def aligned_colours_are_turned_alone(scores: np.ndarray, data: st.DataObject) -> None:
    """An orthogonal matrix, at least as near as doing nothing; what was turned is turned back."""
    if not scores.any():
        return
    wide = scores.astype(np.float64)
    order = data.draw(st.permutations(range(3)))
    signs = data.draw(arrays(np.float64, 3, elements=st.sampled_from([-1.0, 1.0])))
    found = align_colours(wide, wide[:, order] * signs)
    assert np.allclose(found.rotation @ found.rotation.T, np.eye(3), rtol=0, atol=1e-9)
    assert 0.0 <= found.residual < 1e-9
    near = 1e-6 * (1 + float(np.abs(wide).max()))
    assert np.allclose(wide @ found.rotation, wide[:, order] * signs, rtol=0, atol=near)


@given(values=_numbers(5), other=_numbers(5))
def intervals_hold_their_means(values: np.ndarray, other: np.ndarray) -> None:
    """A difference the other way round is the negative one."""
    found = mean_interval(values)
    assert found.low <= found.mean <= found.high
    assert found.n == 5
    there, back = paired_difference(values, other), paired_difference(other, values)
    assert there.interval.mean == -back.interval.mean
    assert there.interval.low == -back.interval.high


LAWS: Mapping[str, Callable[[], None]] = {
    name: law for name, law in vars().copy().items() if hasattr(law, "is_hypothesis_test")
}
"""By name; called without arguments, each runs its examples."""


def fuzzed(data: bytes) -> None:
    """One example of one law, both read off the bytes."""
    laws = list(LAWS.values())
    laws[data[0] % len(laws) if data else 0].hypothesis.fuzz_one_input(data[1:])  # type: ignore[attr-defined]
