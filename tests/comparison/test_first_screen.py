"""What a reader of the report meets first, on screens of three widths, in the dark and on paper."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.verdict import verdict
from dinoscope.data.results import Comparison
from dinoscope.drawing.disagreement import disagreements, most_different_first
from tests.chromium import PATIENT_MS
from tests.samples import comparison, with_planted

NAMES = [f"photograph {i}.jpg" for i in range(8)]
MOST_PAGES, MOST_HEIGHT_PX, MOST_SAVED = 10, 8_000, 4_000_000

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def sample() -> Comparison:
    alike = np.array([[math.nan, value] for value in (0.9, 0.2, 0.5, 0.7, math.nan, 0.3, 0.8, 0.6)])
    made = with_planted(comparison(NAMES), masks="", extra={"gram_correlation": 0.5})
    values = {**made.measurements.values, "gram_correlation": alike}
    return replace(made, measurements=replace(made.measurements, values=values))


@pytest.fixture(scope="module")
def address(sample: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(sample, path)
    return path.as_uri()


@pytest.fixture
def opened(browser: Any, address: str) -> Any:
    """Opens the report at a width, light or dark; whatever it complains about fails the test."""
    contexts, complaints = [], []

    def open_it(width: int, *, dark: bool = False, height: int = 900) -> Any:
        viewport = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=viewport, color_scheme="dark" if dark else "light"))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENT_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        page.goto(address)
        page.evaluate("document.querySelector('dinoscope-view').ready.then(() => 1)")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert complaints == []


STAGES = """[...document.querySelector('dinoscope-view').shadowRoot.querySelectorAll('.stage')].map((s) => {
  const { left, right, top, bottom, width } = s.getBoundingClientRect();
  return { image: +s.dataset.image, model: +s.dataset.model, left, right, top, bottom, width }; })"""


def test_the_answer_and_the_maps_are_on_the_first_screen(opened: Any, sample: Comparison) -> None:
    page = opened(1280)
    said = page.locator(".verdict li").all_inner_texts()
    assert said == list(verdict(sample)) and 1 <= len(said) <= 3
    for part in ("h1", ".verdict", ".small-plane svg", "nav"):
        box = page.locator(part).first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] < 450, part
    assert page.evaluate("document.querySelector('dinoscope-view').session.state.mode") == "pca"
    whole = [s for s in page.evaluate(STAGES) if s["model"] >= 0 and s["bottom"] <= 900]
    assert {s["model"] for s in whole} == {0, 1}
    assert len({s["image"] for s in whole}) >= 3
    assert not page.locator("details.fold[open]").count()


def test_photographs_that_the_models_see_most_differently_come_first(opened: Any, sample: Comparison) -> None:
    order = most_different_first(sample)
    assert order == [1, 5, 2, 7, 3, 6, 0, 4]
    np.testing.assert_allclose(disagreements(sample)[order][:3], [0.8, 0.7, 0.5])
    page = opened(1280)

    def shown() -> list[int]:
        stages = [s for s in page.evaluate(STAGES) if s["model"] < 0]
        return [s["image"] for s in sorted(stages, key=lambda s: (round(s["top"]), s["left"]))]

    assert shown()[:2] == order[:2]
    page.locator("select", has_text="as given").select_option("given")
    assert shown()[:2] == [0, 1]


def test_a_link_opens_what_is_folded(opened: Any) -> None:
    page = opened(1280)
    table = page.locator("table.numbers")
    assert not table.is_visible()
    page.locator("nav [href='#numbers']").click()
    assert table.is_visible()
    page.locator(".about summary").first.click()
    assert page.locator(".about small").first.is_visible()


@pytest.mark.parametrize(("width", "least"), [(390, 160), (1280, 180), (2560, 180)])
def test_it_fits_and_fills_every_width(opened: Any, width: int, least: int) -> None:
    page = opened(width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("document.documentElement.scrollHeight") <= MOST_HEIGHT_PX
    maps = [s for s in page.evaluate(STAGES) if s["model"] >= 0]
    assert min(s["width"] for s in maps) >= least
    assert max(s["right"] for s in maps) > 0.93 * width
    texts = "[...document.querySelectorAll('.small-plane text')]"
    assert min(page.evaluate(f"{texts}.map((t) => parseFloat(getComputedStyle(t).fontSize))")) >= 11
    page.evaluate("for (const fold of document.querySelectorAll('details.fold')) fold.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_contents_stand_at_the_side_of_a_wide_screen(opened: Any) -> None:
    for width, beside in ((1280, False), (2560, True)):
        page = opened(width)
        contents, title = page.locator("nav").bounding_box(), page.locator("h1").bounding_box()
        assert (contents["x"] + contents["width"] < title["x"]) == beside
        assert contents["height"] < (500 if beside else 60)


def test_the_toolbar_is_one_line(opened: Any) -> None:
    page = opened(1280)
    for mode in ("pca", "cosine", "difference", "rank", "threshold"):
        page.evaluate("(mode) => document.querySelector('dinoscope-view').session.set({ mode })", mode)
        assert page.locator("dinoscope-view .bar").bounding_box()["height"] < 44, mode


def test_menus_open_inside_a_narrow_screen(opened: Any) -> None:
    page = opened(390)
    for name in ("Display", "Columns", "Save"):
        page.locator("summary", has_text=name).first.click()
        panel = page.locator("details[open] .panel")
        box = panel.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 900
        seen = "(p, [x, y]) => p.contains(p.getRootNode().elementFromPoint(x, y))"
        assert panel.evaluate(seen, [box["x"] + 30, box["y"] + 12]), name
        page.keyboard.press("Escape")


def test_nothing_is_white_in_the_dark(opened: Any) -> None:
    page = opened(1280, dark=True)
    page.evaluate("for (const fold of document.querySelectorAll('details.fold')) fold.open = true")
    assert page.evaluate(LIGHT) == []
    for figure in page.locator("#gram img[alt^=Difference]").all():  # 0 on their diagonal
        assert max(figure.evaluate(CORNER)[:3]) < 60


LIGHT = """() => {
  const every = (root) => [...root.querySelectorAll('*')]
    .flatMap((e) => [e, ...(e.shadowRoot ? every(e.shadowRoot) : [])]);
  return every(document).filter((e) => {
    const { backgroundColor, filter } = getComputedStyle(e);
    const numbers = backgroundColor.match(/^rgba?.([^)]*)/)?.[1] ?? '0,0,0';
    const [r, g, b, opacity = 1] = numbers.split(',').map(Number);
    return opacity > 0.5 && r + g + b > 380 && filter === 'none' && e.getBoundingClientRect().width > 20;
  }).map((e) => `${e.tagName}.${e.className}`);
}"""

CORNER = """(img) => img.decode().then(() => {
  const drawn = document.createElement('canvas').getContext('2d');
  drawn.drawImage(img, 0, 0);
  return [...drawn.getImageData(2, 2, 1, 1).data];
})"""

OVERLAPS = """() => {
  const boxes = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    const text = walk.currentNode.textContent.trim().slice(0, 30);
    if (!text || parent.closest('svg, script, style, noscript, dinoscope-view')) continue;
    const range = document.createRange();
    range.selectNodeContents(walk.currentNode);
    for (const b of range.getClientRects()) if (b.width > 1) boxes.push({ b, text });
  }
  const found = [];
  boxes.forEach((one, i) => boxes.slice(i + 1).forEach((two) => {
    const across = Math.min(one.b.right, two.b.right) - Math.max(one.b.left, two.b.left);
    const down = Math.min(one.b.bottom, two.b.bottom) - Math.max(one.b.top, two.b.top);
    if (across > 1 && down > 4) found.push(`${one.text} / ${two.text}`);
  }));
  return found;
}"""


def test_paper_holds_the_answer_the_maps_the_table_and_the_ledger(opened: Any) -> None:
    page = opened(703)  # A4 within its margins
    pages = len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4", print_background=True)))
    assert 1 < pages <= MOST_PAGES
    page.emulate_media(media="print")
    assert page.evaluate(OVERLAPS) == []
    for part in (".verdict", "#photo-8", "table.numbers", "table.ledger", "#limits ul", "#models", "footer"):
        assert page.locator(part).is_visible(), part
    assert page.locator("#photo-1").bounding_box()["y"] < 500
    assert not page.locator("#curves").is_visible()
    assert "curves" in page.locator("footer").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 703


def test_saved_pictures_are_small(opened: Any) -> None:
    page = opened(1280)
    for state in ({"mode": "cosine"}, {"mode": "pca", "opacity": 0.5}, {"mode": "threshold", "opacity": 1}):
        saved = page.evaluate(
            "async (state) => { const view = document.querySelector('dinoscope-view');"
            " view.session.set(state);"
            " return [(await view.exportPNG()).size, (await view.exportSVG()).length]; }",
            state,
        )
        assert 0 < max(saved) <= MOST_SAVED, state


def test_a_picture_that_would_be_large_is_drawn_smaller(opened: Any) -> None:
    page = opened(1280)
    size, width = page.evaluate("""(async (view) => {
      const scene = await view.session.scene();
      const noise = new ImageData(1600, 1600);
      const step = 65536;
      for (let at = 0; at < noise.data.length; at += step) {
        crypto.getRandomValues(noise.data.subarray(at, at + step));
      }
      for (let at = 3; at < noise.data.length; at += 4) noise.data[at] = 255;
      const source = document.createElement('canvas');
      source.width = source.height = 1600;
      source.getContext('2d').putImageData(noise, 0, 0);
      const box = [0, 0, 1600, 1600];
      scene.parts.push({ kind: 'image', source, href: '', box, full: box, opacity: 1, smooth: false });
      view.session.scene = async () => scene;
      const blob = await view.exportPNG();
      return [blob.size, (await createImageBitmap(blob)).width / scene.width];
    })(document.querySelector('dinoscope-view'))""")
    assert size <= MOST_SAVED and 0.3 < width < 1.5


def test_too_few_photographs_name_no_direction() -> None:
    few = with_planted(comparison(["a.png", "b.png"]), masks="")
    assert "no direction is named" in verdict(few)[0]
    assert len(verdict(comparison(["one.png"], ("only",)))) == 1
