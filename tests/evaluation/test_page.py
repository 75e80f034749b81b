"""Figures of retrieval scores draw the scores; the page shows them, escaped, and fits its window."""

from __future__ import annotations

import functools
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dinoscope.data.results import Interval, PairedDifference
from dinoscope.data.retrieval import RetrievalRow, RetrievalScores
from dinoscope.drawing.style import CONTROL_COLOUR
from dinoscope.errors import InputError
from dinoscope.evaluation.pictures_values import BackgroundAlone, Pictures, QueryRow, RemovedMap, Shown
from dinoscope.evaluation.report.figures import plot_gains, plot_ranks, ranked_poolings
from dinoscope.evaluation.report.hits import hits_section, removed_section
from dinoscope.evaluation.report.maps import removed_uri
from dinoscope.evaluation.report.page import retrieval_html, write_retrieval
from dinoscope.evaluation.text import (
    case_words,
    gain_of,
    interval_words,
    scores_json,
    scores_text,
    verdicts,
)
from tests.chromium import PATIENT_MS
from tests.evaluation.test_scoring import plant, score

HOSTILE = "<img src=x onerror=alert(1)>"


@functools.cache
def scores() -> RetrievalScores:
    return score(plant(0.2, n=60), ks=(0, 2, 4))


def alone(case: str = "partly", *, ahead: float = 0.2) -> BackgroundAlone:
    def around(mean: float) -> Interval:
        return Interval(mean, mean - 0.01, mean + 0.01, 60)

    return BackgroundAlone(
        around(0.3), around(0.5), 0.2, around(0.125), around(0.375), around(ahead), 60, 2, case
    )


def pictures() -> Pictures:
    pixels = np.zeros((12, 16, 3), np.uint8)
    query = Shown(HOSTILE, HOSTILE, pixels)
    hits = tuple(Shown(f"{i}.png", "other", pixels, relevant=i == 1) for i in range(7))
    removed = RemovedMap(query, np.linspace(0, 1, 12).reshape(3, 4), 2)
    rows = tuple(QueryRow(query, hits, hits[:2], k) for k in (1, 3))
    return Pictures("background", rows, (removed,), "without its fold", (f"a note {HOSTILE}",))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "mini",
            "<p>toy model (mini): to show how things work, not how well; neither DINOv2 nor DINOv3.</p>",
        ),
        ("random:mini", "<p>random:mini: control, not a trained model.</p>"),
        ("dinov2-small", None),
    ],
)
def test_the_page_says_of_a_toy_and_of_a_control_what_it_is(model: str, said: str | None) -> None:
    page = retrieval_html(replace(scores(), settings={"backbone": model}))
    opening = page[page.index("<h1>") : page.index("<nav")]
    assert said is None or said in opening
    assert said is not None or not any(word in opening for word in ("toy", "control, not"))


def test_the_gain_plot_draws_every_gain_and_controls_in_grey() -> None:
    shown = [r for r in scores().rows if (r.pooling, r.suppression, r.control) != ("mean", "none", "")]
    axes = plot_gains(scores()).axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    bars = [line for line in axes.lines if line.get_marker() == "None" and len(set(line.get_xdata())) > 1]
    assert [float(dot.get_xdata()[0]) for dot in dots] == [gain_of(r).interval.mean for r in shown]
    grey = [dot.get_color() == CONTROL_COLOUR for dot in dots]
    assert grey == [bool(r.control) for r in shown]
    intervals = [gain_of(r).interval for r in shown]
    wide = [(i.low, i.high) for i in intervals if i.low != i.high]
    assert [tuple(map(float, bar.get_xdata())) for bar in bars if len(bar.get_xdata()) == 2][: len(wide)]
    drawn = {tuple(map(float, bar.get_xdata())) for bar in bars}
    assert set(wide) <= drawn


def test_curves_are_the_paired_gains_at_every_rank() -> None:
    for pooling in ranked_poolings(scores()):
        figure = plot_ranks(scores(), pooling)
        rows = [r for r in scores().rows if r.pooling == pooling and r.curve is not None]
        kinds = list(dict.fromkeys(r.suppression for r in rows))
        for axes, kind in zip(figure.axes, kinds, strict=False):
            drawn = [tuple(map(float, line.get_ydata())) for line in axes.lines]
            for row in (r for r in rows if r.suppression == kind and r.curve is not None):
                assert tuple(i.mean for i in row.curve.gains) in drawn
            own = next(r for r in rows if r.suppression == kind and not r.control)
            assert [label.get_text() for label in axes.get_xticklabels()] == [str(k) for k in own.curve.ks]
            low, high = axes.get_ylim()
            assert all(low <= value <= high for line in drawn for value in line)
    with pytest.raises(InputError, match="number of directions"):
        plot_ranks(score(plant(0.2, n=40), suppressions=["centre"], controls=[]))


