"""The page of retrieval scores: verdicts, gains, number of directions, every score, hits before and after."""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from dinoscope.atomic import write_bytes
from dinoscope.backbones.bundled import kind_told
from dinoscope.data.retrieval import FIRST, RetrievalRow, RetrievalScores
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section, fill, report_page
from dinoscope.evaluation.pictures_values import CASE_RULE, BackgroundAlone, Pictures
from dinoscope.evaluation.report.figures import plot_gains, plot_ranks, ranked_poolings
from dinoscope.evaluation.report.hits import hits_section, removed_section
from dinoscope.evaluation.text import (
    CONTROL_TITLES,
    RULE,
    TITLES,
    case_words,
    gain_of,
    interval_words,
    is_baseline,
    scores_csv,
    scores_json,
    verdicts,
)

_ROOM = "evaluation/report/"


def write_retrieval(
    scores: RetrievalScores,
    folder: str | Path,
    pictures: Pictures | None = None,
    backgrounds: BackgroundAlone | None = None,
) -> Path:
    """Write page.html, scores.json, scores.csv and the figures; returns the page's path.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    ranks = {f"ranks-{pooling}.png": plot_ranks(scores, pooling) for pooling in ranked_poolings(scores)}
    content = {
        **{name: png_bytes(figure) for name, figure in {"gains.png": plot_gains(scores), **ranks}.items()},
        "scores.json": (scores_json(scores, backgrounds) + "\n").encode(),
        "scores.csv": scores_csv(scores).encode(),
        "page.html": retrieval_html(scores, pictures, backgrounds).encode(),
    }
    for name, data in content.items():
        write_bytes(folder / name, data)
    return folder / "page.html"


def retrieval_html(
    scores: RetrievalScores, pictures: Pictures | None = None, backgrounds: BackgroundAlone | None = None
) -> str:
    """The page as text: everything it shows is in it, no script, no outside request."""
    told: dict[str, object] = {
        "scores": scores,
        "found": backgrounds,
        "first": FIRST,
        "titles": TITLES,
        "words": interval_words,
        "case": case_words,
        "case_rule": CASE_RULE,
        "row_name": _name,
        "gain_of": gain_of,
        "is_baseline": is_baseline,
    }
    gains = "Paired gain of every suppression over none, and of every pooling over the plain mean"
    ranks = [
        plot(
            plot_ranks(scores, pooling),
            f"Gain of suppressing directions of {pooling} vectors against their number",
        )
        for pooling in ranked_poolings(scores)
    ]
    alone = fill(f"{_ROOM}backgrounds.html", **told) if backgrounds is not None else Markup()
    sections = [
        Section("gains", "Gains", plot(plot_gains(scores), gains)),
        Section("ranks", "Directions", Markup().join(ranks)),
        Section("backgrounds", "Backgrounds alone", alone),
        Section("hits", "Hits", hits_section(pictures)),
        Section("removed", "What was removed", removed_section(pictures)),
        Section("scores", "Scores", fill(f"{_ROOM}scores.html", **told)),
        Section("settings", "Settings", fill(f"{_ROOM}settings.html", settings=scores.settings)),
    ]
    sentences = [*verdicts(scores), *(() if backgrounds is None else (case_words(backgrounds),))]
    told |= {
        "rule": RULE,
        "sentences": sentences,
        "kind": kind_told(str(scores.settings.get("backbone", ""))),
    }
    return report_page(f"{_ROOM}page.html", sections, told, style=f"{_ROOM}page.css")


def _name(row: RetrievalRow) -> str:
    if row.control:
        return CONTROL_TITLES.get(row.control, row.control)
    said = f"{row.pooling}, {'no suppression' if row.suppression == 'none' else row.suppression}"
    return said + (" (the plain mean)" if is_baseline(row) else "")
