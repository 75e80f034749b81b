"""Gram matrices against an independent form, in the order said."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from dinoscope.comparison.figures import gram_values
from dinoscope.comparison.figures.gram import plot_gram
from dinoscope.comparison.report.sections.gram import borders, sections
from dinoscope.data.results import Comparison
from dinoscope.drawing.style import cosine_colours, difference_colours
from dinoscope.errors import GridMismatchError, InputError, ShapeError
from tests.samples import HOSTILE, comparison


@pytest.fixture(scope="module")
def sample() -> Comparison:
    return comparison()


def gram(made: Comparison, photograph: int, model: int) -> np.ndarray:
    rows = made.features[photograph][model].values.astype(np.float64)
    rows = rows.reshape(-1, rows.shape[2])
    rows = rows / np.sqrt((rows**2).sum(axis=1))[:, None]
    return np.array([[float(np.dot(a, b)) for b in rows] for a in rows])


def with_fields(made: Comparison, first: np.ndarray, second: np.ndarray) -> Comparison:
    """The same comparison with these features of its first photograph."""
    row = []
    for old, values in zip(made.features[0], (first, second), strict=True):
        grid = replace(old.grid, h=values.shape[0], w=values.shape[1])
        row.append(replace(old, values=values.astype(np.float32), grid=grid))
    return replace(made, features=(tuple(row), *made.features[1:]))


def matrices(figure: Figure) -> list[np.ndarray]:
    found = [image for axes in figure.axes for image in axes.images]
    return [np.asarray(image.get_array()) for image in found if image.get_array().ndim == 2]


def said(figure: Figure) -> str:
    return " ".join(t.get_text() for t in figure.findobj(Text)).replace("\n", " ")


def test_matrices_are_all_cosines_and_the_third_is_their_difference(sample: Comparison) -> None:
    first, second = gram(sample, 1, 0), gram(sample, 1, 1)
    figure = plot_gram(sample, 1)
    shown = matrices(figure)
    for drawn, expected in zip(shown, (first, second, second - first), strict=True):
        np.testing.assert_allclose(drawn, expected, atol=1e-6)
    limits = [image.get_clim() for axes in figure.axes for image in axes.images][-3:]
    assert limits[:2] == [(-1.0, 1.0), (-1.0, 1.0)]
    assert limits[2][0] == -limits[2][1] and limits[2][1] >= np.abs(second - first).max()
    distance = ((second - first) ** 2).mean()
    assert f"{distance:.4g}" in said(figure)
    for words in ("first-model", "second-model", "second minus first", "one fixed scale", "its own scale"):
        assert words in said(figure)


def test_regions_order_the_rows_of_every_matrix_alike(sample: Comparison) -> None:
    h, w = sample.features[0][0].grid.shape
    regions = np.arange(h * w).reshape(h, w) % 3
    order = np.argsort(regions.ravel(), kind="stable")
    shown = matrices(plot_gram(sample, order="superpixels", regions=regions))
    for drawn, expected in zip(shown, (gram(sample, 0, 0), gram(sample, 0, 1)), strict=False):
        np.testing.assert_allclose(drawn, expected[order][:, order], atol=1e-6)
    own = plot_gram(sample, order="superpixels")
    np.testing.assert_allclose(
        np.sort(matrices(own)[0].ravel()), np.sort(gram(sample, 0, 0).ravel()), atol=1e-6
    )
    assert any(line.get_gid() == "regions" for line in own.axes[0].lines)
    assert "by region (of like colour" in said(own)


def test_large_grids_are_means_over_blocks_and_say_so(
    sample: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gram_values, "MOST_DRAWN", 12)
    h, w = sample.features[0][0].grid.shape
    figure = plot_gram(sample)
    blocks = (np.arange(h)[:, None] // 2) * -(-w // 2) + np.arange(w)[None] // 2
    whole = gram(sample, 0, 0)
    members = [np.flatnonzero(blocks.ravel() == k) for k in range(blocks.max() + 1)]
    expected = [[whole[np.ix_(a, b)].mean() for b in members] for a in members]
    np.testing.assert_allclose(matrices(figure)[0], expected, atol=1e-6)
    assert "means over blocks of 2×2 patches" in said(figure)
    assert f"{((whole - gram(sample, 0, 1)) ** 2).mean():.4g}" in said(figure)


def test_what_cannot_be_drawn_is_refused(sample: Comparison) -> None:
    with pytest.raises(InputError, match="two models"):
        plot_gram(comparison(["a.png"], ("only",)))
    with pytest.raises(InputError, match="no photograph 3"):
        plot_gram(sample, 3)
    with pytest.raises(ShapeError, match="regions"):
        plot_gram(sample, order="superpixels", regions=np.zeros((2, 2), dtype=int))
    rng = np.random.default_rng(0)
    with pytest.raises(GridMismatchError):
        plot_gram(with_fields(sample, rng.standard_normal((3, 4, 8)), rng.standard_normal((3, 5, 8))))


def test_a_collapsed_map_and_a_hostile_name_are_drawn() -> None:
    flat = np.ones((4, 5, 6))
    figure = plot_gram(with_fields(comparison([HOSTILE[1]]), flat, -flat))
    np.testing.assert_allclose(matrices(figure)[0], 1.0)
    np.testing.assert_allclose(matrices(figure)[2], 0.0, atol=1e-6)
    assert "$x^2$" in said(figure)
    figure.canvas.draw()


def test_the_report_shows_the_same_matrices_in_the_colours_of_all_cosine_maps(sample: Comparison) -> None:
    (section,) = sections(sample)
    uris = re.findall(r'<img src="data:image/jpeg;base64,([^"]+)" width="512"', section.body)
    assert len(uris) == 3 * len(sample.photographs)
    colours, scale = cosine_colours()
    for j in (0, 1):
        with Image.open(io.BytesIO(base64.b64decode(uris[3 + j]))) as image:
            shown = np.asarray(image.convert("RGB")).astype(float)
        expected = matrices(plot_gram(sample, 1, order="superpixels"))[j]
        middles = ((np.arange(len(expected)) + 0.5) * 512 / len(expected)).astype(int)
        wanted = np.asarray(colours(scale(expected)))[..., :3] * 255
        assert np.abs(shown[np.ix_(middles, middles)] - wanted).mean() < 4
    assert "Gram distance" in section.body and "second minus first" in section.body


def test_regions_are_outlined_between_unlike_patches() -> None:
    assert borders(np.array([[0, 0, 1], [2, 2, 2]])) == "M2 0v1M0 1h1M1 1h1M2 1h1"


def test_figures_and_pages_are_darkest_at_0(sample: Comparison) -> None:
    drawn = [image for axes in plot_gram(sample).axes for image in axes.images if image.get_array().ndim == 2]
    for image, (colours, _) in zip(
        drawn[:3], (cosine_colours(), cosine_colours(), difference_colours(1.0)), strict=True
    ):
        places = np.linspace(0, 1, 256)
        np.testing.assert_array_equal(image.cmap(places), colours(places))
        light = image.cmap(places)[:, :3].sum(axis=1)
        assert image.norm.vmin == -image.norm.vmax and abs(int(light.argmin()) - 127.5) < 1
        assert (np.diff(light[128:]) > -0.02).all() and (np.diff(light[:128]) < 0.02).all()
