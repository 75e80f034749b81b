"""The search page in a real browser, served by the command as a user runs it."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from dinoscope.backbones.load import load_backbone
from dinoscope.pipeline.embed import embed
from tests.view.live_samples import png
from tests.view.test_viewer_browser import LivePage, blank, drop, file, visit

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]
N = 7
STORED = N + 1


@pytest.fixture(params=["float16"])
def address(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Of a page on photographs whose maps are kept as the parameter says; ``two``: by two models."""
    (tmp_path / "photos").mkdir()
    for i in range(N):
        size = (60, 90) if i == 0 else (96, 60)
        (tmp_path / "photos" / f"<b>{i}.png").write_bytes(png(i, size))
    exif = Image.Exif()
    exif[0x0110], exif[0x0132] = "M8", "2024:05:31 18:20:05"
    Image.open(tmp_path / "photos" / "<b>3.png").save(tmp_path / "photos" / "<b>3 again.png", exif=exif)
    two = request.param == "two"
    for model in ("pixels", "mini") if two else ("pixels",):
        dense = "float16" if two else request.param
        embed(tmp_path / "photos", load_backbone(model), tmp_path / "store", grid=8, dense=dense)
    process = subprocess.Popen(
        [sys.executable, "-c", "from dinoscope.cli import main; main()", "view", str(tmp_path / "store")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    too_long = threading.Timer(600, process.kill)  # a line that never comes must not be waited for
    too_long.start()
    try:
        words = process.stdout.readline().split()
        assert words[:1] == ["open"], process.stderr.read()
        yield words[1]
    finally:
        too_long.cancel()
        process.kill()
        process.communicate(timeout=300)


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
    listed = page.locator("#collection li button.choose")
    listed.nth(STORED - 1).wait_for()
    assert page.locator("#about").inner_text() == f"{STORED} photographs, vectors of pixels (control)"
    assert not page.locator("#rankings").is_visible()

    page.get_by_role("button", name="Search for <b>3.png").click()
    settled(page)
    assert page.locator("#query-name").inner_text() == "<b>3.png"
    assert not page.locator("#right").is_visible()  # as on the command line, nothing is suppressed unasked
    page.select_option("#suppress", "background")
    settled(page)
    plain, suppressed = hits(page, "left"), hits(page, "right")
    assert len(plain) == len(suppressed) == STORED - 1
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
    assert not page.locator("#right").is_visible() and hits(page, "left") == plain
    page.select_option("#suppress", "centre")
    settled(page)
    centred = hits(page, "right")
    assert page.locator("#right").is_visible() and centred != plain
    assert "taken out" in page.locator("#right summary").inner_text()
    ranks = {digest: rank for rank, (digest, _) in enumerate(plain)}
    moves = page.locator("#right .moved").all_inner_texts()
    want = [ranks[digest] - rank for rank, (digest, _) in enumerate(centred)]
    assert moves == ["=" if d == 0 else f"▲{d}" if d > 0 else f"▼{-d}" for d in want]
    page.select_option("#pooling", "gem")
    settled(page)
    assert hits(page, "left") != plain
    page.select_option("#pooling", "mean")
    settled(page)
    assert hits(page, "left") == plain

    stage = page.locator("#stage .frame")
    drag(page, stage, (0.25, 0.1), (0.75, 0.6))
    settled(page)
    assert page.locator("#region").inner_text() == "Box: 25 to 75 % across, 10 to 60 % down"
    assert page.locator("#stage .chosen").count() == 1
    boxed = hits(page, "left")
    assert boxed != plain
    stage.click(position={"x": 2, "y": 2})
    settled(page)
    assert page.locator("#region").inner_text() == "Patch in row 1 of 8, column 1 of 13"
    page.go_back()
    settled(page)
    assert hits(page, "left") == boxed
    page.click("#whole")
    settled(page)
    assert hits(page, "left") == plain and page.locator("#stage .chosen").count() == 0

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
    assert hits(page, "left") == plain

    second = page.locator("#left li").nth(1)
    digest = second.get_attribute("data-digest")
    drag(page, second.locator(".frame"), (0.2, 0.2), (0.8, 0.9))
    page.wait_for_function(
        "(name) => document.getElementById('query-name').textContent !== name", arg="<b>3.png"
    )
    settled(page)
    assert page.locator("#region").inner_text().startswith("Box: 20 to 80 % across")
    assert digest not in [found for found, _ in hits(page, "left")]
    page.click("#whole")
    settled(page)
    page.locator("#right li").first.locator(".choose").click()
    settled(page)
    assert page.locator("#region").inner_text() == "The whole photograph"

    page.locator("#right .ask").first.click()
    page.wait_for_selector("#why img:not([hidden])")
    assert "every patch" in page.locator("#why img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not page.locator("#why").is_visible()
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("#right .ask").first.click()
    page.wait_for_selector("#why img:not([hidden])")
    fits = "() => { const why = document.getElementById('why'); return why.scrollWidth <= why.clientWidth; }"
    assert page.evaluate(fits)
    size = page.evaluate(
        "() => { const i = document.querySelector('#why img'); return [i.width, i.height]; }"
    )
    assert size[0] > 300 and size[1] > size[0]  # one column, as large as the telephone allows
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 1280, "height": 900})

    page.set_input_files("#file", [file("new.png", png(90, (80, 60)))])
    page.wait_for_function("() => document.getElementById('query-name').textContent === 'new.png'")
    settled(page)
    assert len(hits(page, "left")) == STORED
    (tmp_path / "dropped.png").write_bytes(png(91, (60, 60)))
    drop(page, tmp_path / "dropped.png")
    page.wait_for_function("() => document.getElementById('query-name').textContent === 'dropped.png'")
    settled(page)
    assert len(hits(page, "left")) == STORED
    assert live.complaints == []

    (tmp_path / "notes.txt").write_text("no photograph")
    drop(page, tmp_path / "notes.txt")
    page.wait_for_selector("#error:visible")
    assert "not an image" in page.locator("#error").inner_text()
    page.select_option("#pooling", "cls")
    settled(page)
    told = page.locator("#left .bad").inner_text()
    assert "class token" in told and hits(page, "left") == []
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
    page.locator("#collection li button.choose").nth(2).click()
    settled(page)
    page.select_option("#suppress", "background")
    settled(page)
    page.select_option("#among", "patches")
    settled(page)
    assert page.locator("#left .outline.chosen").count() == 0
    assert "click a patch" in page.locator("#status").inner_text()
    page.locator("#stage .frame").click(position={"x": 20, "y": 20})
    settled(page)
    for ranking in ("left", "right"):
        assert page.locator(f"#{ranking} li").count() == STORED - 1
        assert page.locator(f"#{ranking} li .outline.chosen").count() == STORED - 1
    digest, _ = hits(page, "left")[0]
    page.locator("#left li .choose").first.click()
    settled(page)
    assert page.locator("#region").inner_text().startswith("Patch in row")
    assert digest not in {found for found, _ in hits(page, "left")}
    assert live.complaints == []
    page.context.close()


@pytest.mark.parametrize("address", [None], indirect=True)
def test_without_maps_of_patches_the_page_says_why_there_is_no_search_among_them(
    browser: Any, address: str
) -> None:
    live = visit(browser, address)
    page = live.page
    page.locator("#collection li button.choose").nth(2).click()
    settled(page)
    option = page.locator("#among option[value=patches]")
    assert option.is_disabled()
    assert "--dense" in option.inner_text()
    drag(page, page.locator("#stage .frame"), (0.2, 0.2), (0.2, 0.2))
    settled(page)
    assert page.locator("#region").inner_text().startswith("Patch in row")
    assert len(hits(page, "left")) == STORED - 1
    assert live.complaints == []
    page.context.close()


@pytest.mark.parametrize("address", ["two"], indirect=True)
def test_two_models_stand_side_by_side_and_a_reload_asks_the_same(browser: Any, address: str) -> None:
    live = visit(browser, address)
    page = live.page
    page.get_by_role("button", name="Search for <b>2.png").click()
    settled(page)
    assert page.locator(".ranking h2").all_inner_texts() == ["mini (toy)", "pixels (control)"]
    left, right = hits(page, "left"), hits(page, "right")
    assert len(left) == len(right) == STORED - 1 and left != right
    ranks = {digest: rank for rank, (digest, _) in enumerate(left)}
    want = [ranks[digest] - rank for rank, (digest, _) in enumerate(right)]
    moves = page.locator("#right .moved").all_inner_texts()
    assert moves == ["=" if d == 0 else f"▲{d}" if d > 0 else f"▼{-d}" for d in want]
    assert page.locator("#shared").inner_text() == f"{STORED - 1} of {STORED - 1} hits are in both"
    names = page.locator("#left .name").all_inner_texts()
    assert set(names) == {f"<b>{i}.png" for i in range(N) if i != 2} | {"<b>3 again.png"}

    drag(page, page.locator("#stage .frame"), (0.2, 0.2), (0.8, 0.8))
    settled(page)
    page.select_option("#suppress", "centre")
    settled(page)
    asked, title = (hits(page, "left"), hits(page, "right")), page.locator("#right h2").inner_text()
    assert title == "pixels (control), suppressed: collection mean"
    page.reload()
    settled(page)
    assert (hits(page, "left"), hits(page, "right")) == asked
    assert page.locator("#region").inner_text().startswith("Box: 20 to 80 % across")
    page.select_option("#beside", "")
    settled(page)
    assert page.locator(".ranking h2").all_inner_texts() == ["Plain", "Suppressed: collection mean"]
    page.select_option("#suppress", "none")
    settled(page)
    assert not page.locator("#right").is_visible()
    page.goto(page.url.partition("#")[0])  # a page that is opened anew asks nothing
    page.locator("#collection li button.choose").nth(STORED - 1).wait_for()
    assert not page.locator("#rankings").is_visible()
    assert live.complaints == []
    page.context.close()


@pytest.mark.parametrize("address", ["two"], indirect=True)
def test_hits_are_filtered_combined_and_taken_along(browser: Any, address: str, tmp_path: Path) -> None:
    live = visit(browser, address)
    page = live.page
    page.get_by_role("button", name="Search for <b>2.png").click()
    settled(page)
    rows = page.evaluate("""() => [...document.querySelectorAll('#left li')].map((item) => {
        const { top, bottom } = item.querySelector('.choose').getBoundingClientRect();
        return [Math.round(top), Math.round(bottom)];
    })""")
    tops, bottoms = ({row[side] for row in rows} for side in (0, 1))
    assert len(tops) == len(bottoms) < len(rows)  # rows of one height each

    page.locator("#left li .name").first.click()
    card = page.locator("#card")
    name = page.locator("#left li .name").first.inner_text()
    assert card.locator(".path").inner_text() == str(tmp_path / "photos" / name)
    picture = page.request.get(card.locator("a").evaluate("(link) => link.href"))
    assert picture.headers["content-type"] == "image/jpeg"
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    card.get_by_role("button", name="Copy path").click()
    page.wait_for_function("() => document.getElementById('status').textContent === 'Path copied'")
    assert page.evaluate("() => navigator.clipboard.readText()") == str(tmp_path / "photos" / name)
    page.keyboard.press("Escape")
    assert not card.is_visible()

    for kind, count in (("csv", 2 * (STORED - 1) + 1), ("json", 2)):
        with page.expect_download() as saving:
            page.click(f"#{kind}")
        text = Path(saving.value.path()).read_text(encoding="utf-8")
        saved = list(csv.reader(text.splitlines())) if kind == "csv" else json.loads(text)["rankings"]
        assert len(saved) == count
    digests = [hit["digest"] for hit in saved[0]["hits"]]
    assert digests == [digest for digest, _ in hits(page, "left")]

    digest = page.locator("#left li").nth(1).get_attribute("data-digest")
    page.locator("#left li .more").nth(1).click(force=True)
    settled(page)
    page.locator("#left li .against").last.click(force=True)
    settled(page)
    said = "Searched for: the mean direction of 2 photographs minus the direction of another."
    assert page.locator("#together-said").inner_text() == said
    together = hits(page, "left")
    assert len(together) == STORED - 3 and digest not in [found for found, _ in together]
    assert page.locator("#left .ask").count() == 0  # no patch of one photograph says why
    page.reload()
    settled(page)
    assert hits(page, "left") == together
    page.locator("#together button").first.click()
    page.locator("#together button").first.click()
    settled(page)
    assert not page.locator("#together").is_visible() and len(hits(page, "left")) == STORED - 1

    page.click("#filters-said")
    page.select_option("#filter-camera", "M8")
    settled(page)
    assert page.locator("#left .name").all_inner_texts() == ["<b>3 again.png"]
    assert page.locator("#filters-said").inner_text() == "Filter (1)"
    page.fill("#filter-where", "no such column > 1")
    page.locator("#filter-where").blur()
    settled(page)
    assert "cannot be used" in page.locator("#left .bad").inner_text()
    page.click("#filters-clear")
    settled(page)
    assert len(hits(page, "left")) == STORED - 1
    assert all("422" in complaint for complaint in live.complaints)
    page.context.close()


def test_the_box_has_handles_and_the_dialog_is_dark_where_the_page_is(browser: Any, address: str) -> None:
    live = visit(browser, address)
    page = live.page
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Search for <b>2.png").click()
    settled(page)
    frame = page.locator("#stage .frame")
    drag(page, frame, (0.25, 0.25), (0.5, 0.5))
    settled(page)
    assert page.locator("#stage .grip").count() == 8
    for grab, end, said in (
        ((0.5, 0.5), (0.75, 0.9), "Box: 25 to 75 % across, 25 to 90 % down"),
        ((0.25, 0.575), (0.15, 0.1), "Box: 15 to 75 % across, 25 to 90 % down"),
        ((0.4, 0.4), (0.5, 0.2), "Box: 25 to 85 % across, 5 to 70 % down"),
        ((0.4, 0.4), (0.9, 0.4), "Box: 40 to 100 % across, 5 to 70 % down"),
    ):
        drag(page, frame, grab, end)
        settled(page)
        assert page.locator("#region").inner_text() == said
    drag(page, frame, (0.5, 0.5), (0.5, 0.5))
    settled(page)
    assert page.locator("#region").inner_text() == "Patch in row 5 of 8, column 7 of 13"
    page.locator("#left li .ask").first.click(force=True)
    page.wait_for_selector("#why img:not([hidden])")
    corner = page.evaluate("""() => {
        const image = document.querySelector('#why img');
        const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight).getContext('2d');
        canvas.drawImage(image, 0, 0);
        return Math.max(...canvas.getImageData(2, 2, 1, 1).data.slice(0, 3));
    }""")
    assert corner < 60
    assert live.complaints == []
    page.context.close()


def held(address: str, live: LivePage) -> Any:
    """Opens a page whose tables do not come before what this returns is let go."""
    requests: list[Any] = []
    live.page.route(re.compile("/tables$"), lambda route: requests.append(route))
    with live.page.expect_request(re.compile("/tables$")):
        live.page.goto(address)
    while not requests:  # it is underway; the route hears of it a little later
        live.page.wait_for_timeout(50)
    return requests[0]


def test_nothing_is_asked_of_a_table_before_the_page_knows_the_tables(browser: Any, address: str) -> None:
    live = blank(browser)
    tables = held(address, live)
    near = live.page.locator("#near")
    assert near.is_disabled()
    tables.continue_()
    near.click()
    live.page.locator("#groups .group").wait_for()
    assert live.complaints == []
    live.page.context.close()


def test_a_photograph_brought_before_the_page_knows_the_tables_is_searched_for(
    browser: Any, address: str
) -> None:
    live = blank(browser)
    tables = held(address, live)
    with live.page.expect_response(re.compile("/queries")):
        live.page.set_input_files("#file", [file("early.png", png(0, (60, 90)))])
    assert live.page.locator("#query-name").inner_text() == ""
    tables.continue_()
    live.page.locator("#query-name", has_text="early.png").wait_for()
    live.page.locator("#left li").nth(STORED - 2).wait_for()  # all others: it is itself in the store
    assert live.complaints == []
    live.page.context.close()


def test_near_duplicates_are_a_page_of_groups_whose_paths_are_saved(
    browser: Any, address: str, tmp_path: Path
) -> None:
    live = visit(browser, address)
    page = live.page
    page.click("#near")
    group = page.locator("#groups .group")
    group.wait_for()
    assert group.locator(".name").all_inner_texts() == ["<b>3 again.png", "<b>3.png"]
    with page.expect_download() as saving:
        group.get_by_role("button", name="Save list").click()
    paths = Path(saving.value.path()).read_text(encoding="utf-8")
    assert paths == "".join(f"{tmp_path / 'photos' / name}\n" for name in ("<b>3 again.png", "<b>3.png"))
    page.reload()
    group.wait_for()
    group.locator(".choose").first.click()
    settled(page)
    assert not page.locator("#duplicates").is_visible()
    assert hits(page, "left")[0][1] == "1.000"
    page.go_back()
    group.wait_for()
    assert not page.locator("#rankings").is_visible()
    assert live.complaints == []
    page.context.close()
