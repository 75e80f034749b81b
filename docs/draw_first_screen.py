"""Draw the README's first picture: the first screen of the demo's report.

    OMP_NUM_THREADS=1 python docs/draw_first_screen.py

Two minutes. Writes docs/pictures/view.png. Needs the group `test` and Chromium.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import dinoscope as ds
from examples.demo import MODELS, demo_photographs
from tests.chromium import FLAGS, NOT_FOUND, browser_path

PICTURE = Path(__file__).resolve().parent / "pictures" / "view.png"
WIDTH, HEIGHT = 1280, 900


def main() -> None:
    """Compare the demo's photographs, open the report, keep what is seen first."""
    from playwright.sync_api import sync_playwright

    path = browser_path()
    if path is None:
        sys.exit(NOT_FOUND)
    comparison = ds.compare(demo_photographs(), MODELS.split(","))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        ds.write_report(comparison, report)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.as_uri())
        page.evaluate("document.querySelector('dinoscope-view').ready.then(() => 1)")
        page.wait_for_timeout(500)
        page.screenshot(path=PICTURE)
        browser.close()
    print(PICTURE)


if __name__ == "__main__":
    main()
