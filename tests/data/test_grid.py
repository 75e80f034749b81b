from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinoscope.data.grid import MAX_PATCHES, PatchGrid
from dinoscope.errors import InputError

sides = st.integers(1, 4000)
grids = st.builds(
    PatchGrid,
    h=st.integers(1, 90),
    w=st.integers(1, 90),
    patch_size=st.just(16),
    image_size=st.tuples(sides, sides),
)


@given(grids, st.data())
def test_a_patch_contains_its_own_centre(grid: PatchGrid, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, grid.h - 1))
    col = data.draw(st.integers(0, grid.w - 1))
    assert grid.patch_at(*grid.centre(row, col)) == (row, col)


@given(grids, st.data())
def test_a_pixel_lies_in_the_patch_that_covers_its_centre(grid: PatchGrid, data: st.DataObject) -> None:
    width, height = grid.image_size
    px = data.draw(st.integers(0, width - 1))
    py = data.draw(st.integers(0, height - 1))
    row, col = grid.patch_at_pixel(px, py)
    assert Fraction(col * width, grid.w) <= Fraction(2 * px + 1, 2) < Fraction((col + 1) * width, grid.w)
    assert Fraction(row * height, grid.h) <= Fraction(2 * py + 1, 2) < Fraction((row + 1) * height, grid.h)


@given(grids)
def test_boxes_tile_the_photograph(grid: PatchGrid) -> None:
    width, height = grid.image_size
    row = [grid.box(0, col) for col in range(grid.w)]
    column = [grid.box(r, 0) for r in range(grid.h)]
    assert row[0][0] == 0 and row[-1][2] == width
    assert column[0][1] == 0 and column[-1][3] == height
    assert all(a[2] == b[0] for a, b in pairwise(row))
    assert all(a[3] == b[1] for a, b in pairwise(column))


@given(st.tuples(sides, sides), st.integers(1, 12))
def test_the_short_side_gets_the_grid_and_the_long_side_the_nearest_whole_patch(
    size: tuple[int, int], n: int
) -> None:
    width, height = size
    if n * n * max(size) > MAX_PATCHES * min(size) // 2:
        return
    grid = PatchGrid.fit(size, 16, grid=n)
    short, long = (grid.h, grid.w) if height <= width else (grid.w, grid.h)
    assert short == n
    assert abs(long - Fraction(n * max(size), min(size))) <= Fraction(1, 2)


def test_equal_grids_need_unequal_pixels() -> None:
    assert PatchGrid.fit((640, 480), 14, grid=32).input_size[0] == 448
    assert PatchGrid.fit((640, 480), 16, grid=32).input_size[0] == 512
    assert PatchGrid.fit((640, 480), 14, grid=32).shape == PatchGrid.fit((640, 480), 16, grid=32).shape


@pytest.mark.parametrize(("size_px", "rows"), [(512, 32), (519, 32), (520, 33), (1, 1)])
def test_a_size_in_pixels_is_rounded_to_whole_patches(size_px: int, rows: int) -> None:
    assert PatchGrid.fit((100, 100), 16, size_px=size_px).shape == (rows, rows)


def test_an_exact_grid_is_taken_as_it_is() -> None:
    grid = PatchGrid.fit((200, 100), 16, grid=(7, 9))
    assert grid.shape == (7, 9)
    assert grid.anisotropy == pytest.approx((9 / 200) / (7 / 100))


def test_the_far_edges_belong_to_the_last_patch() -> None:
    grid = PatchGrid(3, 5, 16, (50, 30))
    assert grid.patch_at(1.0, 1.0) == (2, 4)
    assert grid.patch_at(0.0, 0.0) == (0, 0)
    assert grid.patch_at(0.2, 1 / 3) == (1, 1)


@pytest.mark.parametrize("place", [(-0.01, 0.5), (0.5, 1.01), (float("nan"), 0.5)])
def test_a_place_outside_is_refused(place: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"\[0, 1\]"):
        PatchGrid(3, 3, 16, (48, 48)).patch_at(*place)


def test_a_patch_or_pixel_that_does_not_exist_is_refused() -> None:
    grid = PatchGrid(3, 3, 16, (48, 48))
    with pytest.raises(InputError, match="no patch"):
        grid.box(3, 0)
    with pytest.raises(InputError, match="no patch"):
        grid.centre(0, -1)
    with pytest.raises(InputError, match="no pixel"):
        grid.patch_at_pixel(48, 0)


@pytest.mark.parametrize(
    "asked", [{"grid": 0}, {"grid": (0, 3)}, {"size_px": 0}, {}, {"grid": 4, "size_px": 64}, {"grid": 10_000}]
)
def test_impossible_grids_are_refused(asked: dict[str, object]) -> None:
    with pytest.raises(InputError):
        PatchGrid.fit((640, 480), 16, **asked)  # type: ignore[arg-type]
