"""The search page in a real browser, served by the command as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dinoscope.backbones.load import load_backbone
from dinoscope.pipeline.embed import embed
from tests.view.live_samples import png
from tests.view.test_viewer_browser import drop, file, visit

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
N = 7


@pytest.fixture(params=["float16"])
def address(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a page on photographs whose maps are kept as the parameter says."""
    (tmp_path / "photos").mkdir()
    for i in range(N):
        size = (60, 90) if i == 0 else (96, 60)
        (tmp_path / "photos" / f"<b>{i}.png").write_bytes(png(i, size))
    embed(tmp_path / "photos", load_backbone("pixels"), tmp_path / "store", grid=8, dense=request.param)
    process = subprocess.Popen(
        [sys.executable, "-c", "from dinoscope.cli import main; main()", "view", str(tmp_path / "store")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    too_long = threading.Timer(90, process.kill)  # a line that never comes must not be waited for
    too_long.start()
    try:
        words = process.stdout.readline().split()
        assert words[:1] == ["open"], process.stderr.read()
        yield words[1]
    finally:
        too_long.cancel()
        process.kill()
        process.communicate(timeout=30)


def settled(page: Any) -> None:
    """Busy begins with the switch, the click or the drop itself, not with the request that follows."""
    page.wait_for_function("() => document.getElementById('rankings').ariaBusy === 'false'")


def hits(page: Any, ranking: str) -> list[tuple[str, str]]:
    """Digest and cosine of each hit."""
    return [
        (item.get_attribute("data-digest"), item.locator(".score").inner_text())
        for item in page.locator(f"#{ranking} li").all()
    ]


def drag(page: Any, frame: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=3)
    page.mouse.up()


def test_the_search_page(browser: Any, address: str, tmp_path: Path) -> None:
    live = visit(browser, address)
    page = live.page
    listed = page.locator("#collection li button")
    listed.nth(N - 1).wait_for()
    assert page.locator("#about").inner_text() == f"{N} photographs, vectors of pixels"
    assert not page.locator("#rankings").is_visible()

    listed.nth(3).click()
    settled(page)
    assert page.locator("#query-name").inner_text() == "<b>3.png"
    assert not page.locator(
        "#suppressed"
    ).is_visible()  # as on the command line, nothing is suppressed unasked
    page.select_option("#suppress", "background")
    settled(page)
    plain, suppressed = hits(page, "plain"), hits(page, "suppressed")
    assert len(plain) == len(suppressed) == N - 1
    assert [score for _, score in plain] == sorted((score for _, score in plain), key=float, reverse=True)
    assert plain != suppressed
    assert all(
        page.evaluate(
            """async (selector) => Promise.all([...document.querySelectorAll(selector)].map(
                (image) => image.decode().then(() => image.naturalWidth > 0)))""",
            "#stage img, .ranking img",
        )
    )

    page.select_option("#suppress", "none")
    settled(page)
    assert not page.locator("#suppressed").is_visible() and hits(page, "plain") == plain
    page.select_option("#suppress", "centre")
    settled(page)
    centred = hits(page, "suppressed")
    assert page.locator("#suppressed").is_visible() and centred != plain
    assert "taken out" in page.locator("#suppressed summary").inner_text()
    ranks = {digest: rank for rank, (digest, _) in enumerate(plain)}
    moves = page.locator("#suppressed .moved").all_inner_texts()
    want = [ranks[digest] - rank for rank, (digest, _) in enumerate(centred)]
    assert moves == ["=" if d == 0 else f"▲{d}" if d > 0 else f"▼{-d}" for d in want]
    page.select_option("#pooling", "gem")
    settled(page)
    assert hits(page, "plain") != plain
    page.select_option("#pooling", "mean")
    settled(page)
    assert hits(page, "plain") == plain

    stage = page.locator("#stage .frame")
    drag(page, stage, (0.25, 0.1), (0.75, 0.6))
    settled(page)
    assert page.locator("#region").inner_text() == "Box: 25 to 75 % across, 10 to 60 % down"
    assert page.locator("#stage .chosen").count() == 1
    boxed = hits(page, "plain")
    assert boxed != plain
    stage.click(position={"x": 2, "y": 2})
    settled(page)
    assert page.locator("#region").inner_text() == "Patch in row 1 of 8, column 1 of 13"
    page.go_back()
    settled(page)
    assert hits(page, "plain") == boxed
    page.click("#whole")
    settled(page)
    assert hits(page, "plain") == plain and page.locator("#stage .chosen").count() == 0

    page.keyboard.press("ArrowRight")  # on the stage, whose button was pressed
    page.keyboard.press("ArrowRight")
    assert page.locator("#status").inner_text() == "Row 5 of 8, column 8 of 13"
    page.keyboard.press("Enter")
    settled(page)
    assert page.locator("#region").inner_text() == "Patch in row 5 of 8, column 8 of 13"
    page.keyboard.press("Shift+ArrowUp")
    page.keyboard.press("Shift+ArrowLeft")
    settled(page)
    assert page.locator("#region").inner_text() == "Box: 46 to 62 % across, 38 to 63 % down"
    page.keyboard.press("Escape")
    settled(page)
    assert hits(page, "plain") == plain

    second = page.locator("#plain li").nth(1)
    digest = second.get_attribute("data-digest")
    drag(page, second.locator(".frame"), (0.2, 0.2), (0.8, 0.9))
    page.wait_for_function(
        "(name) => document.getElementById('query-name').textContent !== name", arg="<b>3.png"
    )
    settled(page)
    assert page.locator("#region").inner_text().startswith("Box: 20 to 80 % across")
    assert digest not in [found for found, _ in hits(page, "plain")]
    page.click("#whole")
    settled(page)
    page.locator("#suppressed li").first.locator(".choose").click()
    settled(page)
    assert page.locator("#region").inner_text() == "The whole photograph"

    page.locator("#suppressed .ask").first.click()
    page.wait_for_selector("#why img:not([hidden])")
    assert "every patch" in page.locator("#why img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not page.locator("#why").is_visible()

    page.set_input_files("#file", [file("new.png", png(90, (80, 60)))])
    page.wait_for_function("() => document.getElementById('query-name').textContent === 'new.png'")
    settled(page)
    assert len(hits(page, "plain")) == N
    (tmp_path / "dropped.png").write_bytes(png(91, (60, 60)))
    drop(page, tmp_path / "dropped.png")
    page.wait_for_function("() => document.getElementById('query-name').textContent === 'dropped.png'")
    settled(page)
    assert len(hits(page, "plain")) == N
    assert live.complaints == []

    (tmp_path / "notes.txt").write_text("no photograph")
    drop(page, tmp_path / "notes.txt")
    page.wait_for_selector("#error:visible")
    assert "not an image" in page.locator("#error").inner_text()
    page.select_option("#pooling", "cls")
    settled(page)
    told = page.locator("#plain .bad").inner_text()
    assert "class token" in told and hits(page, "plain") == []
    assert all("422" in complaint for complaint in live.complaints)

    for width in (390, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    assert [url for url in live.requests if not url.startswith((address, "blob:", "data:"))] == []
    page.context.close()


def test_a_click_on_a_patch_finds_patches_and_a_click_on_a_hit_searches_for_its_patch(
    browser: Any, address: str
) -> None:
    live = visit(browser, address)
    page = live.page
    page.locator("#collection li button").nth(2).click()
    settled(page)
    page.select_option("#suppress", "background")
    settled(page)
    page.select_option("#among", "patches")
    settled(page)
    assert page.locator("#plain .outline.chosen").count() == 0
    assert "click a patch" in page.locator("#status").inner_text()
    page.locator("#stage .frame").click(position={"x": 20, "y": 20})
    settled(page)
    for ranking in ("plain", "suppressed"):
        assert page.locator(f"#{ranking} li").count() == N - 1
        assert page.locator(f"#{ranking} li .outline.chosen").count() == N - 1
    digest, _ = hits(page, "plain")[0]
    page.locator("#plain li .choose").first.click()
    settled(page)
    assert page.locator("#region").inner_text().startswith("Patch in row")
    assert digest not in {found for found, _ in hits(page, "plain")}
    assert live.complaints == []
    page.context.close()


@pytest.mark.parametrize("address", [None], indirect=True)
def test_without_maps_of_patches_the_page_says_why_there_is_no_search_among_them(
    browser: Any, address: str
) -> None:
    live = visit(browser, address)
    page = live.page
    page.locator("#collection li button").nth(2).click()
    settled(page)
    option = page.locator("#among option[value=patches]")
    assert option.is_disabled()
    assert "--dense" in option.inner_text()
    drag(page, page.locator("#stage .frame"), (0.2, 0.2), (0.2, 0.2))
    settled(page)
    assert page.locator("#region").inner_text().startswith("Patch in row")
    assert len(hits(page, "plain")) == N - 1
    assert live.complaints == []
    page.context.close()
