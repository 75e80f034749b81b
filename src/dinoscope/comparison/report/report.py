"""The report: one HTML file that opens from disk and asks nobody for anything.

Everything it shows is in it. Names of files and models are data: they are escaped wherever they appear,
and the page's own policy forbids outside requests, and scripts unless a view is put in.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from markupsafe import Markup

from dinoscope.atomic import write_bytes
from dinoscope.comparison.report.opening import opening
from dinoscope.comparison.report.sections import sections_of
from dinoscope.data.kinds import check_kind
from dinoscope.data.results import Comparison
from dinoscope.drawing.disagreement import most_different_first
from dinoscope.drawing.pages import STATIC_POLICY, report_page
from dinoscope.drawing.view.standalone import CONTENT_SECURITY_POLICY, view_fragment

MOST_IN_VIEW = 24
"""Photographs in the report's interactive view: about 0.6 MB each with two models on a 32-patch grid."""


def write_report(comparison: Comparison, path: str | Path, *, view: str | None = None) -> None:
    """One HTML file, whole or not at all.

    About 0.1 MB a photograph with two models on a 32-patch grid, and 0.6 MB with the interactive view.

    Args:
        comparison: what to show.
        path: of the file.
        view: HTML put in after the header, unchanged and trusted; None for the interactive view of at most
            `MOST_IN_VIEW` photographs, an empty string for a page without any script.
    """
    check_kind(comparison, Comparison, "ds.compare returns one")
    shown = view_fragment(_first(comparison)) if view is None else view
    write_bytes(Path(path), report_html(comparison, view=shown).encode("utf-8"))


def report_html(comparison: Comparison, *, view: str = "") -> str:
    """The page as text; see `write_report`."""
    return report_page(
        "comparison/report/report.html",
        sections_of(comparison),
        {
            "comparison": comparison,
            "opening": opening(comparison),
            "view": Markup(view),
            "most": MOST_IN_VIEW,
        },
        policy=CONTENT_SECURITY_POLICY if view else STATIC_POLICY,
    )


def _first(comparison: Comparison) -> Comparison:
    """The photographs seen most differently, `MOST_IN_VIEW` of them at most, in the order given."""
    if len(comparison.photographs) <= MOST_IN_VIEW:
        return comparison
    kept = sorted(most_different_first(comparison)[:MOST_IN_VIEW])
    return replace(
        comparison,
        photographs=tuple(comparison.photographs[i] for i in kept),
        features=tuple(comparison.features[i] for i in kept),
        maps=tuple(comparison.maps[i] for i in kept),
        further=tuple(
            replace(f, features=tuple(f.features[i] for i in kept), maps=tuple(f.maps[i] for i in kept))
            for f in comparison.further
        ),
    )
