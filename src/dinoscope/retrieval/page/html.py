"""The search page's HTML: a shell without data, filled by its script."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.drawing.html import text

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
_BEGIN = "background"
"""The suppression beside the plain ranking to begin with, where there is one."""


def search_page_html(
    title: str, *, poolings: Sequence[str], suppressions: Sequence[str], upload_bytes: int
) -> str:
    """The page. No script and no style in it: all are files, as its policy demands."""
    return f"""<!doctype html>
<html lang="en" data-upload-bytes="{upload_bytes}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(title)} – dinoscope search</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/search.css">
<script type="module" src="static/search.mjs"></script>
</head>
<body>
<header>
<h1>{text(title)}</h1>
<p id="about"></p>
<form id="bar" aria-label="Search">
<label class="pick">Choose a photograph <input type="file" id="file" \
accept="image/*,.heic,.heif,.avif"></label>
<label id="table-field" hidden>Model <select id="table"></select></label>
<label>Among <select id="among"><option value="photographs">whole photographs</option>\
<option value="patches">patches</option></select></label>
<label>Pooling <select id="pooling">{_options(poolings, poolings[0])}</select></label>
<label>Suppression <select id="suppress">{_options(suppressions, _BEGIN)}</select></label>
<label id="components-field">Directions <input type="number" id="components" min="1" max="9999" step="1" \
placeholder="auto"></label>
<span id="status" role="status" aria-live="polite"></span>
</form>
<p id="error" role="alert" hidden></p>
</header>
<main>
<section id="query" aria-labelledby="query-name" hidden>
<div class="stage" id="stage" role="application" tabindex="0" aria-describedby="hint"></div>
<h2 id="query-name"></h2>
<p><span id="region"></span> <button type="button" id="whole" hidden>Use all of it</button></p>
<p id="hint">Drag a box here or on a hit to search for it; click a patch for that patch alone. <span \
class="keys">Keys: arrows move over patches, Enter takes one, Shift with arrows draws a box, Escape takes \
the whole.</span></p>
</section>
<div id="rankings" hidden>
<section class="ranking" id="plain" aria-labelledby="plain-title">
<h2 id="plain-title">Plain</h2>
<details class="note" hidden><summary></summary><p></p></details>
<p class="bad" role="alert" hidden></p>
<ol></ol>
</section>
<section class="ranking" id="suppressed" aria-labelledby="suppressed-title">
<h2 id="suppressed-title">Suppressed</h2>
<details class="note" hidden><summary></summary><p></p></details>
<p class="bad" role="alert" hidden></p>
<ol></ol>
</section>
<button type="button" id="deeper">More hits</button>
</div>
<details id="collection" open>
<summary><h2>In the store</h2></summary>
<p id="invitation">Drop a photograph anywhere on this page, paste one, choose one above, or click one \
of these. It stays on this machine.</p>
<ol></ol>
<button type="button" id="more" hidden>Show more</button>
</details>
<noscript>This page needs JavaScript.</noscript>
</main>
<dialog id="why" aria-labelledby="why-title">
<form method="dialog"><h2 id="why-title">Why this match</h2><button>Close</button></form>
<img alt="" hidden>
<p role="status"></p>
</dialog>
</body>
</html>
"""


def _options(names: Sequence[str], begin: str) -> str:
    return "".join(
        f'<option value="{text(name)}"{" selected" if name == begin else ""}>'
        f"{text(_WORDS.get(name, name))}</option>"
        for name in names
    )
