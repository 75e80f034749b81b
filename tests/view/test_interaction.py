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
    for part in ("Colour scale", "Photographs", "Display", "Columns", "Save", "Keys", "arrow keys"):
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
        "zoom": {"z": 2, "x": 0.25, "y": 0.5},
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
    for name, file in (("PNG image", "dinoscope-cosine.png"), ("SVG drawing", "dinoscope-cosine.svg")):
        opened.page.locator("summary", has_text="Save").click()
        with opened.page.expect_download() as download:
            opened.page.get_by_role("button", name=name).click()
        assert download.value.suggested_filename == file
        files[file] = download.value.path().read_bytes()
        opened.page.keyboard.press("Escape")
    picture = Image.open(io.BytesIO(files["dinoscope-cosine.png"]))
    picture.load()
    assert picture.format == "PNG"
    assert len(picture.convert("RGB").resize((64, 64)).getcolors(4096) or []) > 300
    drawing = ElementTree.fromstring(files["dinoscope-cosine.svg"])
    space = "{http://www.w3.org/2000/svg}"
    images = list(drawing.iter(f"{space}image"))
    assert len(images) == 1 + 3 * (1 + 4)  # the scale; no photograph under maps that cover it
    assert all(image.attrib["href"].startswith("data:image/") for image in images)
    texts = [text.text for text in drawing.iter(f"{space}text")]
    assert HOSTILE in texts
    assert "<i>one</i>, pin 1" in texts
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


def test_touch_moves_the_reference(browser: Any, open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    touched = opened.page.locator(".stage.map").nth(1)
    box = touched.bounding_box()
    x, y = box["x"] + 0.7 * box["width"], box["y"] + 0.4 * box["height"]
    touched.dispatch_event(
        "pointerdown", {"pointerType": "touch", "clientX": x, "clientY": y, "bubbles": True}
    )
    at = opened.ask(STATE)["at"]
    assert (at["image"], at["x"], at["y"]) == (0, pytest.approx(0.7, abs=1e-3), pytest.approx(0.4, abs=1e-3))


def test_wrong_version_says_so_in_place(open_page: Callable[..., Any], noise_fragment: str) -> None:
    opened = open_page(noise_fragment)
    opened.ask("view.load(argument, new Uint8Array()).catch(() => 0)", '{"version": 99}')
    assert "version 99" in opened.page.locator("[role=alert]").inner_text()
