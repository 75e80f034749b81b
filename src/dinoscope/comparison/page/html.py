"""The live page's HTML: a shell without data, filled by its script."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.drawing.html import text


def page_html(labels: Sequence[str], *, grid: int, upload_bytes: int, can_export: bool) -> str:
    """The page. No script and no style in it: all are files, as its policy demands."""
    title = text(", ".join(labels)) or "photographs"
    export = '<button type="button" id="export">Write report</button>' if can_export else ""
    return f"""<!doctype html>
<html lang="en" data-grid="{grid}" data-upload-bytes="{upload_bytes}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title} – dinoscope</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/live.css">
<script type="module" src="static/live.mjs"></script>
</head>
<body>
<header>
<h1>{title}</h1>
<form id="bar">
<label class="pick">Add photographs <input type="file" id="files" multiple \
accept="image/*,.heic,.heif,.avif"></label>
<label>Grid <input type="number" id="grid" min="1" max="9999" step="1" value="{grid}" required> \
patches on the short side</label>
<button type="submit">Apply</button>
{export}
<span id="status" role="status" aria-live="polite"></span>
</form>
<progress id="progress" hidden aria-label="Extraction"></progress>
<p id="error" role="alert" hidden></p>
</header>
<details id="desk" hidden><summary></summary><ul></ul></details>
<section id="failures" aria-labelledby="failures-title" hidden>
<h2 id="failures-title">Not used</h2>
<ul></ul>
<button type="button" id="clear">Clear this list</button>
</section>
<main>
<p id="empty">Drop photographs or folders of them anywhere on this page, paste them, or pick them above. \
They stay on this machine.</p>
<noscript>This page needs JavaScript.</noscript>
</main>
</body>
</html>
"""
