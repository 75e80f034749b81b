from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Match
from dinoscope.retrieval.figures.match import SHOWN_LINKS, TOGETHER, bunches, plot_match

GRIDS = ((6, 9), (12, 5))


def photograph(size: tuple[int, int], name: str, seed: int) -> Photograph:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Photograph(name, str(seed) * 64, size, pixels)


def match(rng: np.random.Generator, n_pairs: int = 12, *, exact: bool = True) -> Match:
    shares = [rng.normal(0.01, 0.02, grid) for grid in GRIDS]
    pairs = tuple(
        (
            (int(rng.integers(6)), int(rng.integers(9))),
            (int(rng.integers(12)), int(rng.integers(5))),
        )
        for _ in range(n_pairs)
    )
    return Match(-0.25, *shares, pairs, tuple(sorted(rng.random(n_pairs))[::-1]), "mean", "none", exact)


def drawn(found: Match) -> Figure:
    return plot_match(found, photograph((90, 60), "$a$ <b>", 1), photograph((50, 120), "hit", 2))


def apart(pair: object, other: object) -> int:
    return int(np.abs(np.subtract(pair, other)).max())


@pytest.mark.parametrize("seed", range(5))
def test_bunches_hold_every_pair_once_with_the_strongest_first(seed: int) -> None:
    pairs = match(np.random.default_rng(seed)).pairs
    found = bunches(pairs)
    assert sorted(pair for bunch in found for pair in bunch) == sorted(pairs)
    heads = [bunch[0] for bunch in found]
    assert [pairs.index(head) for head in heads] == sorted(pairs.index(head) for head in heads)
    assert all(apart(bunch[0], pair) <= TOGETHER for bunch in found for pair in bunch)
    assert all(apart(a, b) > TOGETHER for i, a in enumerate(heads) for b in heads[:i])


def test_a_narrow_figure_has_the_same_panels_in_one_column() -> None:
    found = match(np.random.default_rng(0))
    query, hit = photograph((90, 60), "a", 1), photograph((50, 120), "hit", 2)
    wide, narrow = plot_match(found, query, hit), plot_match(found, query, hit, narrow=True)
    assert narrow.get_size_inches()[0] < 0.7 * wide.get_size_inches()[0]
    assert narrow.get_size_inches()[1] > wide.get_size_inches()[1]
    shown = [[axes.images[0].get_array() for axes in f.axes if axes.images] for f in (wide, narrow)]
    assert len(shown[0]) == len(shown[1])
    for one, other in zip(*shown, strict=True):
        np.testing.assert_array_equal(one, other)
    boxes = [axes.get_position() for axes in narrow.axes]
    assert all(box.x0 >= 0 and box.x1 <= 1 and box.y0 >= 0 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("seed", range(3))
def test_maps_are_shares_times_patches_on_one_scale_around_zero(seed: int) -> None:
    found = match(np.random.default_rng(seed))
    figure = drawn(found)
    maps = [axes.images[0] for axes in figure.axes if axes.images and axes.images[0].get_array().ndim == 2]
    limit = max(np.abs(found.query).max() * 54, np.abs(found.hit).max() * 60)
    for image, shares in zip(maps, (found.query, found.hit), strict=True):
        np.testing.assert_allclose(image.get_array(), shares * shares.size)
        assert image.get_clim() == pytest.approx((-limit, limit))
    words = " ".join(text.get_text() for text in figure.texts)
    assert "cosine −0.250" in words and "number of patches (no unit)" in words


@pytest.mark.parametrize("seed", range(5))
def test_links_are_cased_and_numbers_hide_neither_patches_nor_each_other(seed: int) -> None:
    found = match(np.random.default_rng(seed))
    figure = drawn(found)
    n = min(len(bunches(found.pairs)), SHOWN_LINKS)
    links = [artist for artist in figure.artists if isinstance(artist, ConnectionPatch)]
    assert len(links) == 2 * n
    for casing, link in zip(links[::2], links[1::2], strict=True):
        assert casing.get_edgecolor()[:3] == (1, 1, 1) and casing.get_linewidth() > 2 * link.get_linewidth()
        assert (casing.xy1, casing.xy2) == (link.xy1, link.xy2)
    numbers = [text for text in figure.texts if text.get_text().isdigit()]
    assert [text.get_text() for text in numbers] == [str(i) for i in range(1, n + 1)] * 2
    assert all(text.get_fontsize() >= 8 for text in numbers)
    renderer = figure.canvas.get_renderer()
    for axes, own in zip(figure.axes[::2], (numbers[:n], numbers[n:]), strict=False):
        frame = axes.get_window_extent()
        outlines = [patch.get_window_extent() for patch in axes.patches]
        places = [text.get_window_extent(renderer) for text in own]
        for i, place in enumerate(places):
            middle = ((place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2)
            assert frame.contains(*middle)
            assert not any(outline.contains(*middle) for outline in outlines)
            assert not any(place.overlaps(other) for other in places[:i])


def test_an_approximation_says_so_and_a_match_without_pairs_is_drawn() -> None:
    rng = np.random.default_rng(0)
    words = {
        exact: " ".join(text.get_text() for text in drawn(match(rng, 0, exact=exact)).texts)
        for exact in (True, False)
    }
    assert "sum to the cosine" in words[True] and "approximation" in words[False]
