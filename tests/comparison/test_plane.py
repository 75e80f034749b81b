"""The plane is tested by what stands where: marks, bars, arrows, words."""

from __future__ import annotations

import itertools
import math
import re
import xml.etree.ElementTree
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from dinoscope.comparison.figures.plane import plot_plane
from dinoscope.comparison.figures.plane_files import PLANE_FILES, write_plane
from dinoscope.comparison.plane_words import plane_axes, plane_notes, plane_readings
from dinoscope.data.results import Measurements
from dinoscope.drawing.placement import Box, Segment, place_labels, spread
from dinoscope.drawing.style import CONTROL_COLOUR, MODEL_COLOURS
from dinoscope.drawing.verdicts import shares
from dinoscope.errors import InputError
from tests.samples import HOSTILE, PLANTED, comparison, planted, summarised, with_planted


@pytest.fixture(scope="module")
def sample() -> Measurements:
    return planted(n=40)


def marks(axes: Axes, gid: str) -> list[tuple[float, float]]:
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_gid() == gid
    ]


def arrows(axes: Axes) -> dict[str, Annotation]:
    return {str(t.get_gid()): t for t in axes.texts if isinstance(t, Annotation)}


def said(figure: Figure) -> str:
    return "\n".join(t.get_text() for t in figure.findobj(Text))


def test_every_model_is_a_point_at_its_means_with_both_intervals(sample: Measurements) -> None:
    axes = plot_plane(sample).axes[0]
    np.testing.assert_allclose(marks(axes, "model"), [PLANTED["first-model"], PLANTED["second-model"]])
    np.testing.assert_allclose(marks(axes, "control"), [PLANTED[k] for k in list(PLANTED)[2:]], atol=1e-12)
    bars = {tuple(np.round([*line.get_xdata(), *line.get_ydata()], 9)) for line in axes.lines}
    for measured in (sample, sample.controls):
        assert measured is not None
        for across, along in zip(
            measured.summaries["boundary_auc"], measured.summaries["matched_coherence_auc"], strict=True
        ):
            assert tuple(np.round([across.low, across.high, along.mean, along.mean], 9)) in bars
            assert tuple(np.round([across.mean, across.mean, along.low, along.high], 9)) in bars


def test_controls_are_grey_and_hollow_and_models_are_not(sample: Measurements) -> None:
    axes = plot_plane(sample).axes[0]
    for line in axes.lines:
        if line.get_gid() == "control":
            assert same_color(line.get_color(), CONTROL_COLOUR)
            assert same_color(line.get_markerfacecolor(), "white")
    colours = [line.get_color() for line in axes.lines if line.get_gid() == "model"]
    assert colours == list(MODEL_COLOURS[:2])
    made = comparison(["a.png"] * 3, ("first-model", "second-model"), controls=["second-model"])
    axes = plot_plane(with_planted(made)).axes[0]
    assert len(marks(axes, "model")) == 1 and len(marks(axes, "control")) == 5


def test_arrows_lead_from_the_first_model_to_the_second_and_to_its_blurred_self(
    sample: Measurements,
) -> None:
    found = arrows(plot_plane(sample).axes[0])
    assert set(found) == {"second", "blurred"}
    for gid, label in (("second", "second-model"), ("blurred", "blur:first-model")):
        np.testing.assert_allclose(found[gid].xyann, PLANTED["first-model"])
        np.testing.assert_allclose(found[gid].xy, PLANTED[label])
    assert found["second"].arrow_patch is not None and found["second"].arrow_patch.get_linestyle() == "-"
    assert found["blurred"].arrow_patch is not None
    assert found["blurred"].arrow_patch.get_linestyle() != "-"
    assert same_color(found["blurred"].arrow_patch.get_edgecolor(), CONTROL_COLOUR)
    assert "what blurring does" in said(plot_plane(sample))


def test_chance_is_drawn_and_always_in_the_picture(sample: Measurements) -> None:
    for kind, chance in (("with masks", (0.5, 0.5)), ("proxies", (0.0, 0.5))):
        axes = plot_plane(sample, axes=kind).axes[0]  # type: ignore[arg-type]
        lines = {line.get_gid(): line for line in axes.lines}
        assert lines["chance-x"].get_xdata()[0] == chance[0]
        assert lines["chance-y"].get_ydata()[0] == chance[1]
        assert axes.get_xlim()[0] < chance[0] < axes.get_xlim()[1]
        assert axes.get_ylim()[0] < chance[1] < axes.get_ylim()[1]
    alone = plot_plane(planted({"only": (0.9, 0.95)}, controls=False)).axes[0]
    assert alone.get_xlim()[0] < 0.5 and alone.get_ylim()[0] < 0.5


