"""The interactive view as a piece of HTML that stands alone inside any page."""

from __future__ import annotations

from dinoscope.data.results import Comparison
from dinoscope.drawing.view.bundle import view_module
from dinoscope.drawing.view.payload import Payload, comparison_payload
from dinoscope.drawing.view.text91 import text_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'wasm-unsafe-eval'"
)
"""What a page that holds the view may be restricted to.

Without ``'wasm-unsafe-eval'`` the view works too, several times slower on large maps.
"""


def view_fragment(comparison: Comparison) -> str:
    """HTML to put in a page's body: data, style and code in it, and no outside request.

    Works from disk, and under `CONTENT_SECURITY_POLICY`.
    """
    return payload_fragment(comparison_payload(comparison))


def payload_fragment(payload: Payload) -> str:
    """HTML of a payload, see `view_fragment`."""
    return (
        "<dinoscope-view>\n"
        "<noscript>This view needs JavaScript; the figures and tables on this page do not.</noscript>\n"
        f'<script type="application/json">{payload.header}</script>\n'
        f'<script type="application/octet-stream" data-bytes="{len(payload.data)}">'
        f"{text_of(payload.data)}</script>\n"
        "</dinoscope-view>\n"
        f'<script type="module">\n{view_module()}\n</script>\n'
    )