def test_maps_have_one_scale() -> None:
    half, scaled = np.full((2, 2), 0.5), np.array([[0.5, 1.0], [0.5, 0.0]])
    assert removed_uri(half) == removed_uri(half.copy())
    assert removed_uri(half) != removed_uri(half * 0.5)
    assert removed_uri(scaled) != removed_uri(half)


def test_names_and_labels_stay_text() -> None:
    page = retrieval_html(scores(), pictures(), alone())
    assert HOSTILE not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 3
    assert "<script" not in page
    assert hits_section(None) == removed_section(None) == hits_section(Pictures("none")) == ""
    said = hits_section(pictures())
    assert "2 have the query's label without suppression and 2 with" in said.replace("\n", " ")
    assert "background, 1 direction removed" in said
    assert "background, 3 directions removed" in said
    assert "50% of the squared length" in removed_section(pictures())


@pytest.mark.parametrize(
    ("ahead", "words"),
    [(0.2, "foregrounds find it better"), (-0.2, "backgrounds find it better"), (0, "not told")],
)
def test_the_case_says_who_is_ahead(ahead: float, words: str) -> None:
    found = alone(ahead=ahead)
    assert words in case_words(found)
    assert interval_words(found.excess) in case_words(found)
    assert case_words(found) in " ".join(scores_text(scores(), found).split())
    printed = json.loads(scores_json(scores(), found))
    assert printed["backgrounds"]["case"] == "partly"
    assert "backgrounds" not in json.loads(scores_json(scores()))


def test_a_suppression_is_compared_with_its_own_pooling_and_a_pooling_with_the_plain_mean() -> None:
    """Foreground + background is far below the plain mean, and far above the foreground alone."""

    def row(pooling: str, suppression: str, gain: float, of_pooling: float | None = None) -> RetrievalRow:
        def around(mean: float) -> PairedDifference:
            return PairedDifference(Interval(mean, mean - 0.03, mean + 0.03, 240), 0.5, 0.0, 0.5)

        return RetrievalRow(
            pooling, suppression, "", (), {}, {"ap": Interval(0.5, 0.4, 0.6, 240)}, {"ap": around(gain)},
            {} if of_pooling is None else {"ap": around(of_pooling)},
        )  # fmt: skip

    rows = (
        row("mean", "none", 0.0),
        row("mean", "background", 0.01),
        row("foreground", "none", 0.0, -0.177),
        row("foreground", "background", 0.116),
        row("foreground", "whiten", -0.05),
    )
    made = replace(scores(), rows=rows, scores=("ap",))
    assert verdicts(made) == (
        "mean: no suppression is told apart from none.",
        "foreground without suppression: worse than the plain mean (-0.177 [-0.207, -0.147]).",
        "foreground: helped by background (+0.116 [+0.086, +0.146]); "
        "hurt by whiten (-0.050 [-0.080, -0.020]).",
    )
    few = [replace(r, summaries={"ap": replace(r.summaries["ap"], n=5)}) for r in rows]
    for sentence in verdicts(replace(made, rows=tuple(few))):
        assert "5 queries, fewer than 6: no direction is named" in sentence
        assert not any(word in sentence for word in ("better", "worse", "helped", "hurt"))
    alike = replace(alone(), ahead=Interval(0.2, 0.19, 0.21, 5))
    assert "better" not in case_words(alike) and "not compared" in case_words(alike)


def test_numbers_that_round_to_zero_have_one_form() -> None:
    assert interval_words(Interval(-0.0001, -0.0004, 0.0004, 9), sign="+") == "+0.000 [+0.000, +0.000]"
    assert interval_words(Interval(math.nan, math.nan, math.nan, 0)) == "–"
    assert interval_words(Interval(0.5, math.nan, math.nan, 2), sign="+") == "+0.500"


def test_the_page_is_written_whole(tmp_path: Path) -> None:
    path = write_retrieval(scores(), tmp_path / "out", pictures(), alone())
    assert path.read_text() == retrieval_html(scores(), pictures(), alone())
    names = {file.name for file in path.parent.iterdir()}
    assert names == {
        "page.html", "gains.png", "scores.csv", "scores.json", "ranks-mean.png", "ranks-foreground.png",
    }  # fmt: skip
    few = replace(scores(), rows=scores().rows[:1])
    assert '<section id="ranks"' not in retrieval_html(few)


@pytest.mark.browser
def test_nothing_is_wider_than_its_window(browser: Any, tmp_path: Path) -> None:
    path = write_retrieval(scores(), tmp_path / "out", pictures(), alone())
    for width in (390, 1280):
        view = browser.new_page(viewport={"width": width, "height": 900})
        view.set_default_timeout(PATIENT_MS)
        problems: list[str] = []
        view.on("console", lambda message, kept=problems: kept.append(message.text))
        view.goto(path.as_uri())
        for opened in (False, True):
            if opened:
                view.locator("details.every > summary").click()
            assert view.evaluate("document.documentElement.scrollWidth") <= width
        assert problems == []
        view.close()