def test_masks_come_first_and_proxies_say_that_they_are(sample: Measurements) -> None:
    assert plane_axes(sample) == ("with masks", "proxies")
    masked, proxied = said(plot_plane(sample)), said(plot_plane(sample, axes="proxies"))
    assert "boundary AUC" in masked and "200 label images" in masked
    assert "prox" not in masked.lower()
    assert "Edges and colours of the photograph" in proxied and "proxies, not objects" in proxied
    assert "proxy: rank correlation" in proxied and "proxy: AUC" in proxied
    assert "boundary AUC" not in proxied and "label images" not in proxied
    without = planted(masks="")
    assert said(plot_plane(without)) == said(plot_plane(without, axes="proxies"))
    with pytest.raises(InputError, match="boundary_auc and matched_coherence_auc were not measured"):
        plot_plane(without, axes="with masks")
    with pytest.raises(InputError, match="not measured; there is neighbour, random_pair, locality"):
        plot_plane(planted(masks="", proxies=False))


def test_the_reading_is_the_paired_difference_in_words(sample: Measurements) -> None:
    first, blurred = plane_readings(sample)
    across, along = sample.differences["boundary_auc"][0], sample.differences["matched_coherence_auc"][0]
    assert first.startswith("second-model against first-model: less sharp (−0.030 [")
    assert "more coherent (+0.120 [" in first
    assert f"above / tied / below in {shares(along)}% of photographs" in first
    assert f"{across.interval.low:+.3f}".replace("-", "−") in first
    assert "−0.100 in sharpness and +0.020 in coherence" in blurred
    same = plane_readings(planted({"a": (0.7, 0.7), "b": (0.7, 0.7)}))[0]
    assert "no clear difference in sharpness" in same and "no clear difference in coherence" in same
    assert plane_readings(planted({"a": (0.7, 0.7)})) == ()


def test_how_many_photographs_and_when_they_are_too_few() -> None:
    many, few = planted(n=30), planted(n=29)
    assert "30 photographs" in said(plot_plane(many)) and "too narrow" not in " ".join(plane_notes(many))
    assert "29 photographs" in said(plot_plane(few)) and "too narrow" in " ".join(plane_notes(few))


def test_no_direction_is_named_below_six_photographs() -> None:
    enough, few = planted(n=6), planted(n=5)
    assert "less sharp (" in plane_readings(enough)[0] and "sharper" in said(plot_plane(enough))
    reading = plane_readings(few)[0]
    assert "sharpness (" in reading and "coherence (" in reading
    everything = said(plot_plane(few)) + " ".join((*plane_readings(few), *plane_notes(few)))
    for word in ("sharper", "less sharp", "more coherent", "less coherent", "higher", "no clear difference"):
        assert word not in everything
    assert "no direction is named" in " ".join(plane_notes(few))


def test_one_photograph_is_a_point_without_bars() -> None:
    one = planted(n=1)
    axes = plot_plane(one).axes[0]
    assert len(marks(axes, "model")) == 2
    bars = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_gid() is None]
    assert bars == []
    assert "no interval can be given" in " ".join(plane_notes(one))


def test_what_is_undefined_is_named_and_not_drawn(sample: Measurements) -> None:
    values = {k: v.copy() for k, v in sample.values.items()}
    values["matched_coherence_auc"][:, 1] = np.nan
    lost = replace(
        summarised(sample.images, sample.digests, sample.models, values, masks="m"),
        controls=sample.controls,
    )
    figure = plot_plane(lost)
    assert marks(figure.axes[0], "model") == [pytest.approx(PLANTED["first-model"])]
    assert "Undefined, not drawn: second-model." in said(figure).replace("\n", " ")
    assert set(arrows(figure.axes[0])) == {"blurred"}
    nothing = summarised(
        sample.images, sample.digests, sample.models, {k: v * np.nan for k, v in values.items()}
    )
    assert "undefined for every model" in said(plot_plane(nothing))
    assert "nan" not in said(plot_plane(nothing)).lower()


def test_hints_say_which_way_is_sharper_and_more_coherent(sample: Measurements) -> None:
    words = said(plot_plane(sample))
    for hint in ("sharper", "← less sharp", "more coherent →", "← less coherent"):
        assert hint in words
    lines = {line.get_gid(): line for line in plot_plane(sample).axes[0].lines}
    assert lines["first-x"].get_xdata()[0] == pytest.approx(PLANTED["first-model"][0])
    assert lines["first-y"].get_ydata()[0] == pytest.approx(PLANTED["first-model"][1])


