"""One HTML file about a watched training; it asks for nothing, and loads itself again while it is live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from dinoscope.atomic import write_bytes
from dinoscope.data.features import PatchFeatures
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section, fill, report_page
from dinoscope.monitoring.check import KEYS, Check, words_of
from dinoscope.monitoring.figures import plot_checks, plot_strip

_ROOM = "monitoring/"


def watch_html(
    checks: Sequence[Check],
    maps: Mapping[int, Sequence[PatchFeatures]],
    *,
    title: str,
    reload_s: int | None = None,
) -> str:
    """The page.

    Args:
        checks: at least one.
        maps: by step, of the photographs that are shown.
        title: of the run.
        reload_s: seconds after which a browser loads it again; None for a page that is done.
    """
    last = checks[-1]
    keys = [key for key in KEYS if any(key in check.values for check in checks)]
    rows = [
        [
            f"{check.step:,}",
            _shown(np.nanmean(check.quality) if np.isfinite(check.quality).any() else np.nan),
            *(_shown(check.values.get(key, np.nan)) for key in keys),
        ]
        for check in checks
    ]
    head = ["step", "dense quality", *(words_of(key)[0] for key in keys)]
    numbers = fill(f"{_ROOM}numbers.html", head=head, rows=rows, meanings=[words_of(key) for key in keys])
    strip = plot(plot_strip(maps), "components at several steps", pixels=True) if maps else Markup()
    sections = [
        Section("curves", "Over the steps", plot(plot_checks(checks), "every number over the steps")),
        Section("maps", "Maps, in one basis", strip),
        Section("numbers", "Numbers", numbers),
    ]
    said = last.alarm or (f"no alarm; {last.advice}" if last.advice else "no alarm")
    told = {"title": title, "step": f"{last.step:,}", "said": said, "reload_s": reload_s or 0}
    return report_page(f"{_ROOM}page.html", sections, told)


def write_watch(
    checks: Sequence[Check],
    maps: Mapping[int, Sequence[PatchFeatures]],
    path: Path,
    *,
    title: str,
    reload_s: int | None = None,
) -> Path:
    """Writes the page, whole or not at all; arguments as `watch_html`."""
    write_bytes(path, watch_html(checks, maps, title=title, reload_s=reload_s).encode())
    return path


def _shown(value: float | np.floating) -> str:
    return f"{value:.4f}" if np.isfinite(value) else "–"
