"""The report as a document: what is in it, and what never may be."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.comparison import words
from dinoscope.comparison.figures.captions import overview_caption, photograph_caption
from dinoscope.comparison.report import report
from dinoscope.comparison.report.report import report_html, write_report
from dinoscope.comparison.report.sections.numbers import axis_limits
from dinoscope.data.results import Comparison, Failure
from dinoscope.drawing.html import colours_uri, cosines_uri
from dinoscope.drawing.pages import STATIC_POLICY
from dinoscope.drawing.style import cosine_colours, plain
from dinoscope.drawing.verdicts import shares
from dinoscope.drawing.view.payload import comparison_payload
from dinoscope.drawing.view.standalone import CONTENT_SECURITY_POLICY
from dinoscope.names import well_formed
from tests.samples import HOSTILE, POINTS, comparison

LABELS = ('m"><img src=x onerror=alert(2)>', "second-model", "pixels")
VOID = {"meta", "img", "br", "link", "hr", "input", "source"}


class Page(HTMLParser):
    """Elements, their attributes and the text between them; complains about tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def sample() -> Comparison:
    return comparison(
        HOSTILE,
        LABELS,
        controls=["pixels"],
        undefined=True,
        failures=[Failure("<b>bad</b>.jpg", "not a <picture>")],
    )


