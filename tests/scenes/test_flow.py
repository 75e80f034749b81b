from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from tests.scenes.reference import drawn, look, project

SIZE = (72, 56)
INDICES = range(6)


def targets(made):
    """Rows and columns in the second view where the first view's valid pixels fall, and those pixels."""
    rows, columns = np.nonzero(made.valid)
    x = columns + 0.5 + made.flow[rows, columns, 0]
    y = rows + 0.5 + made.flow[rows, columns, 1]
    return (rows, columns), (np.floor(y).astype(int), np.floor(x).astype(int))


@pytest.mark.parametrize("index", INDICES)
def test_flow_leads_every_surface_point_to_its_place_in_the_second_view(index):
    made = drawn(3, index, SIZE)
    seen = look(made, made.layout.first)
    w, h = SIZE
    centres = np.stack(np.meshgrid(np.arange(w) + 0.5, np.arange(h) + 0.5), axis=-1)
    expected = project(seen.world, made.layout.second) - centres
    np.testing.assert_allclose(made.scene.flow[seen.clear], expected[seen.clear], atol=1e-4)


@pytest.mark.parametrize("index", INDICES)
def test_valid_is_where_the_same_surface_is_seen_again(index):
    made = drawn(3, index, SIZE)
    here, there = look(made, made.layout.first), look(made, made.layout.second)
    x, y = np.moveaxis(np.floor(project(here.world, made.layout.second)).astype(int), -1, 0)
    inside = (x >= 0) & (x < SIZE[0]) & (y >= 0) & (y < SIZE[1])
    y, x = np.clip(y, 0, SIZE[1] - 1), np.clip(x, 0, SIZE[0] - 1)
    expected = inside & (there.surfaces[y, x] == here.surfaces)
    sure = here.clear & there.clear[y, x]
    np.testing.assert_array_equal(made.scene.valid[sure], expected[sure])
    assert 0.7 < made.scene.valid.mean() < 1
    assert (inside & ~expected).any()  # something is hidden, not only out of the frame


@pytest.mark.parametrize("index", INDICES)
def test_instances_warped_by_the_flow_are_the_first_views(index):
    made = drawn(3, index, SIZE).scene
    first, second = targets(made)
    np.testing.assert_array_equal(made.second.instances[second], made.first.instances[first])


@pytest.mark.parametrize("index", INDICES)
def test_colours_agree_along_the_flow_and_nowhere_else_near(index):
    made = drawn(3, index, SIZE).scene
    inner = np.zeros(made.valid.shape, bool)
    for number in np.unique(made.first.instances):
        inner |= ndimage.binary_erosion(made.first.instances == number, iterations=4)
    inner &= made.valid
    # A pixel's width of blur: linear interpolation cannot bring back detail of one pixel.
    first, second = (
        ndimage.gaussian_filter(view.image / 255, (1, 1, 0)) for view in (made.first, made.second)
    )
    rows, columns = np.nonzero(inner)
    dx, dy = made.flow[inner].T

    def error(x, y):
        at = rows + dy + y, columns + dx + x
        warped = [ndimage.map_coordinates(second[..., c], at, order=1) for c in range(3)]
        return np.abs(np.stack(warped, -1) - first[inner]).mean()

    assert error(0, 0) < 0.012
    assert error(0, 0) < 0.8 * min(error(x, y) for x, y in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)))


def sideways(layout):
    return replace(layout, second=replace(layout.first, position=(0.15, 0.0, 0.0)))


def nowhere(layout):
    return replace(layout, second=layout.first)


@pytest.mark.parametrize("index", [0, 1])
def test_a_sideways_step_moves_everything_by_the_focal_length_over_its_depth(index):
    made = drawn(3, index, SIZE, sideways)
    assert made.layout.first.focal_px == pytest.approx(1.15 * min(SIZE))
    disparity = 1.15 * min(SIZE) * 0.15 / made.scene.first.depth
    np.testing.assert_allclose(made.scene.flow[..., 0], -disparity, rtol=1e-4)
    np.testing.assert_allclose(made.scene.flow[..., 1], 0, atol=1e-5)


def test_a_camera_that_stays_sees_the_same_and_nothing_flows():
    made = drawn(3, 0, SIZE, nowhere).scene
    np.testing.assert_allclose(made.flow, 0, atol=1e-5)
    assert made.valid.mean() > 0.999
    np.testing.assert_array_equal(made.second.image, made.first.image)
    np.testing.assert_array_equal(made.second.parts, made.first.parts)
