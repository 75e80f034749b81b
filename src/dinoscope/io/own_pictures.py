"""Pictures that commands wrote as results, met where photographs are looked for."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from dinoscope.names import printable, readable

LOG = logging.getLogger(__name__)

BESIDE = {
    "choose.png": "choose.json",
    "gains.png": "scores.json",
    "look.png": "look.json",
    "matches.png": "matches.json",
    "normal.png": "normal.json",
    "plane.png": "metrics.json",
}
"""Pictures of results, and the file that each lies beside."""

FIGURES, REPORT = "figures", ("metrics.json", "report.html")
"""Folder of a comparison's figures, and the files beside it."""


def is_own_picture(path: Path) -> bool:
    """Whether a file lies where results lie, by its name and those beside it."""
    if path.name in BESIDE:
        return os.path.isfile(path.parent / BESIDE[path.name])
    folder = path.parent
    return folder.name == FIGURES and all(os.path.isfile(folder.parent / name) for name in REPORT)


def warn_of_own_pictures(paths: Iterable[Path]) -> None:
    """One warning, where any of these is a picture of results."""
    own = [path for path in paths if is_own_picture(path)]
    if own:
        LOG.warning(
            "%d of these photographs %s of an earlier run's results, such as %s: keep results apart from "
            "photographs, or name the folders of photographs alone",
            len(own),
            "are pictures" if len(own) > 1 else "is a picture",
            printable(readable(own[0])),
        )
