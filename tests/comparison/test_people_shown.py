"""People, floors and undefined scores in tables, the plane, the report and on the terminal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.text import Text

from dinoscope.comparison.columns import columns_of
from dinoscope.comparison.figures.curves import plot_curve
from dinoscope.comparison.figures.plane import plot_plane
from dinoscope.comparison.report.report import report_html
from dinoscope.comparison.tables.files import measurements_text
from dinoscope.comparison.tables.paper import metrics_latex, metrics_markdown
from dinoscope.data.annotation import MaskKind
from dinoscope.data.results import Measurements
from dinoscope.drawing.style import INK, MODEL_COLOURS
from dinoscope.metrics.registry import AXES
from tests.comparison.test_report import Page
from tests.samples import PLANTED, comparison, planted, summarised, with_planted

OTHER = "other:first-model"
WHERE = {"person:2": (0.86, 0.91), "people": (0.84, 0.89)}
REASON = "the masks are regions, whose numbers mean something else in each photograph"


def with_people(measured: Measurements, *labels: str) -> Measurements:
    keys = AXES["with masks"]
    table = np.array([WHERE[label] for label in labels])
    noise = np.random.default_rng(1).normal(0, 0.01, (len(measured.images), len(labels), 2))
    values = {key: table[:, k] + noise[:, :, k] - noise[:, :, k].mean(axis=0) for k, key in enumerate(keys)}
    people = summarised(measured.images, measured.digests, labels, values, masks="person:2 is <b>theirs")
    return replace(
        measured,
        people=people,
        masks="ours",
        mask_kind=MaskKind("regions", "numbered 1 to n in each"),
        undefined={"knn_miou": REASON},
    )


@pytest.fixture(scope="module")
def sample() -> Measurements:
    return with_people(planted(PLANTED | {OTHER: (0.53, 0.64)}), "person:2", "people")


def said(figure: object) -> str:
    return " ".join(t.get_text() for t in figure.findobj(Text))  # type: ignore[attr-defined]


def test_people_come_last_and_are_no_controls(sample: Measurements) -> None:
    columns = columns_of(sample)
    assert [c.label for c in columns if c.person] == list(WHERE) == [c.label for c in columns[-2:]]
    assert not any(c.control for c in columns if c.person)
    assert next(c for c in columns if c.label == OTHER).control
    assert all(c.difference("coherence_auc") is None for c in columns if c.person)


def test_a_person_is_a_star_in_the_plane_of_masks_alone(sample: Measurements) -> None:
    figure = plot_plane(sample)
    stars = [line for line in figure.axes[0].lines if line.get_gid() == "person"]
    np.testing.assert_allclose([(s.get_xdata()[0], s.get_ydata()[0]) for s in stars], list(WHERE.values()))
    for star in stars:
        assert star.get_marker() == "*" and same_color(star.get_color(), INK)
    assert INK not in MODEL_COLOURS
    low, high = figure.axes[0].get_ylim()
    assert low < 0.91 < high
    assert "person:2" in said(figure) and "Stars: people's segmentations, scored against ours." in said(
        figure
    )
    assert f"{OTHER}: features of another photograph" in said(figure)
    proxies = plot_plane(sample, axes="proxies")
    assert "person" not in said(proxies) and "Stars" not in said(proxies)
    assert not [line for line in proxies.axes[0].lines if line.get_gid() == "person"]


def test_another_photographs_curve_is_not_drawn_again(sample: Measurements) -> None:
    drawn = said(plot_curve(sample, "distance"))
    assert "shuffled:first-model" in drawn and OTHER not in drawn and "person" not in drawn


def test_tables_hold_people_apart_and_the_reason_beside_a_dash(sample: Measurements) -> None:
    markdown = metrics_markdown(sample)
    models, people = markdown.split("**People")
    head, rows = people.split("\n")[2], people.split("\n\n")[1]
    assert head == "| Metric | person:2 | people |"
    assert "0.860 \\[" in rows and "0.890 \\[" in rows and "Position" not in rows
    assert "person" not in models
    assert f"Undefined: {REASON}." in markdown and f"Undefined: {REASON}." in metrics_latex(sample)
    assert "Masks: ours, which are regions (numbered 1 to n in each)." in markdown
    assert "person:2 is &lt;b&gt;theirs: a person's segmentation" in markdown
    text = " ".join(measurements_text(sample).split())
    assert "[person:2] 40 0.860 [" in text and "[people] 40 0.840 [" in text
    assert text.count("[person:2]") == 1  # neither among the smoothness metrics nor the proxies
    assert f"undefined, since {REASON}: k-NN mIoU" in text
    assert "mean of the ordered pairs" in text and "(other:first-model) 40" in text


def test_the_report_shows_them(sample: Measurements) -> None:
    made = with_planted(comparison(["a.png"] * 3, ("first-model", "second-model")))
    page = Page(report_html(replace(made, measurements=with_people(made.measurements, "person:2"))))
    assert page.text.count("person:2 (people, not a model): ") == 2  # sharpness and coherence
    assert "person:2 is <b>theirs: a person's segmentation" in page.text
    assert f"Undefined: {REASON}." in page.text
