"""What a person can do: pins, keys, columns, links, saving; and what the page never does."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.view.view_samples import HOSTILE

STATE = "structuredClone(view.session.state)"


def test_text_from_data_stays_text_and_nothing_is_asked_for(
    open_page: Callable[..., Any], pictures_fragment: str
) -> None:
    opened = open_page(pictures_fragment)
    opened.hover(1, 0.5, 0.5)
    opened.page.mouse.down()
    opened.page.mouse.up()
    opened.ask("view.exportSVG()")
    assert HOSTILE in opened.page.locator(".caption").first.inner_text()
    assert opened.page.locator(".caption").first.get_attribute("title").endswith("; <u>note</u>")
    assert "<i>one</i>" in opened.page.locator(".column .name").first.inner_text()
    inside = "view.shadowRoot.querySelectorAll('i:not(.under i), b, u, img[src=x]').length"
    assert opened.ask(inside) == 0
    assert opened.ask("window.hacked ?? 0") == 0
    outside = [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert len([url for url in opened.requests if url.startswith("file:")]) == 1
    assert opened.complaints == []


def test_click_pins_and_a_second_click_takes_the_pin_out(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    opened = open_page(noise_fragment)
    maps = opened.page.locator(".stage.map")
    assert maps.count() == 6
    for x in (0.2, 0.8):
        opened.hover(0, x, 0.3)
        opened.page.mouse.down()
        opened.page.mouse.up()
    assert [round(pin["x"], 1) for pin in opened.ask(STATE)["pins"]] == [0.2, 0.8]
    assert maps.count() == 12  # no map twice: the patch under the pointer is the one just pinned
    assert opened.page.locator(".group .pin").all_inner_texts()[:2] == ["Pin 1", "Pin 2"]
    opened.hover(0, 0.5, 0.8)
    assert maps.count() == 18
    opened.page.locator("summary", has_text="Display").click()
    opened.page.get_by_label("Follow pointer").uncheck()
    opened.page.keyboard.press("Escape")
    assert maps.count() == 12
    opened.hover(0, 0.8, 0.3)
    opened.page.mouse.down()
    opened.page.mouse.up()
    assert len(opened.ask(STATE)["pins"]) == 1
    opened.page.get_by_label("Remove pin 1").first.click()
    assert opened.ask(STATE)["pins"] == []
    assert maps.count() == 6
    assert opened.complaints == []


@pytest.mark.parametrize("width", [390, 1280])
def test_a_pinned_patch_stays_under_the_cursor(
    open_page: Callable[..., Any], noise_fragment: str, width: int
) -> None:
    opened = open_page(noise_fragment, width=width, height=500)
    for model, x in ((-1, 0.3), (1, 0.6)):
        opened.ask("view.session.set({ pins: [] })")
        opened.hover(1, x, 0.5, model)
        stage = opened.page.locator(f".stage[data-image='1'][data-model='{model}']").first
        before = stage.bounding_box()
        for step in (0, 40):  # the map under the pointer comes when it leaves the patch
            place = (before["x"] + x * before["width"] + step, before["y"] + 0.5 * before["height"])
            opened.page.mouse.move(*place)
            if not step:
                opened.page.mouse.down()
                opened.page.mouse.up()
            after = stage.bounding_box()
            assert (after["x"], after["y"]) == pytest.approx((before["x"], before["y"]), abs=1), (model, step)


def test_pinned_maps_stay_while_the_pointer_moves(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    opened.hover(0, 0.2, 0.3)
    opened.page.mouse.down()
    opened.page.mouse.up()
    shots = "[...view.shadowRoot.querySelectorAll('.map canvas')].map((c) => c.toDataURL())"
    opened.hover(1, 0.5, 0.5)
    before = opened.ask(shots)
    opened.hover(1, 0.9, 0.9)
    after = opened.ask(shots)
    same = [a == b for a, b in zip(before, after, strict=True)]
    assert same == [True, True, False, False] * 3


def test_keys_alone_reach_everything(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    keyboard = opened.page.keyboard
    active = (
        "((e) => e.getAttribute('aria-label') ?? e.labels?.[0]?.textContent ?? e.textContent)"
        "(view.shadowRoot.activeElement)"
    )
    seen: list[str] = []
    for _ in range(40):
        keyboard.press("Tab")
        name = opened.ask(f"view.shadowRoot.activeElement ? {active} : ''")
        if not name:
            break  # past the view
        seen.append(name)
        ring = "getComputedStyle(view.shadowRoot.activeElement.matches('[type=radio]') ? "
        ring += (
            "view.shadowRoot.activeElement.nextElementSibling : view.shadowRoot.activeElement).outlineStyle"
        )
        assert opened.ask(ring) != "none", name
    text = " | ".join(seen)
    for part in (
        "Colour scale",
        "Order of the photographs",
        "Display",
        "Columns",
        "Save",
        "Keys",
        "arrow keys",
    ):
        assert part in text
    opened.page.locator("summary", has_text="Display").focus()
    keyboard.press("Enter")
    for part in ("Opacity", "Smooth", "Patches around"):
        keyboard.press("Tab")
        assert part in opened.ask(active)
    keyboard.press("Escape")
    stage = opened.page.locator(".stage.photo").first
    stage.focus()
    start = opened.ask(STATE)["at"]
    keyboard.press("ArrowRight")
    keyboard.press("ArrowDown")
    moved = opened.ask(STATE)["at"]
    assert moved["x"] == pytest.approx((int(start["x"] * 16) + 1.5) / 16)
    assert moved["y"] == pytest.approx((int(start["y"] * 12) + 1.5) / 12)
    keyboard.press("Shift+ArrowLeft")
    assert opened.ask(STATE)["at"]["x"] == pytest.approx(moved["x"] - 5 / 16)
    keyboard.press("PageDown")
    assert opened.ask(STATE)["at"]["image"] == 1
    keyboard.press("Enter")
    assert [pin["image"] for pin in opened.ask(STATE)["pins"]] == [1]
    assert opened.ask("view.shadowRoot.activeElement.dataset.image") == "1"
    keyboard.press("Delete")
    assert opened.ask(STATE)["pins"] == []
    for key, mode in (("r", "rank"), ("t", "threshold"), ("d", "difference"), ("p", "pca"), ("c", "cosine")):
        keyboard.press(key)
        assert opened.ask(STATE)["mode"] == mode
    keyboard.press("a")  # asks a server, and a page from disk has none
    assert opened.ask(STATE)["mode"] == "cosine" and opened.page.locator(".menu label").count() == 7
    keyboard.press("s")
    assert opened.ask(STATE)["smooth"] is True
    keyboard.press("+")
    assert opened.ask(STATE)["zoom"]["z"] == pytest.approx(1.5)
    keyboard.press("0")
    assert opened.ask(STATE)["zoom"]["z"] == 1
    keyboard.press("?")
    assert opened.page.locator("dialog[open]").count() == 1
    assert "all 331,776 pairs" in opened.page.locator("dialog").inner_text()
    keyboard.press("Escape")
    assert opened.page.locator("dialog[open]").count() == 0
    opened.page.wait_for_function(
        "() => document.querySelector('dinoscope-view').shadowRoot.querySelector('[role=status]').textContent"
    )
    assert "row" in opened.page.locator("[role=status]").inner_text()


def test_columns_move_and_hide(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment, width=700)
    names = opened.page.locator(".column .name")
    opened.page.locator("summary", has_text="Columns").focus()
    opened.page.keyboard.press("Enter")
    opened.page.get_by_label("Move second left").press("Enter")
    assert names.all_inner_texts() == ["second", "first"]
    opened.page.get_by_role("checkbox", name="first").uncheck()
    assert names.all_inner_texts() == ["second"]
    assert opened.page.get_by_role("checkbox", name="second").is_disabled()
    opened.page.keyboard.press("Escape")
    assert opened.page.locator("details[open]").count() == 0
    opened.page.get_by_label("Colour scale of cosines").select_option("own")
    assert "own scale" in names.locator("..").inner_text()
    assert opened.complaints == []


def test_address_keeps_the_state(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    wanted = {
        "mode": "threshold",
        "scale": "01",
        "sort": "name",
        "threshold": 0.25,
        "components": [2, 0, 1],
        "opacity": 0.6,
        "smooth": True,
        "radius": 5,
        "order": [1, 0],
        "hidden": [0],
        "at": {"image": 2, "x": 0.25, "y": 0.75},
        "pins": [{"image": 1, "x": 0.5, "y": 0.125}, {"image": 0, "x": 0.1, "y": 0.2}],
        "live": False,
        "wipe": 0.25,
        "zoom": {"z": 2, "x": 0.25, "y": 0.5},
        "options": {
            **opened.ask("view.session.state.options"),
            "head": "2",
            "words": "a cat & grass; 50%",
            "clicks": "0,0.25,0.5,1;1,0.1,0.2,0",
        },
    }
    opened.ask("view.session.set(argument)", wanted)
    opened.page.wait_for_function("() => location.hash.startsWith('#view?mode=threshold')")
    link = opened.page.evaluate("location.hash")
    again = open_page(noise_fragment, address=link)
    assert again.ask(STATE) == wanted
    assert again.page.locator(".stage.map").count() == 6
    broken = open_page(
        noise_fragment, address="#view?mode=x&at=9,2,z&pins=;;7,0,0&order=0,0&hidden=0,1&zoom=99,a"
    )
    assert broken.ask(STATE) == open_page(noise_fragment, address="").ask(STATE)
    assert broken.complaints == []


def test_png_and_svg_are_whole_files(open_page: Callable[..., Any], pictures_fragment: str) -> None:
    opened = open_page(pictures_fragment)
    opened.hover(1, 0.3, 0.3)
    opened.page.mouse.down()
    opened.page.mouse.up()
    opened.hover(0, 0.6, 0.6)
    files = {}
    stem = "dinoscope-cosine-script-img-src-x-onerror-window-at-0.60-0.60-i-one-i-vs-two"
    for name, file in (("PNG image", f"{stem}.png"), ("SVG drawing", f"{stem}.svg")):
        opened.page.locator("summary", has_text="Save").click()
        with opened.page.expect_download() as download:
            opened.page.get_by_role("button", name=name).click()
        assert download.value.suggested_filename == file
        files[file] = download.value.path().read_bytes()
        opened.page.keyboard.press("Escape")
    picture = Image.open(io.BytesIO(files[f"{stem}.png"]))
    picture.load()
    assert picture.format == "PNG"
    assert len(picture.convert("RGB").resize((64, 64)).getcolors(4096) or []) > 300
    drawing = ElementTree.fromstring(files[f"{stem}.svg"])
    space = "{http://www.w3.org/2000/svg}"
    images = list(drawing.iter(f"{space}image"))
    assert len(images) == 1 + 3 * (1 + 4)  # the scale; no photograph under maps that cover it
    assert all(image.attrib["href"].startswith("data:image/") for image in images)
    texts = [text.text for text in drawing.iter(f"{space}text")]
    assert HOSTILE in texts
    assert "<i>one</i>, pin 1" in texts
    line = " ".join(text or "" for text in texts[-6:])
    for said in (
        f"reference: {HOSTILE} at (0.6",
        f"two = two, layer 11, sha256 {'c' * 12}",
        "dinoscope 9.8.7",
    ):
        assert said in line
    one = opened.ask("view.exportSVG([1])")
    assert len(list(ElementTree.fromstring(one).iter(f"{space}image"))) == 1 + 1 + 4
    opened.page.locator("summary", has_text="Save").click()
    for other in ("astronaut.png", "coffee.png"):
        opened.page.locator(".rows").get_by_label(other).uncheck()
    assert opened.ask("view.session.controls.rows.querySelectorAll(':checked').length") == 1
    assert sum(bool(re.fullmatch(r"-?\d\.\d\d", text)) for text in texts) == 3 * 4
    assert opened.complaints == []


@pytest.mark.parametrize("width", [390, 1280, 2560])
def test_the_table_fits_every_width_and_pins_keep_the_maps_width(
    open_page: Callable[..., Any], noise_fragment: str, width: int
) -> None:
    opened = open_page(noise_fragment, width=width, height=420)
    widths = "[...view.shadowRoot.querySelectorAll('.stage.map')].map((s) => s.clientWidth)"
    before = opened.ask(widths)[0]
    for x in (0.2, 0.5, 0.8):
        opened.hover(0, x, 0.3)
        opened.page.mouse.down()
        opened.page.mouse.up()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert min(opened.ask(widths)) == before >= 160
    head = opened.page.locator(".head")
    opened.page.evaluate("document.body.style.minHeight = '2000px'")
    opened.page.mouse.wheel(0, 200)
    opened.page.wait_for_function("() => scrollY > 80")
    assert head.bounding_box()["y"] >= 0
    assert head.bounding_box()["y"] < 140


def test_a_tap_asks_and_a_long_press_pins(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    touched = opened.page.locator(".stage.map").nth(1)
    box = touched.bounding_box()

    def fingers(*events: tuple[str, float]) -> None:
        """All in one task of the page: a slow machine must not make a long press of a tap."""
        told = [(kind, box["x"] + x * box["width"], box["y"] + 0.4 * box["height"]) for kind, x in events]
        touched.evaluate(
            """(stage, told) => {
                for (const [kind, clientX, clientY] of told) {
                    const finger = { pointerType: "touch", bubbles: true, composed: true, clientX, clientY };
                    stage.dispatchEvent(new PointerEvent(kind, finger));
                }
            }""",
            told,
        )

    fingers(("pointerdown", 0.7), ("pointerup", 0.7), ("click", 0.7))
    at = opened.ask(STATE)["at"]
    assert (at["image"], at["x"], at["y"]) == (0, pytest.approx(0.7, abs=1e-3), pytest.approx(0.4, abs=1e-3))
    opened.page.wait_for_timeout(700)
    assert opened.ask(STATE)["pins"] == []
    fingers(("pointerdown", 0.2), ("pointermove", 0.5))  # a finger that scrolls does not pin
    opened.page.wait_for_timeout(700)
    assert opened.ask(STATE)["pins"] == []
    fingers(("pointerdown", 0.2))
    opened.page.wait_for_function("() => document.querySelector('dinoscope-view').session.state.pins.length")
    fingers(("pointerup", 0.2), ("click", 0.2))
    assert [round(pin["x"], 2) for pin in opened.ask(STATE)["pins"]] == [0.2]


COVERED = """[...view.shadowRoot.querySelectorAll('.stage.map')].flatMap((stage) => {
  const box = (e) => e.getBoundingClientRect();
  const shown = [...stage.querySelectorAll('.best:not([hidden]) span, .reference span')].map(box);
  const rings = [...stage.querySelectorAll('.reference, .cursor:not([hidden])')].map((mark) => {
    const { left, right, top, bottom } = box(mark);
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const r = mark.classList.contains('tiny') ? 9 : (right - left) / 2 + 3;
    return { left: x - r, right: x + r, top: y - r, bottom: y + r };
  });
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const edge = box(stage);
  return shown.filter((one, i) => rings.some((ring) => meet(one, ring))
    || shown.some((other, k) => k > i && meet(one, other))
    || one.left < edge.left - 1 || one.right > edge.right + 1
    || one.top < edge.top - 1 || one.bottom > edge.bottom + 1).map(({ left, top }) => [left, top]); })"""


def test_labels_cover_neither_rings_nor_each_other(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    opened = open_page(noise_fragment, width=700)
    opened.ask("view.session.set({ radius: 0, live: true })")
    for x in (0.03, 0.3, 0.5, 0.72, 0.97):
        for y in (0.04, 0.35, 0.6, 0.96):
            opened.ask("view.session.point({ image: 0, x: argument[0], y: argument[1] })", [x, y])
            assert opened.ask(COVERED) == [], (x, y)


def test_the_patch_asked_for_stays_in_sight_and_thresholds_dim_and_outline(
    open_page: Callable[..., Any], noise_fragment: str
) -> None:
    opened = open_page(noise_fragment, height=420)
    opened.hover(0, 0.5, 0.5)
    opened.page.evaluate("document.body.style.minHeight = '2000px'")
    opened.page.mouse.wheel(0, 200)
    opened.page.wait_for_function("() => scrollY > 80")
    glance = opened.page.locator(".glance").first
    assert glance.is_visible() and 0 <= glance.bounding_box()["y"] < 140
    drawn = "view.session.table.glance.getContext('2d').getImageData(0, 0, 80, 80).data"
    assert opened.ask(f"new Set({drawn}).size") > 20
    opened.ask("view.session.set({ mode: 'threshold', threshold: 0 })")
    shares = opened.page.locator(".map .share").all_inner_texts()
    assert all(re.fullmatch(r"\d+%", share) for share in shares) and len(shares) == 6
    style = opened.ask(
        "(({ opacity, filter }) => ({ opacity, filter }))"
        "(getComputedStyle(view.shadowRoot.querySelector('.map canvas')))"
    )
    assert 0.5 < float(style["opacity"]) < 1 and "drop-shadow" in style["filter"]


def test_wrong_version_says_so_in_place(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    opened.ask("view.load(argument, new Uint8Array()).catch(() => 0)", '{"version": 99}')
    assert "version 99" in opened.page.locator("[role=alert]").inner_text()
