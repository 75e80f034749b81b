"""A comparison as a folder: report, figures, tables, manifest; whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dinoscope.atomic import move_in, work_folder
from dinoscope.comparison.figures.captions import CAPTIONS
from dinoscope.comparison.figures.maps import check_formats, write_figures
from dinoscope.comparison.figures.plane_files import PLANE_FILES, write_plane
from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.tables.files import write_tables
from dinoscope.data.results import Comparison
from dinoscope.drawing.figure_files import FORMATS
from dinoscope.errors import InputError

FIGURES = "figures"
FILES = (
    "report.html",
    "metrics.csv",
    "metrics.json",
    "manifest.json",
    "table.md",
    "table.tex",
    FIGURES,
)
"""And `PLANE_FILES` where sharpness and coherence were measured."""


def write_comparison(comparison: Comparison, folder: str | Path, *, formats: Sequence[str] = ()) -> Path:
    """Write everything beside ``folder`` first, then move it in; earlier results are replaced, other files in
    the folder and in its `FIGURES` stay.

    Args:
        comparison: as `compare` returns it.
        folder: where to.
        formats: of a figure for each photograph: some of ``png``, ``pdf`` and ``svg``; without any there is
            the overview alone, as PNG.

    Returns:
        The report's path.

    Raises:
        InputError: ``folder`` is a file, or cannot be written to; another format.
    """
    check_formats(formats)
    folder = Path(folder)
    try:
        with work_folder(folder) as work:
            _write_all(comparison, work, formats)
            for name in (*FILES, *PLANE_FILES):
                target = folder / name
                if name == FIGURES:
                    move_in(work / name, target, _earlier_figures(target))
                elif (work / name).exists():
                    (work / name).replace(target)
                else:
                    target.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to the folder {str(folder)!r}: {error.strerror}") from error
    return folder / "report.html"


def _earlier_figures(folder: Path) -> list[str]:
    """Names of the figures that an earlier comparison wrote there: its captions head each by its stem."""
    captions = folder / CAPTIONS
    text = captions.read_text(encoding="utf-8", errors="replace") if captions.is_file() else ""
    stems = re.findall(r"^## ([\w-]+)$", text, re.MULTILINE | re.ASCII)
    return [f"{stem}.{kind}" for stem in stems for kind in FORMATS]


def _write_all(comparison: Comparison, folder: Path, formats: Sequence[str]) -> None:
    write_report(comparison, folder / "report.html")
    write_tables(comparison, folder)
    write_plane(comparison, folder)
    write_figures(comparison, folder / FIGURES, formats)