@pytest.fixture(scope="module")
def html(sample: Comparison) -> str:
    return report_html(sample)


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def decoded(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"))


def test_names_are_text_and_never_markup(html: str, page: Page) -> None:
    assert not {tag for tag, _ in page.elements} & {"script", "iframe", "object", "embed", "link", "base"}
    assert all(attributes == {"class": "control"} for attributes in page.all("b"))
    assert "<script" not in html
    for _, attributes in page.elements:
        assert not any(key.startswith("on") for key in attributes)
    for name in (*HOSTILE, *LABELS, "<b>bad</b>.jpg", "not a <picture>", "They do <b>not</b>."):
        assert plain(well_formed(name)) in page.text
    assert all(
        not re.search(r"[\x00-\x08\x0b-\x1f\u202a-\u202e]", value)
        for _, a in page.elements
        for value in a.values()
    )


def test_toys_and_controls_are_called_so_before_anything_else() -> None:
    c = comparison(HOSTILE[:2], ("mini", "other", "pixels"), controls=["pixels"], toys=["mini"])
    toy, control = "mini: a toy model, to show how things work", "pixels: a control, not a trained model."
    text = Page(report_html(c)).text
    for said in (toy, control):
        assert 0 < text.index(said) < text.index("Numbers")
    assert text.count("toy model, layer 11") == 2 and "toy model, trained, dinov2" in text
    assert photograph_caption(c, 0).count(toy) == overview_caption(c).count(control) == 1
    assert [m["kind"] for m in json.loads(comparison_payload(c).header)["models"]] == ["toy", "", "control"]
    without = Page(report_html(comparison(HOSTILE[:2])))
    assert "toy" not in without.text and {"class": "kinds"} not in without.all("p")


def test_nothing_is_asked_of_anybody(html: str, page: Page) -> None:
    for tag, attributes in page.elements:
        for key in ("src", "href", "action", "data", "poster", "srcset", "xlink:href"):
            if key in attributes:
                assert attributes[key].startswith("#" if tag == "a" else "data:image/"), (
                    tag,
                    attributes[key][:60],
                )
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "http:" not in html and "https:" not in html


def test_the_policy_forbids_requests_and_scripts(page: Page) -> None:
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith(STATIC_POLICY)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "script-src" not in rules and "connect-src" not in rules
    assert rules["img-src"] == "data:"


def test_a_view_goes_after_the_header_and_may_run(sample: Comparison) -> None:
    view = '<dinoscope-view data-x="1"></dinoscope-view>'
    text = report_html(sample, view=view)
    assert text.count(view) == 1
    assert text.index("</header>") < text.index(view) < text.index('id="numbers"')
    assert f'content="{CONTENT_SECURITY_POLICY};' in text


def test_every_map_is_there_at_patch_resolution(sample: Comparison, page: Page) -> None:
    maps = [decoded(a["src"]) for a in page.all("img") if "map of" in a["alt"]]
    expected = []
    for row in sample.maps:
        for drawn in row:
            expected.append(np.rint(drawn.colours * 255))
            for similarity in drawn.similarity:
                colours, scale = cosine_colours()
                expected.append(colours(scale(similarity.values), bytes=True)[..., :3].astype(float))
    assert len(maps) == len(expected) == len(HOSTILE) * 3 * (1 + len(POINTS))
    for shown, values in zip(maps, expected, strict=True):
        np.testing.assert_array_equal(shown, values)
    assert all("pixels" in a["class"] for a in page.all("img") if "map of" in a["alt"])


def test_reference_patches_are_outlined_where_they_are(sample: Comparison, html: str) -> None:
    plate = html[html.index('id="photo-2"') : html.index('id="photo-3"')]
    grid = sample.features[1][0].grid
    width, height = sample.photographs[1].size
    svg = re.search(rf'<svg class="over" viewBox="0 0 {width} {height}".*?</svg>', plate)
    assert svg is not None
    found = re.findall(r'class="box" x="(.*?)" y="(.*?)" width="(.*?)" height="(.*?)"', svg[0])
    expected = [grid.box(*grid.patch_at(*place)) for place in POINTS]
    np.testing.assert_allclose(
        np.array(found, dtype=float), [(a, b, c - a, d - b) for a, b, c, d in expected], rtol=1e-4
    )
    assert len(re.findall(r'class="mark', plate)) == len(POINTS)


def test_every_picture_has_words_instead(page: Page) -> None:
    for picture in page.all("img"):
        assert "alt" in picture
        assert picture["alt"] or int(picture["height"]) == 1  # the colour scale, which its group describes
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(set(ids)) == len(ids)
    assert {a["href"][1:] for a in page.all("a")} <= set(ids)
    assert page.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_numbers_ledger_models_failures_and_settings_are_all_said(sample: Comparison, page: Page) -> None:
    m = sample.measurements
    for metric in m.values:
        for interval in m.summaries[metric]:
            assert words.fitting(interval) in page.text
        for difference in m.differences[metric]:
            assert words.fitting(difference.interval, sign="+") in page.text
            assert shares(difference) in page.text
    for said in (
        "✓ met",
        "✗ not met",
        "control, not a trained model",
        "fewer than 30",
        "DINOv3 License",
        "b" * 64,
        "Apache-2.0",
        "residual",
        "bilinear",
        "1 input could not be used",
    ):
        assert said in page.text
    share = sum(sample.models[0].pca.explained_variance_ratio[:3])
    assert f"{share:.0%}" in page.text
    assert "nan" not in page.text.lower().replace("nano", "")


def test_no_sentence_blames_a_difference_on_gram_anchoring(page: Page) -> None:
    assert "effect of gram" not in page.text.lower()
    assert "names no cause" in page.text


def test_without_failures_no_failures_are_mentioned() -> None:
    shown = Page(report_html(comparison()))
    assert "could not be used" not in shown.text
    assert "failures" not in {a.get("id") for _, a in shown.elements}


@pytest.mark.parametrize(
    "made",
    [
        {"names": ["one.png"], "labels": ("only",)},
        {"names": ["one.png"], "labels": ("only",), "undefined": True},
        {"foreground": True},
        {"labels": ("a", "b", "c", "d", "e")},
        {"settings": {}},
    ],
)
def test_small_and_large_comparisons_make_whole_pages(made: dict[str, object]) -> None:
    shown = Page(report_html(comparison(**made)))  # type: ignore[arg-type]
    assert "nan" not in shown.text.lower()


def test_the_file_is_small_and_there_whole_or_not_at_all(
    sample: Comparison, html: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    write_report(sample, path, view="")
    assert path.read_text(encoding="utf-8") == html
    assert path.stat().st_size < 1_200_000  # six photographs, three models, Gram figures light and dark

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("dinoscope.atomic.os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(comparison(), path)
    assert path.read_text(encoding="utf-8") == html
    assert list(tmp_path.iterdir()) == [path]
    assert report.write_report is write_report


def test_uris_hold_what_they_are_given() -> None:
    np.testing.assert_array_equal(decoded(colours_uri(np.array([[[0.0, 0.5, 1.0]]]))), [[[0, 128, 255]]])
    shown = decoded(cosines_uri(np.array([[-1.0, 0.0, 1.0]])))
    np.testing.assert_allclose(shown[0], [(252, 222, 232), (68, 1, 84), (253, 231, 36)], atol=1)


def test_axes_end_at_round_numbers_around_everything() -> None:
    assert axis_limits([0.61, 0.83, math.nan]) == (0.6, 0.9)
    assert axis_limits([0.61, 0.63]) == (0.61, 0.63)
    assert axis_limits([-3.2, 41.0]) == (-10.0, 50.0)
    assert axis_limits([math.nan]) == (0.0, 1.0)
    low, high = axis_limits([0.5, 0.5])
    assert low <= 0.5 < high
