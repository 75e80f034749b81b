"""Where the browser is, and how it is started."""

from __future__ import annotations

import os
import shutil

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENT_MS = 300_000
"""How long a page may take on a machine that is busy elsewhere; nothing is measured by it."""

NOT_FOUND = "browser not found: install Chromium (apt install chromium) or set BROWSER_PATH"


def browser_path() -> str | None:
    """``$BROWSER_PATH``, else Chromium or Chrome on the path; None where there is none."""
    named = [os.environ.get("BROWSER_PATH", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in named if name and (found := shutil.which(name))), None)
