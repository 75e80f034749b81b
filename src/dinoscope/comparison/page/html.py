"""The live page's HTML: a shell without data, filled by its script."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.drawing.pages import served_page


def page_html(labels: Sequence[str], *, grid: int, upload_bytes: int, can_export: bool) -> str:
    """The page. No script and no style in it: all are files, as its policy demands."""
    return served_page(
        "comparison/page/page.html",
        code="live",
        title=", ".join(labels) or "photographs",
        grid=grid,
        upload_bytes=upload_bytes,
        can_export=can_export,
    )
