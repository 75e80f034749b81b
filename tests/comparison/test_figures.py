"""Figures are tested by what their axes hold."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text
from PIL import Image

from dinoscope.comparison.figures import maps as figures
from dinoscope.comparison.figures.captions import overview_caption, photograph_caption
from dinoscope.comparison.figures.maps import (
    figure_stems,
    plot_components,
    plot_overview,
    plot_pca,
    plot_photograph,
    plot_similarity,
    write_figures,
)
from dinoscope.comparison.figures.overview import MOST_PHOTOGRAPHS
from dinoscope.data.results import Comparison
from dinoscope.drawing.style import REPLACEMENT, cosine_colours, plain
from dinoscope.errors import InputError
from tests.samples import HOSTILE, POINTS, comparison


@pytest.fixture(scope="module")
def sample() -> Comparison:
    return comparison()


def shown(figure: Figure) -> list[AxesImage]:
    """Every picture, in the order drawn, colour bars left out."""
    return [image for axes in figure.axes for image in axes.images]


def text_of(figure: Figure) -> str:
    return "\n".join(t.get_text() for t in figure.findobj(Text))


def cosine_maps(figure: Figure) -> Iterator[AxesImage]:
    return (
        image for image in shown(figure) if image.get_cmap().name == "cosine" and image.get_array().ndim == 2
    )


def test_a_photograph_stands_beside_every_map_of_every_model(sample: Comparison) -> None:
    figure = plot_photograph(sample, 1)
    pictures = shown(figure)
    np.testing.assert_array_equal(pictures[0].get_array(), sample.photographs[1].pixels)
    expected = [m for maps in sample.maps[1] for m in (maps.colours, *(s.values for s in maps.similarity))]
    assert len(pictures) == 1 + len(expected) == 1 + 2 * (1 + len(POINTS))
    for picture, values in zip(pictures[1:], expected, strict=True):
        np.testing.assert_array_equal(picture.get_array(), values)
        assert picture.get_interpolation() == "nearest"


def test_cosines_have_one_fixed_scale_whatever_they_are(sample: Comparison) -> None:
    nearly_constant = 1 + 1e-3 * np.random.default_rng(0).standard_normal((6, 8, 4)).astype(np.float32)
    alike = comparison(features=[[nearly_constant]] * 2, names=["flat.png"])
    for c, figure in ((sample, plot_photograph(sample)), (alike, plot_similarity(alike))):
        maps = list(cosine_maps(figure))
        assert len(maps) >= len(c.models)
        for image in maps:
            assert (image.norm.vmin, image.norm.vmax) == (-1.0, 1.0)


def test_cosines_of_both_signs_grow_lighter_from_zero_in_colours_of_their_own() -> None:
    colours, scale = cosine_colours()
    shown = np.asarray(colours(scale(np.linspace(-1, 1, 513))))[:, :3]
    light = shown @ (0.2126, 0.7152, 0.0722)
    assert light.argmin() in (255, 256, 257)
    assert (np.diff(light[:256]) < 0).all() and (np.diff(light[258:]) > 0).mean() > 0.98
    np.testing.assert_allclose(shown[-1], matplotlib.colormaps["viridis"](1.0)[:3])
    below, above = shown[:240], shown[272:]
    assert np.abs(below[:, None] - above[None]).max(axis=2).min() > 0.08


def test_footprints_are_the_patches_own_boxes(sample: Comparison) -> None:
    figure = plot_photograph(sample, 0)
    grid = sample.features[0][0].grid
    boxes = [p.get_bbox().extents for p in figure.axes[0].patches[::2]]
    np.testing.assert_allclose(boxes, [grid.box(*grid.patch_at(*place)) for place in POINTS])
    row, col = sample.maps[0][0].similarity[1].patch
    outlined = figure.axes[3].patches[0].get_bbox().extents
    np.testing.assert_allclose(outlined, (col - 0.5, row - 0.5, col + 0.5, row + 0.5))


def test_photographs_are_labelled_with_facts_and_the_three_numbers() -> None:
    c = comparison(controls=["second-model"])
    said = text_of(plot_photograph(c, 0))
    for words in (
        "first-model",
        "second-model",
        "control, not a trained model",
        "6×8 patches",
        "input 84×112 px",
    ):
        assert words in said
    for name, values in c.measurements.values.items():
        title = {"neighbour": "neighbour cosine", "random_pair": "random-pair cosine"}.get(name, name)
        assert f"{title} {values[0, 0]:.3f}" in said
    mean = float(c.maps[0][1].similarity[2].values.mean())
    assert f"patch 3: mean {mean:.2f}".replace("-", "−") in said


def test_similarity_of_any_place_is_the_cosine_of_its_patch(sample: Comparison) -> None:
    figure = plot_similarity(sample, (0.9, 0.2), photograph=2)
    for image, features in zip(cosine_maps(figure), sample.features[2], strict=True):
        patch = features.grid.patch_at(0.9, 0.2)
        np.testing.assert_array_equal(image.get_array(), features.cosine_to(features.values[patch]))
    default = next(cosine_maps(plot_similarity(sample)))
    np.testing.assert_array_equal(default.get_array(), sample.maps[0][0].similarity[0].values)


def test_pca_maps_stand_below_their_photographs(sample: Comparison) -> None:
    for figure, chosen in (
        (plot_pca(sample), (0, 1, 2)),
        (plot_pca(sample, 1), (1,)),
        (plot_overview(sample), (0, 1, 2)),
    ):
        pictures = iter(shown(figure))
        for i in chosen:
            np.testing.assert_array_equal(next(pictures).get_array(), sample.photographs[i].pixels)
            for maps in sample.maps[i]:
                np.testing.assert_array_equal(next(pictures).get_array(), maps.colours)
        assert next(pictures, None) is None


def test_the_overview_draws_every_mean_and_interval(sample: Comparison) -> None:
    strips = [axes for axes in plot_overview(sample).axes if axes.lines]
    assert len(strips) == 3
    for axes, summaries in zip(strips, sample.measurements.summaries.values(), strict=True):
        drawn = [line.get_xdata() for line in axes.lines]
        for j, interval in enumerate(summaries):
            np.testing.assert_allclose(drawn[3 * j + 1], [interval.low, interval.high])
            np.testing.assert_allclose(drawn[3 * j + 2], [interval.mean])


def test_components_have_the_limits_of_their_basis_in_every_photograph(sample: Comparison) -> None:
    for i in range(3):
        pictures = shown(plot_components(sample, i, n=2))[1:]
        assert len(pictures) == 4
        for picture, (j, k) in zip(pictures, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
            np.testing.assert_array_equal(picture.get_array(), sample.maps[i][j].scores[..., k])
            limit = np.abs(sample.models[j].pca.limits[k]).max()
            assert (picture.norm.vmin, picture.norm.vmax) == (-limit, limit)
    assert len(shown(plot_components(sample))) == 1 + 2 * 6


def test_too_many_photographs_are_cut_and_said_so() -> None:
    n = MOST_PHOTOGRAPHS + 1
    c = comparison([f"{i}.png" for i in range(n)], ("a",), grid=2, dim=4)
    figure = plot_pca(c)
    assert len(shown(figure)) == 2 * MOST_PHOTOGRAPHS
    assert f"first {MOST_PHOTOGRAPHS} of {n} photographs" in text_of(figure).replace("\n", " ")


@pytest.mark.parametrize("plot", [plot_photograph, plot_pca, plot_components])
@pytest.mark.parametrize("photograph", [-1, 3])
def test_a_photograph_that_is_not_there_is_refused(sample: Comparison, plot: object, photograph: int) -> None:
    with pytest.raises(InputError, match="numbered 0 to 2"):
        plot(sample, photograph)  # type: ignore[operator]


def test_a_place_outside_and_no_component_are_refused(sample: Comparison) -> None:
    with pytest.raises(InputError):
        plot_similarity(sample, (1.2, 0.5))
    with pytest.raises(InputError, match="at least one component"):
        plot_components(sample, n=0)


def test_drawing_leaves_no_state_behind(sample: Comparison) -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    assert isinstance(plot_overview(sample), Figure)
    assert plt.get_fignums() == before


def test_hostile_names_are_neither_mathematics_nor_paths(tmp_path: Path) -> None:
    c = comparison([*HOSTILE, "../../etc/passwd", "a.png", "A.PNG", "..", ""], ("$\\frac{$", "b"), grid=3)
    for i in range(len(c.photographs)):
        figure = plot_photograph(c, i)
        assert not any(t.get_parse_math() and "$" in t.get_text() for t in figure.findobj(Text))
        assert "\n" not in "".join(t.get_text() for t in figure.texts)
    names = figure_stems(c)
    assert len({name.lower() for name in names}) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
    assert names[0] == "01-script-alert-1-script"
    assert names[-1] == "11-photograph"
    figure = plot_photograph(c, 1)
    assert any("$x^2$" in t.get_text() for t in figure.texts)
    assert any(f"new{REPLACEMENT}line" in t.get_text() for t in plot_photograph(c, 2).texts)
    figure.savefig(tmp_path / "drawn.png", dpi=40)  # a bad formula or a missing glyph would warn here


def test_long_names_lose_their_middle() -> None:
    assert plain("x" * 100, 9) == "xxxx…xxxx"
    assert plain("screen\u202fshot\u200b.png") == f"screen shot{REPLACEMENT}.png"


def test_one_model_no_alignment_undefined_numbers_and_masks_can_be_drawn() -> None:
    masked = comparison(foreground=True, settings={"foreground": "Otsu's threshold"})
    assert "Otsu's threshold" in photograph_caption(masked, 0)
    single = comparison(["only.png"], ("one",), undefined=True)
    for figure in (
        plot_photograph(single),
        plot_overview(single),
        plot_components(single),
        plot_similarity(single),
    ):
        figure.canvas.draw()


def test_figures_are_written_sharp_and_whole_in_every_format(tmp_path: Path) -> None:
    c = comparison(HOSTILE[:2])
    written = write_figures(c, tmp_path / "figures", ("png", "pdf", "svg"))
    stems = [*figure_stems(c), "overview"]
    named = [f"{stem}.{kind}" for stem in stems for kind in ("png", "pdf", "svg")]
    assert [p.name for p in written] == [*named, "captions.md"]
    assert written[1].read_bytes().startswith(b"%PDF-")
    assert ElementTree.parse(written[2]).getroot().tag.endswith("svg")
    again = write_figures(c, tmp_path / "again", ("pdf", "svg"))
    assert {p.name: p.read_bytes() for p in again}.items() <= {
        p.name: p.read_bytes() for p in written
    }.items()
    assert sorted(p.name for p in (tmp_path / "figures").iterdir()) == sorted(p.name for p in written)
    with Image.open(written[0]) as image:
        assert image.info["dpi"][0] >= 199
        assert image.width >= 1000


def test_captions_stand_beside_the_figures_and_not_in_them(tmp_path: Path) -> None:
    settings: dict[str, object] = {"versions": {"dinoscope": "9.8.7"}}
    c = comparison([HOSTILE[0], "b.png"], controls=["second-model"], settings=settings)
    *_, captions = write_figures(c, tmp_path, ("svg",))
    text = captions.read_text(encoding="utf-8")
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [*figure_stems(c), "overview"]
    assert "<script" not in text and "alert" in text
    shown = text.replace("\\", "")
    assert c.models[1].alignment is not None
    for said in (
        f"residual {c.models[1].alignment.residual:.2f}",
        "the mean is printed because models differ in it",
        "second-model: a control, not a trained model",
        f"sha256 {c.models[0].origin.digest[:12]}",
        "dinoscope 9.8.7",
    ):
        assert shown.count(said) >= 2, said
    assert all(m.label != m.spec.name or f"{m.label} = " not in shown for m in c.models)
    assert "line: its 95% interval" in shown
    alone = overview_caption(comparison(["a.png"]))
    assert "Dot: of the one photograph, which has no interval" in alone and "ticks" not in alone
    for figure in (plot_photograph(c), plot_overview(c), plot_components(c)):
        assert max(len(line) for line in text_of(figure).splitlines()) < 110


def test_unasked_there_is_the_overview_alone(tmp_path: Path) -> None:
    written = write_figures(comparison(["a.png"]), tmp_path)
    assert [p.name for p in written] == ["overview.png", "captions.md"]
    assert "## 01-a" not in written[1].read_text(encoding="utf-8")


def test_another_format_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="png, pdf, svg"):
        write_figures(comparison(["a.png"]), tmp_path, ("png", "bmp"))
    assert list(tmp_path.iterdir()) == []


def test_a_figure_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(figures.Figure, "draw", broken)
    with pytest.raises(OSError, match="disk full"):
        write_figures(comparison(["a.png"]), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_every_panel_has_its_photographs_shape(sample: Comparison) -> None:
    for i, photo in enumerate(sample.photographs):
        figure = plot_photograph(sample, i)
        aspect = photo.size[1] / photo.size[0]
        for axes in figure.axes:
            if isinstance(axes, Axes) and axes.images:
                box = axes.get_window_extent()
                assert box.height / box.width == pytest.approx(aspect, rel=0.01)
