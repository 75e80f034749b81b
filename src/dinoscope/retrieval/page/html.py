"""The search page's HTML: a shell without data, filled by its script."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.drawing.pages import served_page

_WORDS = {
    "cls": "class token",
    "gem": "GeM",
    "foreground": "foreground mean",
    "none": "none",
    "centre": "collection mean",
    "common": "common directions",
    "whiten": "whitening",
    "background": "background",
}


def search_page_html(
    title: str, *, poolings: Sequence[str], suppressions: Sequence[str], upload_bytes: int
) -> str:
    """The page. No script and no style in it: all are files, as its policy demands."""
    return served_page(
        "retrieval/page/page.html",
        code="search",
        title=title,
        poolings=poolings,
        suppressions=suppressions,
        words=_WORDS,
        upload_bytes=upload_bytes,
    )
