"""The first screen of a report, as a picture."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import dinoscope as ds
from dinoscope.data.results import Comparison
from tests.chromium import FLAGS, NOT_FOUND, browser_path

WIDTH, HEIGHT = 1280, 900


def draw_first_screen(comparison: Comparison, picture: Path) -> None:
    """Write the report, open it, keep what is seen first.

    Raises:
        SystemExit: there is no browser.
    """
    from playwright.sync_api import sync_playwright

    path = browser_path()
    if path is None:
        sys.exit(NOT_FOUND)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = Path(folder) / "report.html"
        ds.write_report(comparison, report)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        page.goto(report.as_uri())
        page.evaluate("document.querySelector('dinoscope-view').ready.then(() => 1)")
        page.wait_for_timeout(500)
        page.screenshot(path=picture)
        browser.close()
