"""A comparison before one's eyes: in the notebook it was made in, or in the browser."""

from __future__ import annotations

import html
import sys
import tempfile
import webbrowser
from pathlib import Path

from dinoscope.comparison.report.report import write_report
from dinoscope.data.results import Comparison
from dinoscope.drawing.view.standalone import view_fragment

HEIGHT_PX = 720


def show(comparison: Comparison, *, height_px: int = HEIGHT_PX) -> None:
    """The interactive view below a notebook's cell; elsewhere the report, in the browser.

    Nothing but the browser or IPython is needed, and a saved notebook keeps the view.

    Args:
        comparison: to look at.
        height_px: of the view in a notebook.
    """
    if _in_notebook():
        from IPython.display import HTML, display

        page = html.escape(f"<!doctype html><meta charset=utf-8>{view_fragment(comparison)}", quote=True)
        style = f"width:100%;height:{height_px}px;border:0"
        display(
            HTML(f'<iframe srcdoc="{page}" style="{style}" title="{html.escape(repr(comparison))}"></iframe>')
        )
        return
    folder = Path(tempfile.mkdtemp(prefix="dinoscope-"))
    path = folder / "report.html"
    write_report(comparison, path)
    print(path)
    webbrowser.open(path.as_uri())


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
