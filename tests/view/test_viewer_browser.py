"""The live page in a real browser, with the pixels control behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import PATIENT_MS
from tests.view.live_samples import png

pytestmark = pytest.mark.browser
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Served:
    process: Any
    address: str
    folder: Path

    @property
    def origin(self) -> str:
        return "/".join(self.address.split("/")[:3])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "named.png").write_bytes(png(90, (60, 40)))
    with serving(tmp_path / "out", [tmp_path / "named.png"], "pixels,pixels") as found:
        yield found


@contextmanager
def serving(out: Path, photographs: list[Path], models: str) -> Iterator[Served]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.view.live_server", str(out), *map(str, photographs)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "MODELS": models},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    too_long = threading.Timer(600, process.kill)  # a line that never comes must not be waited for
    too_long.start()
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield Served(process, address, out)
    finally:
        too_long.cancel()
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=300)


@dataclass
class LivePage:
    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def names(self) -> list[str]:
        return self.page.locator("dinoscope-view figure .caption").all_inner_texts()

    def wait_rows(self, n: int) -> None:
        self.page.wait_for_function(
            """(n) => {
                const view = document.querySelector("dinoscope-view");
                const shown = view?.session?.view.photographs.length ?? 0;
                return document.getElementById("progress").hidden && shown === n;
            }""",
            arg=n,
        )


def visit(browser: Any, address: str) -> LivePage:
    live = blank(browser)
    live.page.goto(address)
    return live


def blank(browser: Any) -> LivePage:
    """A page that has not gone anywhere yet, and what it complains of."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    live = LivePage(context.new_page())
    live.page.set_default_timeout(PATIENT_MS)
    live.page.on("request", lambda request: live.requests.append(request.url))
    live.page.on("pageerror", lambda error: live.complaints.append(str(error)))
    live.page.on(
        "console",
        lambda message: (
            live.complaints.append(message.text) if message.type in ("error", "warning") else None
        ),
    )
    return live


def file(name: str, data: bytes) -> dict[str, Any]:
    return {"name": name, "mimeType": "image/png", "buffer": data}


