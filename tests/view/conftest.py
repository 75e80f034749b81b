"""A real browser, pages opened from disk, and a log of everything they ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dinoscope.data.results import Comparison
from dinoscope.drawing.view.standalone import CONTENT_SECURITY_POLICY, view_fragment
from tests.chromium import PATIENT_MS
from tests.view.view_samples import HOSTILE, comparison, noise_features, photographs, picture_features

COSINE = "#view?mode=cosine&sort=given"
"""The address of a view that shows cosines, photographs in the order given."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "open_page" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.browser)


@dataclass
class OpenPage:
    """A page, what it asked for and what it complained about."""

    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def ask(self, script: str, argument: object = None) -> Any:
        """The answer of a function of the view (named ``view``), once what it shows is there."""
        return self.page.evaluate(
            "async (argument) => { const view = document.querySelector('dinoscope-view');"
            " await view.ready; await view.session?.engines.settled.catch(() => 0);"
            f" return ({script}); }}",
            argument,
        )

    def hover(self, image: int, x: float, y: float, model: int = -1) -> None:
        """Moves the pointer over a place of a photograph (model -1), or of one of its maps."""
        stage = self.page.locator(f".stage[data-image='{image}'][data-model='{model}']").first
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    def choose(self, mode: str) -> None:
        """Takes what is shown from the menu."""
        self.page.locator(".menu > summary").click()
        self.page.locator(".menu label").filter(has=self.page.get_by_text(mode, exact=True)).click()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Callable[..., OpenPage]]:
    """Opens a fragment inside a page as strict as a report; closes it after the test."""
    contexts = []

    def open_it(
        fragment: str,
        *,
        engine: str = "",
        address: str = "#view?mode=cosine&sort=given",
        width: int = 1280,
        height: int = 900,
    ) -> OpenPage:
        policy = CONTENT_SECURITY_POLICY
        if engine == "script":
            policy = policy.replace(" 'wasm-unsafe-eval'", "")
        elif engine == "webgl2":
            fragment = fragment.replace("<dinoscope-view>", '<dinoscope-view renderer="webgl2">', 1)
        file = tmp_path / "page.html"
        file.write_text(
            "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>view</title>"
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
            f"<link rel='icon' href='data:,'></head><body>{fragment}</body></html>",
            encoding="utf-8",
        )
        context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
        contexts.append(context)
        context.set_default_timeout(PATIENT_MS)
        opened = OpenPage(context.new_page())
        opened.page.on("request", lambda request: opened.requests.append(request.url))
        opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
        opened.page.on(
            "console",
            lambda message: opened.complaints.append(message.text) if message.type == "error" else None,
        )
        opened.page.goto(file.as_uri() + address)
        opened.page.evaluate("customElements.whenDefined('dinoscope-view').then(() => 1)")
        opened.ask("1")
        return opened

    yield open_it
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def noise() -> Comparison:
    """Three photographs, two models with different grids, no two patches alike."""
    photos = photographs(3)
    first = noise_features(3, (12, 16), 64, seed=1)
    second = noise_features(3, (11, 15), 48, seed=2, mean=2.0)
    return comparison(photos, [first, second], ["first", "second"])


@pytest.fixture(scope="session")
def pictures() -> Comparison:
    """Three photographs under names that try to be markup, features that follow the pictures."""
    photos = [(HOSTILE if i == 0 else name, image) for i, (name, image) in enumerate(photographs(3))]
    images = [image for _, image in photos]
    models = [picture_features(images, (12, 12), 48, seed=m, blur=0.5 + m) for m in (0, 1)]
    return comparison(photos, models, ["<i>one</i>", "two"], notes=("<u>note</u>",))


@pytest.fixture(scope="session")
def wide_fragment() -> str:
    """One photograph of 3,111 patches: an odd number, and more than an engine takes at a time."""
    return view_fragment(comparison(photographs(1), [noise_features(1, (51, 61), 24, seed=5)], ["wide"]))


@pytest.fixture(scope="session")
def noise_fragment(noise: Comparison) -> str:
    return view_fragment(noise)


@pytest.fixture(scope="session")
def pictures_fragment(pictures: Comparison) -> str:
    return view_fragment(pictures)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)
