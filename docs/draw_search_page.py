"""The search page as a picture: both bundled models' hits for one procedural photograph."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

import dinoscope as ds
from dinoscope.backbones.bundled import PAIR
from tests.chromium import FLAGS, NOT_FOUND, browser_path

WIDTH, HEIGHT = 1280, 720
SCENES = 60
QUERY = "0007.png"


def draw_search_page(picture: Path) -> None:
    """Embed scenes by both models, search for one of them on the page, keep what is seen first.

    Raises:
        SystemExit: there is no browser.
    """
    path = browser_path()
    if path is None:
        sys.exit(NOT_FOUND)
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "my-store"
        ds.write_scenes(Path(folder) / "scenes", n=SCENES, seed=0)
        for model in PAIR:
            ds.embed(Path(folder) / "scenes" / "images", ds.load_backbone(model), store)
        words = [sys.executable, "-m", "dinoscope", "view", str(store)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                _draw(server.stdout.readline().split()[1], path, picture)
            finally:
                server.terminate()


def _draw(address: str, browser: str, picture: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=FLAGS)
        page = opened.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(address)
        page.get_by_role("button", name=f"Search for {QUERY}").click()
        page.wait_for_function("() => document.getElementById('rankings').ariaBusy === 'false'")
        page.wait_for_load_state("networkidle")
        page.screenshot(path=picture)
        opened.close()
    with Image.open(picture) as taken:
        image = taken.convert("RGB")
    image.save(picture.with_suffix(".webp"), quality=86, method=6)
    picture.unlink()
