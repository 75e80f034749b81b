"""What the live page begins with, and what it may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dinoscope.comparison.page.questions import Answerer
from dinoscope.data.results import Comparison
from dinoscope.drawing.server.limits import UPLOAD_BYTES


@dataclass(frozen=True, slots=True)
class PageOptions:
    """What does not change while the page is served.

    Attributes:
        labels: of the models, for the page's title.
        grid: to begin with.
        export: writes a comparison and returns the path of its report; None: the page offers no export.
        upload_bytes: of one uploaded file, at most.
        on_report: called from another thread with what became of the first report, in words.
        answerer: of questions that the payload does not answer; None: the page asks none.
    """

    labels: tuple[str, ...] = ()
    grid: int = 32
    export: Callable[[Comparison], Path] | None = None
    upload_bytes: int = UPLOAD_BYTES
    on_report: Callable[[str], None] = print
    answerer: Answerer | None = None