def drop(page: Any, *paths: Path) -> None:
    """Drops files and folders as the desktop would."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def test_the_live_page(browser: Any, served: Served) -> None:
    live = visit(browser, served.address)
    page = live.page
    live.wait_rows(1)
    assert page.locator("#status").inner_text() == ""
    assert served.process.stdout.readline() == f"report: {served.folder / 'report.html'}\n"
    assert "named.png" in (served.folder / "report.html").read_text(encoding="utf-8")

    page.set_input_files("#files", [file("picked.png", png(1, (80, 60)))])
    live.wait_rows(2)
    assert [name for name in ("named.png", "picked.png") if any(name in c for c in live.names())] == [
        "named.png",
        "picked.png",
    ]

    stage = page.locator(".stage[data-image='1'][data-model='-1']").first
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.7 * box["height"])
    page.wait_for_function("() => document.querySelector('dinoscope-view').session.cursor.image === 1")
    own = page.evaluate(
        "async () => Math.max(..."
        "await document.querySelector('dinoscope-view').similarity(1, 0, { x: 0.3, y: 0.7 }))"
    )
    assert abs(own - 1) < 0.01

    page.set_input_files("#files", [file("<img src=x>.png", b"not a picture"), file("empty.png", b"")])
    page.wait_for_function("() => document.querySelectorAll('#failures li').length === 2")
    told = page.locator("#failures").inner_text()
    assert "<img src=x>.png" in told and "not an image of a known kind" in told and "empty" in told
    live.wait_rows(2)

    page.set_input_files("#files", [file("picked again.png", png(1, (80, 60)))])
    live.wait_rows(2)

    page.evaluate(
        """async (bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
        }""",
        list(png(2)),
    )
    live.wait_rows(3)
    page.evaluate(
        """async (bytes) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "pasted.png", { type: "image/png" }));
            dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, cancelable: true }));
        }""",
        list(png(3)),
    )
    live.wait_rows(4)

    folder = served.folder.parent / "holiday"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.png").write_bytes(png(90, (60, 40)))  # on the page already
    (folder / "notes.txt").write_text("no photograph")
    (folder / "deeper" / "c.png").write_bytes(png(5))  # folders inside are left alone
    (served.folder.parent / "nothing here").mkdir()
    drop(page, folder, folder / "notes.txt", served.folder.parent / "nothing here")
    page.wait_for_function("() => document.querySelectorAll('#failures li').length === 4")
    told = page.locator("#failures").inner_text()
    assert "nothing here: a folder without photographs" in told and "notes.txt: not an image" in told
    live.wait_rows(4)

    page.fill("#grid", "5")
    page.click("text=Apply")
    page.wait_for_function("() => document.querySelector('dinoscope-view').session.view.grids[0][0].h === 5")
    live.wait_rows(4)
    assert not page.locator("#error").is_visible()

    other = visit(browser, served.address)
    other.wait_rows(4)
    assert (
        other.page.evaluate("() => document.querySelector('dinoscope-view').session.view.grids[0][0].h") == 8
    )
    other.page.locator("#workspace summary").click()
    other.page.locator("#workspace button").first.click()
    other.wait_rows(3)
    live.wait_rows(3)

    page.fill("#grid", "9999")
    page.click("text=Apply")
    page.wait_for_selector("#error:visible")
    assert "smaller grid" in page.locator("#error").inner_text()
    red, bar = page.evaluate(
        """() => [getComputedStyle(document.getElementById("error")).borderLeftColor,
                  getComputedStyle(document.getElementById("progress")).accentColor]"""
    )
    assert red == "rgb(194, 38, 12)" and bar == "rgb(11, 92, 173)"  # red says that something went wrong
    live.wait_rows(3)
    page.fill("#grid", "5")
    page.click("text=Apply")
    page.wait_for_selector("#error", state="hidden")

    page.click("#export")
    page.wait_for_function("() => document.getElementById('status').textContent.startsWith('Report written')")
    assert "dropped.png" in (served.folder / "report.html").read_text(encoding="utf-8")

    for seen in (live, other):
        assert seen.complaints == []
        outside = [url for url in seen.requests if not url.startswith((served.address, "blob:", "data:"))]
        assert outside == []
        seen.page.context.close()


def test_a_busy_server_is_asked_again(browser: Any, served: Served) -> None:
    asked: list[str] = []

    def busy_at_first(route: Any) -> None:
        asked.append(route.request.method)
        if len(asked) > 2:
            route.continue_()
        else:
            route.fulfill(status=503, headers={"retry-after": "1"}, body='{"reason": "too many"}')

    live = visit(browser, "about:blank")
    live.page.route("**/prepare?*", busy_at_first)
    live.page.goto(served.address)
    live.wait_rows(1)
    assert asked[:3] == ["POST"] * 3 and not live.page.locator("#error").is_visible()
    live.page.context.close()


def test_nothing_is_laid_out_before_its_style_sheet_is_there(browser: Any, served: Served) -> None:
    live = visit(browser, "about:blank")
    waiting: list[Any] = []
    live.page.route("**/static/view.css", lambda route: waiting.append(route))
    live.page.goto(served.address)
    live.page.locator("dinoscope-view").wait_for(state="attached")
    live.page.wait_for_timeout(500)
    assert live.page.locator("dinoscope-view .bar").count() == 0
    waiting[0].continue_()
    live.wait_rows(1)
    assert live.page.locator("dinoscope-view .bar").evaluate("bar => bar.offsetHeight") < 60
    live.page.context.close()


def test_interrupting_ends_cleanly(served: Served) -> None:
    with urllib.request.urlopen(served.address) as answer:
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(served.origin + "/")
    assert refused.value.code == 403
    refused.value.close()
    served.process.stdout.readline()  # the first report is written
    served.process.send_signal(signal.SIGINT)
    out, err = served.process.communicate(timeout=300)
    assert (served.process.returncode, out, err) == (0, "", "")
