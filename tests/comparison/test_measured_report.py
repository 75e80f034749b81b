"""The parts of the report that show masks, controls, curves and Gram matrices."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from dinoscope.comparison import words
from dinoscope.comparison.output import FILES, write_comparison
from dinoscope.comparison.report import sections
from dinoscope.comparison.report.report import report_html
from dinoscope.comparison.tables.files import measurements_text
from dinoscope.data.results import Comparison
from dinoscope.metrics.registry import METRICS
from tests.comparison.test_report import Page
from tests.samples import HOSTILE, comparison, with_planted

LABELS = ('m"><img src=x onerror=alert(2)>', "second-model")


@pytest.fixture(scope="module")
def sample() -> Comparison:
    return with_planted(comparison(HOSTILE, LABELS), masks="<b>masks</b>", extra={"gram_distance": 0.1})


@pytest.fixture(scope="module")
def html(sample: Comparison) -> str:
    return report_html(sample)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def test_the_sections_are_there_and_linked(page: Page) -> None:
    linked = [a["href"][1:] for a in page.all("a")]
    ids = {a.get("id") for _, a in page.elements}
    for section in ("plane", "curves", "gram"):
        assert section in linked and section in ids
    plots = [a for a in page.all("img") if a["alt"].startswith(("Sharpness", "Cosine against distance"))]
    assert len(plots) == 1 + 1
    matrices = [a["alt"] for a in page.all("img") if "Gram matri" in a["alt"]]
    assert len(matrices) == 3 * 3 and sum(alt.startswith("Difference") for alt in matrices) == 3
    assert "less sharp (−0.030" in plots[0]["alt"]
    assert "The first 3 of 6 photographs" in page.text


def test_every_metric_stands_with_its_meaning_interval_difference_and_chance(
    sample: Comparison, page: Page
) -> None:
    measured = sample.measurements
    for key, summaries in measured.summaries.items():
        assert METRICS[key].title in page.text and METRICS[key].meaning in page.text
        for interval in summaries:
            assert words.fitting(interval) in page.text
    difference = measured.differences["matched_coherence_auc"][0]
    assert words.fitting(difference.interval, sign="+") in page.text
    assert "chance level 0.5" in page.text
    assert "never a headline alone" in page.text
    assert "Over the collection, no interval" in page.text
    assert "p-value" not in page.text and "significan" not in page.text


def test_controls_are_grey_ticks_on_the_axis_and_numbers_under_the_name(
    sample: Comparison, page: Page
) -> None:
    controls = sample.measurements.controls
    assert controls is not None
    known = [i for summaries in controls.summaries.values() for i in summaries if math.isfinite(i.mean)]
    known_once = sum(math.isfinite(v) for values in controls.collection.values() for v in values)
    ticks = [a for a in page.all("line") if a.get("class") == "control"]
    assert len(ticks) == len(known) + known_once
    for interval in known:
        assert f"(control): {words.interval(interval)}" in page.text


def test_names_are_text_and_nothing_is_asked_of_anybody(html: str, page: Page) -> None:
    assert not {tag for tag, _ in page.elements} & {"script", "iframe", "object"}
    assert "<b>masks" not in html and "http:" not in html
    for tag, attributes in page.elements:
        assert not any(key.startswith("on") for key in attributes)
        if "src" in attributes:
            assert attributes["src"].startswith("data:image/"), tag
    assert "nan" not in page.text.lower()


def test_a_comparison_of_smoothness_alone_has_no_plane() -> None:
    shown = Page(report_html(comparison(["a.png"], ("only",))))
    ids = {a.get("id") for _, a in shown.elements}
    assert not ids & {"plane", "curves", "gram"}


def test_one_model_one_photograph_and_no_masks_make_a_whole_page() -> None:
    made = with_planted(comparison(["a.png"], ("only",)), masks="", controls=False)
    shown = Page(report_html(made))
    assert "no interval can be given" in shown.text
    assert "Proxies: edges and regions of like colour are not objects" in shown.text
    assert "nan" not in shown.text.lower()
    assert "gram" not in {a.get("id") for _, a in shown.elements}


def test_one_table_holds_every_metric_in_one_row(sample: Comparison, page: Page) -> None:
    triples = [a for a in page.all("p") if a.get("class") == "triple"]
    assert len(triples) == len(HOSTILE) * 2
    rows = sum(a.get("class") == "about" for a in page.all("details"))
    assert rows == len(sample.measurements.values) + len(sample.measurements.collection)
    (numbers,) = (k for k, (_, a) in enumerate(page.elements) if a.get("id") == "numbers")
    heads = 0
    for tag, attributes in page.elements[numbers + 1 :]:
        if tag == "section":
            break
        heads += tag == "th" and attributes.get("scope") == "col"
    assert heads == 1 + 2 + 1 + 1  # the metric, two models, their axis, one difference
    assert max(map(len, measurements_text(sample.measurements).splitlines())) <= 100


def test_the_folder_has_the_plane_and_the_tables(sample: Comparison, tmp_path: Path) -> None:
    small = with_planted(comparison(["a.png"]), masks="")
    write_comparison(small, tmp_path)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {*FILES, "plane.svg", "plane.png"}
    write_comparison(replace(small, measurements=comparison(["a.png"]).measurements), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == set(FILES)


def test_a_new_module_is_a_new_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "invented.py").write_text(
        "from markupsafe import Markup\n"
        "from dinoscope.drawing.pages import Section\n"
        "def sections(comparison):\n"
        "    yield Section('invented', 'Invented', Markup('<p>here</p>'), 15)\n"
    )
    monkeypatch.setattr(sections, "__path__", [*sections.__path__, str(tmp_path)])
    monkeypatch.setattr(sections, "MODULES", sections.found())
    page = report_html(comparison(["a.png"], ("only",)))
    assert page.index('id="numbers"') < page.index('id="invented"') < page.index('id="fairness"')
