"""The documentation site builds without a warning, is complete, and asks for nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import dinoscope
from benchmarks.page import PAGE, page
from dinoscope.comparison.report.report import write_report
from tests.chromium import PATIENT_MS
from tests.docs.examples import ROOT, pages
from tests.samples import comparison


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built pages; a warning is an error."""
    folder = tmp_path_factory.mktemp("site")
    words = ["-W", "--keep-going", "-q", "-b", "html", "-d", folder / "trees", ROOT / "docs", folder / "html"]
    command = [sys.executable, "-m", "sphinx", *map(str, words)]
    # Shapes are annotations to read here, and not to check.
    report = folder / "report.html"  # the demo's takes a minute
    write_report(comparison(), report)
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["DINOSCOPE_DEMO_REPORT"] = str(report)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Outgoing(HTMLParser):
    """What a page makes a browser ask for, beside links that a reader follows."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(said.get("href", ""))
        elif tag == "link" and said.get("rel") in ("stylesheet", "preload", "icon"):
            self.asked.append(said.get("href", ""))
        elif "src" in said:
            self.asked.append(said["src"])


def read(html: Path) -> Outgoing:
    parser = Outgoing()
    parser.feed(html.read_text(encoding="utf-8"))
    return parser


def test_every_page_is_there(site: Path) -> None:
    sources = [name for name in pages() if name.startswith("docs/")]
    assert len(sources) > 25
    for name in sources:
        assert (site / Path(name).relative_to("docs").with_suffix(".html")).is_file(), name


def test_every_public_name_has_one_entry(site: Path) -> None:
    text = "".join(html.read_text(encoding="utf-8") for html in (site / "api").glob("*.html"))
    for name in dinoscope.__all__:
        assert text.count(f'id="dinoscope.{name}"') == 1, name


def test_nothing_is_asked_of_another_machine(site: Path) -> None:
    for html in site.rglob("*.html"):
        for asked in read(html).asked:
            assert not re.match(r"(https?:)?//", asked), f"{html.name} asks for {asked}"
            if not asked.startswith("data:"):
                assert (html.parent / asked.split("?")[0]).is_file(), f"{html.name}: no {asked}"


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    for html in site.rglob("*.html"):
        for link in read(html).links:
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", path):
                continue
            target = (html.parent / path).resolve() if path else html
            assert target.is_file(), f"{html.relative_to(site)}: {link}"
            if anchor and anchor != "tour" and target.suffix == ".html":
                assert f'id="{anchor}"' in target.read_text(encoding="utf-8"), (
                    f"{html.relative_to(site)}: {link}"
                )


def test_the_site_carries_a_report_that_runs(site: Path, browser: Any) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENT_MS)
    page.goto((site / "demo.html").as_uri())
    page.frame_locator("iframe.live").locator("dinoscope-view .stage.map").first.wait_for()
    page.locator("a", has_text="Take the tour").click()
    assert "step 1 of 5" in page.locator(".tour").get_attribute("aria-label")
    page.close()


def test_formulas_are_drawn_by_the_browser_itself(site: Path) -> None:
    text = (site / "concepts" / "gram-anchoring.html").read_text(encoding="utf-8")
    assert "<math" in text and "MathJax" not in text


def test_the_benchmark_page_says_what_the_results_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m benchmarks.page"


def test_a_difference_between_dinov2_and_dinov3_is_never_put_down_to_the_anchor() -> None:
    blamed = re.compile(r"(because of|due to|thanks to|caused by|the effect of) (the )?Gram", re.IGNORECASE)
    denied = "may not be called the effect of Gram anchoring"
    for name in pages():
        text = " ".join((ROOT / name).read_text(encoding="utf-8").split()).replace(denied, "")
        found = blamed.search(text)
        assert found is None, f"{name}: {text[max(0, found.start() - 80) : found.end() + 40]}"
