"""The laboratory's report: one HTML file, its numbers, its figures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

from dinoscope.anchoring.findings import METRICS, RANK, TRUNK, Laboratory, Score
from dinoscope.anchoring.report import words
from dinoscope.anchoring.report.curves import plot_control, plot_losses, plot_scores
from dinoscope.anchoring.report.maps import animation, film, plot_grams, plot_strip
from dinoscope.anchoring.report.numbers import laboratory_json
from dinoscope.atomic import move_in, work_folder
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.html import file_uri
from dinoscope.drawing.pages import Section, fill, report_page
from dinoscope.errors import InputError
from dinoscope.metrics.registry import EVERY

_ROOM = "anchoring/report/"
FILES = ("report.html", "metrics.json")
PICTURES = ("scores", "losses", "strip", "planted-scores", "planted-strip", "grams")
"""What `figures` may hold, as PNG; the strip as GIF, too."""


def write_laboratory(laboratory: Laboratory, folder: str | Path) -> Path:
    """Write report.html, metrics.json and figures; other files of the folder stay.

    Returns:
        The report's path.

    Raises:
        InputError: the folder cannot be written to.
    """
    folder = Path(folder)
    try:
        with work_folder(folder) as work:
            pictures = _pictures(laboratory)
            (work / "figures").mkdir()
            for file, data in pictures.items():
                (work / "figures" / file).write_bytes(data)
            (work / "metrics.json").write_text(laboratory_json(laboratory) + "\n", encoding="utf-8")
            (work / "report.html").write_text(_page(laboratory, pictures), encoding="utf-8")
            earlier = (*(f"{name}.png" for name in PICTURES), "strip.gif")
            move_in(work / "figures", folder / "figures", earlier)
            for part in FILES:
                (work / part).replace(folder / part)
    except OSError as error:
        raise InputError(f"cannot write to the folder {str(folder)!r}: {error.strerror}") from error
    return folder / "report.html"


def _page(laboratory: Laboratory, pictures: Mapping[str, bytes]) -> str:
    values = {
        "laboratory": laboratory,
        "words": words,
        "pictures": {file: file_uri(data, file.rpartition(".")[2]) for file, data in pictures.items()},
        "metrics": [EVERY[key] for key in METRICS],
        "shown": [s for s in laboratory.scores if _is_shown(laboratory, s)],
        "role": _role,
        "number": _number,
        "film": [(label, file_uri(data, "png")) for label, data in film(laboratory.strip)]
        if laboratory.strip is not None
        else [],
        "settings": json.dumps(dict(laboratory.settings), indent=1).splitlines(),
    }
    parts = {
        "scores": "Scores on held-out scenes",
        "strip": "Maps" if laboratory.strip is not None else "",
        "grams": "Gram matrices" if laboratory.grams else "",
        "control": "Positive control: damage planted on purpose" if laboratory.control is not None else "",
        "losses": "Losses" if laboratory.losses else "",
        "rules": "Rules",
        "limits": "What is not shown",
        "compute": "Compute spent",
        "settings": "Settings",
    }
    links = {"scores": "Scores", "control": "Positive control", "compute": "Compute"}
    sections = [
        Section(key, title, fill(f"{_ROOM}sections.html", section=key, **values), i, links.get(key, ""))
        for i, (key, title) in enumerate(parts.items())
        if title
    ]
    return report_page(f"{_ROOM}page.html", sections, values, style=f"{_ROOM}page.css")


def _pictures(laboratory: Laboratory) -> dict[str, bytes]:
    found = {"scores.png": png_bytes(plot_scores(laboratory))}
    if laboratory.losses:
        found["losses.png"] = png_bytes(plot_losses(laboratory))
    if laboratory.strip is not None:
        found["strip.png"] = png_bytes(plot_strip(laboratory.strip))
        if moving := animation(laboratory.strip):
            found["strip.gif"] = moving
    if laboratory.control is not None:
        found["planted-scores.png"] = png_bytes(plot_control(laboratory.control))
        if laboratory.control.strip is not None:
            strip = plot_strip(laboratory.control.strip, title="Positive control: planted damage")
            found["planted-strip.png"] = png_bytes(strip)
    if laboratory.grams:
        found["grams.png"] = png_bytes(plot_grams(laboratory))
    return found


def _is_shown(laboratory: Laboratory, score: Score) -> bool:
    steps = [s.step for s in laboratory.scores if (s.run, s.seed) == (score.run, score.seed)]
    return score.step in (max(steps), min(steps) if score.run == TRUNK else -1) or (
        score.run == TRUNK and score.step == laboratory.teacher_step
    )


def _role(laboratory: Laboratory, score: Score) -> str:
    teacher = score.run == TRUNK and score.step == laboratory.teacher_step
    return f"{score.run} (frozen teacher)" if teacher else score.run


def _number(score: Score, metric: str) -> str:
    value = score.values.get(metric, math.nan)
    if not math.isfinite(value):
        return "–"
    if EVERY[metric].unit == "%":
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if metric == RANK else f"{value:.3f}"