CROWDED = {
    f"model-{k}-of-a-long-family-name": (0.7 + 0.006 * math.cos(k), 0.7 + 0.006 * math.sin(k))
    for k in range(6)
} | {"pixels": (0.5, 0.5), "random:m": (0.503, 0.5), "shuffled:m": (0.5, 0.502)}


@pytest.mark.parametrize("places", [PLANTED, CROWDED], ids=["planted", "crowded"])
def test_labels_lie_on_no_other_label_and_inside_the_frame(places: dict[str, tuple[float, float]]) -> None:
    figure = plot_plane(planted(places, n=200))
    shown = [t for t in figure.texts if any(_same(t.get_text(), label) for label in places)]
    assert len(shown) == len(places)
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [t.get_window_extent(renderer) for t in shown]
    frame = figure.axes[0].get_window_extent(renderer)
    for a, b in itertools.combinations(boxes, 2):
        assert min(a.x1, b.x1) <= max(a.x0, b.x0) or min(a.y1, b.y1) <= max(a.y0, b.y0)
    for box in boxes:
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1


def _same(shown: str, label: str) -> bool:
    head, _, tail = shown.partition("…")
    return shown == label or ("…" in shown and label.startswith(head) and label.endswith(tail))


def test_placing_covers_nothing_where_there_is_room_and_is_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    points = [tuple(map(float, p)) for p in 2 + rng.random((12, 2))]
    frame = Box(0, 0, 6, 6)
    crossing = [Segment(0, 2.5, 6, 2.5)]
    boxes = place_labels(points, [(0.8, 0.12)] * 12, frame, segments=crossing)  # type: ignore[arg-type]
    for a, b in itertools.combinations(boxes, 2):
        assert a.overlap(b) == 0
    assert all(box.overlap(frame) == pytest.approx(box.area) for box in boxes)
    assert all(crossing[0].inside(box) == 0 for box in boxes)
    again = place_labels(points, [(0.8, 0.12)] * 12, frame, segments=crossing)  # type: ignore[arg-type]
    assert boxes == again


def test_segments_know_how_much_of_them_lies_in_a_box() -> None:
    box = Box(1, 1, 2, 2)
    assert Segment(0, 1.5, 3, 1.5).inside(box) == pytest.approx(1)
    assert Segment(0, 0, 3, 3).inside(box) == pytest.approx(math.sqrt(2))
    assert Segment(0, 0.5, 3, 0.5).inside(box) == 0
    assert Segment(1.5, 1.5, 1.5, 1.5).inside(box) == 0
    assert Segment(1.2, 0, 1.2, 1.5).inside(box) == pytest.approx(0.5)


@pytest.mark.parametrize("wanted", [[0.1, 0.1, 0.1], [0.95, 0.99, 0.2], [], [5.0, -3.0]])
def test_spread_keeps_order_gap_and_limits(wanted: Sequence[float]) -> None:
    places = spread(wanted, 0.2, 0.0, 1.0)
    assert len(places) == len(wanted)
    ordered = [place for _, place in sorted(zip(wanted, places, strict=True))]
    assert all(b - a >= 0.2 - 1e-12 for a, b in itertools.pairwise(ordered))
    assert all(-1e-12 <= place <= 1 + 1e-12 for place in places)


def test_spread_with_too_little_room_is_even() -> None:
    np.testing.assert_allclose(sorted(spread([0.5] * 5, 1.0, 0.0, 1.0)), np.linspace(0, 1, 5))


def test_files_are_the_same_twice_and_names_are_no_markup(tmp_path: Path) -> None:
    hostile = {f"{name}": (0.6 + 0.02 * k, 0.6) for k, name in enumerate(HOSTILE)}
    measured = planted(hostile, n=5, n_models=len(hostile), masks="<b>&\udc80")
    for folder in ("a", "b"):
        assert [p.name for p in write_plane(measured, tmp_path / folder)] == list(PLANE_FILES)
    for name in PLANE_FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    svg = (tmp_path / "a" / "plane.svg").read_text(encoding="utf-8")
    tags = {element.tag.rpartition("}")[2] for element in xml.etree.ElementTree.fromstring(svg).iter()}
    assert not tags & {"script", "image", "a", "foreignObject"}
    assert not re.search(r"<script", svg)
    assert write_plane(planted(masks="", proxies=False), tmp_path / "a") == ()
    assert list((tmp_path / "a").iterdir()) == []
