"""The live page's ways of looking in a real browser: one menu, one line, masks as files, messages."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from tests.view.live_samples import png
from tests.view.test_viewer_browser import LivePage, serving, visit

pytestmark = pytest.mark.browser

SIZE = (60, 40)
STATE = "() => structuredClone(document.querySelector('dinoscope-view').session.state)"
SETTLED = """() => {
    const asking = document.querySelector("dinoscope-view")?.session?.asking;
    return asking && !asking.running;
}"""
MODES = ("clusters", "spectral", "upsampled", "facet", "attention", "repair", "segment", "match", "words")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("asked")
    paths = [folder / f"{i}-with-a-name-as-long-as-cameras-make-them.png" for i in (0, 1)]
    for i, path in enumerate(paths, 1):
        path.write_bytes(png(i, SIZE))
    return paths


@pytest.fixture(scope="module")
def live(
    browser: Any, photographs: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LivePage]:
    """A page of two networks and one that has no attention."""
    out = tmp_path_factory.mktemp("out")
    with serving(out, photographs, "mini,mini-gram,pixels") as served:
        found = visit(browser, served.address + "#view?sort=given")
        found.wait_rows(2)
        yield found
        assert found.complaints == []
        found.page.context.close()


def settle(live: LivePage) -> None:
    live.page.wait_for_function(SETTLED)


def choose(live: LivePage, mode: str) -> None:
    live.page.locator(".menu > summary").click()
    live.page.locator(f".menu input[value={mode}] + .mode").click()
    settle(live)


def test_every_mode_keeps_the_toolbar_on_one_line(live: LivePage) -> None:
    one = live.page.evaluate(
        "() => document.querySelector('dinoscope-view').shadowRoot.querySelector('.bar').offsetHeight"
    )
    assert live.page.locator(".menu label").count() == 14
    for label in live.page.locator(".menu label").all():
        assert label.get_attribute("title") and label.locator("kbd").inner_text
    for mode in ("pca", "cosine", "difference", "rank", "threshold", *MODES):
        choose(live, mode)
        assert live.page.evaluate(STATE)["mode"] == mode
        high, wide, room = live.page.evaluate(
            """() => {
                const bar = document.querySelector("dinoscope-view").shadowRoot.querySelector(".bar");
                return [bar.offsetHeight, bar.scrollWidth, bar.clientWidth];
            }"""
        )
        assert high == one and wide <= room, mode


def test_a_mode_and_what_it_was_told_stay_in_the_address(live: LivePage) -> None:
    choose(live, "attention")
    live.page.locator(".extra button", has_text="Class token").click()
    live.page.locator(".extra button[data-value='2']").click()
    settle(live)
    live.page.wait_for_function(
        "() => location.hash.includes('head=2') && location.hash.includes('query=cls')"
    )
    live.page.reload()
    live.wait_rows(2)
    settle(live)
    state = live.page.evaluate(STATE)
    assert (state["mode"], state["options"]["head"], state["options"]["query"]) == ("attention", "2", "cls")
    assert "registers" in live.page.locator(".column .numbers").first.inner_text()


def test_a_rollout_is_called_a_heuristic(live: LivePage) -> None:
    choose(live, "attention")
    live.page.locator(".extra button", has_text="Rollout").click()
    settle(live)
    assert live.page.locator(".column .numbers").first.inner_text().startswith("heuristic")
    assert live.page.locator(".chips.many button").count() >= 2
    live.page.locator(".extra button", has_text="Mean").click()
    settle(live)
    assert live.page.locator(".chips.many button").count() == 6
    assert not live.page.locator(".column .numbers").first.inner_text().startswith("heuristic")


def test_a_model_that_cannot_says_so_and_what_would_do(live: LivePage) -> None:
    choose(live, "attention")
    assert live.page.locator(".why").count() >= 1
    said = live.page.locator(".stage[data-model='2'] .why").first.inner_text()
    assert "pixels is no transformer: it has no attention" in said and "mini, mini-gram" in said
    assert live.page.locator(".stage[data-model='0'] .why").count() == 0
    choose(live, "words")
    field = live.page.get_by_label("Words to look for")
    field.fill("a cat")
    field.press("Enter")
    settle(live)
    assert "tipsv2, clip, metaclip_2, siglip" in live.page.locator(".why").first.inner_text()
    choose(live, "pca")
    assert live.page.locator(".why").count() == 0


def test_clicks_make_the_functions_mask_and_a_file_of_it(live: LivePage, photographs: list[Path]) -> None:
    choose(live, "segment")
    live.page.get_by_title("Take all clicks back").click()  # another test may have clicked
    settle(live)
    stage = live.page.locator(".stage.photo").first
    box = stage.bounding_box()
    live.page.mouse.click(box["x"] + 0.25 * box["width"], box["y"] + 0.25 * box["height"])
    settle(live)
    live.page.keyboard.down("Shift")
    live.page.mouse.click(box["x"] + 0.75 * box["width"], box["y"] + 0.75 * box["height"])
    live.page.keyboard.up("Shift")
    settle(live)
    clicks = [
        (float(x), float(y), belongs == "1")
        for _, x, y, belongs in (
            one.split(",") for one in live.page.evaluate(STATE)["options"]["clicks"].split(";")
        )
    ]
    assert [belongs for *_, belongs in clicks] == [True, False]
    live.page.locator("summary", has_text="Masks").click()
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="mini-gram: mask as PNG").click()
    assert download.value.suggested_filename == f"{photographs[0].stem}-mini-gram-mask.png"
    saved = Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).convert("L")
    assert saved.size == SIZE
    (found,) = ds.extract([photographs[0]], "mini-gram", grid=8)
    mask = ds.segment(found, clicks)
    rows, columns = (
        ((np.arange(n) + 0.5) * fine / n).astype(int) for n, fine in zip(SIZE[::-1], mask.shape, strict=True)
    )
    assert np.array_equal(np.asarray(saved) > 127, mask[rows][:, columns])
    assert 0 < mask.mean() < 1
    live.page.locator("button", has_text="Undo").click()
    assert len(live.page.evaluate(STATE)["options"]["clicks"].split(";")) == 1


def test_keys_reach_modes_and_clicks(live: LivePage) -> None:
    stage = live.page.locator(".stage.photo").first
    stage.focus()
    for key, mode in zip("knufahgmw", MODES, strict=True):
        live.page.keyboard.press(key)
        assert live.page.evaluate(STATE)["mode"] == mode
        settle(live)
    live.page.keyboard.press("a")
    live.page.keyboard.press("ArrowRight")
    live.page.keyboard.press("Enter")
    state = live.page.evaluate(STATE)
    assert [float(v) for v in state["options"]["asked"].split(",")] == pytest.approx(
        [state["at"]["image"], state["at"]["x"], state["at"]["y"]], abs=1e-4
    )
    live.page.keyboard.press("g")
    live.page.keyboard.press("Shift+Enter")
    assert live.page.evaluate(STATE)["options"]["clicks"].endswith(",0")
    live.page.locator(".menu > summary").focus()
    live.page.keyboard.press("Enter")
    live.page.keyboard.press("Tab")
    live.page.keyboard.press("ArrowDown")
    assert live.page.evaluate(STATE)["mode"] == "match"
    live.page.keyboard.press("Enter")
    assert live.page.locator(".menu[open]").count() == 0
    settle(live)


def test_moving_the_pointer_asks_nobody(live: LivePage) -> None:
    for mode in MODES:
        choose(live, mode)
        box = live.page.locator(".stage.photo").first.bounding_box()
        asked = len(live.requests)
        for share in (0.1, 0.5, 0.9):
            live.page.mouse.move(box["x"] + share * box["width"], box["y"] + share * box["height"])
        settle(live)
        assert not [url for url in live.requests[asked:] if url.endswith("/ask")], mode


def test_matches_show_the_pair_alone_and_every_model_the_same_points(live: LivePage) -> None:
    choose(live, "match")
    live.page.get_by_label("Mutual").uncheck()
    settle(live)
    assert live.page.locator("figure.original").count() == 2
    n = [live.page.locator(f".stage[data-model='{m}'][data-image='0'] .dot.match").count() for m in (0, 1, 2)]
    assert n[0] == n[1] == n[2] == 64
    live.page.get_by_label("Mutual").check()
    settle(live)
    kept = live.page.locator(".stage[data-model='0'][data-image='0'] .dot.match").count()
    assert 0 < kept < 64
    live.page.locator(".stage.photo").first.hover()
    assert live.page.locator(".dot.pointed span").count() == 3
