"""A comparison as a folder: report, figures, tables, manifest; whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

from dinoscope.atomic import work_folder
from dinoscope.comparison.figures.maps import write_figures
from dinoscope.comparison.figures.plane_files import PLANE_FILES, write_plane
from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.tables.files import (
    write_manifest,
    write_metrics_csv,
    write_metrics_json,
    write_paper_tables,
)
from dinoscope.data.results import Comparison
from dinoscope.errors import InputError

FILES = (
    "report.html",
    "metrics.csv",
    "metrics.json",
    "manifest.json",
    "table.md",
    "table.tex",
    "figures",
)
"""And `PLANE_FILES` where sharpness and coherence were measured."""


def write_comparison(comparison: Comparison, folder: str | Path) -> Path:
    """Write everything beside ``folder`` first, then move it in; earlier results of the same names are
    replaced, other files in the folder stay.

    Returns:
        The report's path.

    Raises:
        InputError: ``folder`` is a file, or cannot be written to.
    """
    folder = Path(folder)
    try:
        with work_folder(folder) as work:
            _write_all(comparison, work)
            for name in (*FILES, *PLANE_FILES):
                target = folder / name
                if target.is_dir():
                    shutil.rmtree(target)
                if (work / name).exists():
                    (work / name).replace(target)
                else:
                    target.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to the folder {str(folder)!r}: {error.strerror}") from error
    return folder / "report.html"


def _write_all(comparison: Comparison, folder: Path) -> None:
    write_report(comparison, folder / "report.html")
    write_metrics_csv(comparison, folder / "metrics.csv")
    write_metrics_json(comparison, folder / "metrics.json")
    write_manifest(comparison, folder / "manifest.json")
    write_paper_tables(comparison.measurements, folder)
    write_plane(comparison, folder)
    write_figures(comparison, folder / "figures")
