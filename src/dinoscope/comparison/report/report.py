"""The report: one HTML file that opens from disk and asks nobody for anything.

Everything it shows is in it. Names of files and models are data: they are escaped wherever they appear,
and the page's own policy forbids outside requests, and scripts unless a view is put in.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dinoscope.atomic import write_bytes
from dinoscope.comparison import words
from dinoscope.comparison.report.measured import (
    curves_section,
    gram_section,
    measured_links,
    plane_section,
)
from dinoscope.comparison.report.photographs import legend, plate
from dinoscope.comparison.report.sections import (
    failures_section,
    fairness_section,
    limits_section,
    models_section,
    numbers_section,
    settings_section,
    variance_section,
)
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import STATIC_POLICY, name, text
from dinoscope.drawing.view.bundle import view_text
from dinoscope.drawing.view.standalone import CONTENT_SECURITY_POLICY, view_fragment

MOST_IN_VIEW = 24
"""Photographs in the report's interactive view: about 0.6 MB each with two models on a 32-patch grid."""


def write_report(comparison: Comparison, path: str | Path, *, view: str | None = None) -> None:
    """One HTML file, whole or not at all.

    About 0.1 MB a photograph with two models on a 32-patch grid, and 0.6 MB with the interactive view.

    Args:
        comparison: what to show.
        path: of the file.
        view: HTML put in after the header as it is, trusted; None for the interactive view of the first
            `MOST_IN_VIEW` photographs, an empty string for a page without any script.
    """
    shown = _view(comparison) if view is None else view
    write_bytes(Path(path), report_html(comparison, view=shown).encode("utf-8"))


def report_html(comparison: Comparison, *, view: str = "") -> str:
    """The page as text; see `write_report`."""
    models = _listed([name(m.label) for m in comparison.models])
    title = _listed([text(m.label) for m in comparison.models])
    policy = CONTENT_SECURITY_POLICY if view else STATIC_POLICY
    style = view_text("report.css")
    plates = "".join(plate(comparison, i) for i in range(len(comparison.photographs)))
    failed = '<a href="#failures">Failures</a>' if comparison.failures else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title} – dinoscope</title>
<style>
{style}</style>
</head>
<body>
<header>
<h1>Patch features: {models}</h1>
<p>{text(words.paragraph(comparison))}</p>
<nav aria-label="Contents"><a href="#numbers">Numbers</a> {measured_links(comparison)} \
<a href="#photographs">Photographs</a> \
<a href="#fairness">Fairness</a> <a href="#limits">What is not shown</a> <a href="#models">Models</a> \
<a href="#settings">Settings</a> {failed}</nav>
</header>
<main>
{view}
{numbers_section(comparison)}
{plane_section(comparison)}
<section id="photographs" aria-labelledby="photographs-title">
<h2 id="photographs-title">Photographs</h2>
{legend(comparison)}
{plates}</section>
{curves_section(comparison)}
{gram_section(comparison)}
{fairness_section(comparison)}
{variance_section(comparison)}
{limits_section(comparison)}
{models_section(comparison)}
{failures_section(comparison)}
{settings_section(comparison)}
</main>
</body>
</html>
"""


def _view(comparison: Comparison) -> str:
    """The interactive view of the first photographs, and a sentence where there are more."""
    n = len(comparison.photographs)
    if n <= MOST_IN_VIEW:
        return view_fragment(comparison)
    first = replace(
        comparison,
        photographs=comparison.photographs[:MOST_IN_VIEW],
        features=comparison.features[:MOST_IN_VIEW],
        maps=comparison.maps[:MOST_IN_VIEW],
    )
    note = f"<p>The interactive view holds the first {MOST_IN_VIEW} of {n} photographs; below are all.</p>\n"
    return note + view_fragment(first)


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
