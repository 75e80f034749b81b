"""The page of retrieval scores: verdicts, gains, number of directions, every score, hits before and after."""

from __future__ import annotations

from pathlib import Path

from dinoscope.atomic import write_whole
from dinoscope.data.retrieval import FIRST, RetrievalRow, RetrievalScores
from dinoscope.drawing.figure_files import png_bytes, svg_bytes
from dinoscope.drawing.html import STATIC_POLICY, definitions, file_uri, table, text
from dinoscope.drawing.view.bundle import view_text
from dinoscope.evaluation.pictures_values import (
    CASE_RULE,
    BackgroundAlone,
    Pictures,
    QueryRow,
    RemovedMap,
    Shown,
)
from dinoscope.evaluation.report.figures import plot_gains, plot_ranks, ranked_poolings
from dinoscope.evaluation.report.hits import SHEET_STYLE, hits_section, removed_section
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

__all__ = ["Pictures", "QueryRow", "RemovedMap", "Shown", "retrieval_html", "write_retrieval"]


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
    content = {
        "gains.png": png_bytes(plot_gains(scores)),
        **{
            f"ranks-{pooling}.png": png_bytes(plot_ranks(scores, pooling))
            for pooling in ranked_poolings(scores)
        },
        "scores.json": (scores_json(scores, backgrounds) + "\n").encode(),
        "scores.csv": scores_csv(scores).encode(),
        "page.html": retrieval_html(scores, pictures, backgrounds).encode(),
    }
    for name, data in content.items():
        write_whole(folder / name, lambda file, data=data: file.write(data))  # type: ignore[misc]
    return folder / "page.html"


def retrieval_html(
    scores: RetrievalScores, pictures: Pictures | None = None, backgrounds: BackgroundAlone | None = None
) -> str:
    """The page as text: everything it shows is in it, no script, no outside request."""
    style = view_text("report.css")
    sentences = [*verdicts(scores), *(() if backgrounds is None else (case_words(backgrounds),))]
    said = "".join(f"<p>{text(sentence)}</p>\n" for sentence in sentences)
    warned = "".join(f'<p class="quiet">{text(warning)}</p>\n' for warning in scores.warnings)
    parts = {
        "gains": (
            "Gains",
            _figure(
                svg_bytes(plot_gains(scores)),
                "Paired gain of every suppression over none, and of every pooling over the plain mean",
            ),
        ),
        "ranks": ("Directions", _ranks(scores)),
        "backgrounds": ("Backgrounds alone", _backgrounds(backgrounds)),
        "hits": ("Hits", hits_section(pictures)),
        "removed": ("What was removed", removed_section(pictures)),
        "scores": ("Scores", _tables(scores)),
        "settings": ("Settings", _settings(scores)),
    }
    shown = {key: part for key, part in parts.items() if part[1]}
    links = " ".join(f'<a href="#{key}">{title}</a>' for key, (title, _) in shown.items())
    sections = "\n".join(
        f'<section id="{key}" aria-labelledby="{key}-title">\n'
        f'<h2 id="{key}-title">{title}</h2>\n{body}</section>'
        for key, (title, body) in shown.items()
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{STATIC_POLICY}; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>Retrieval – dinoscope</title>
<style>
{style}{SHEET_STYLE}{_STYLE}</style>
</head>
<body>
<header>
<h1>Retrieval</h1>
<p>{len(scores.queries):,} queries among {scores.n_images:,} labelled photographs; mean average precision of a
random ranking {scores.chance:.3f}.</p>
{said}<p class="quiet">{text(RULE)}</p>
{warned}<nav aria-label="Contents">{links}</nav>
</header>
<main>
{sections}
</main>
</body>
</html>
"""


_STYLE = """
.scores { width: auto; }
.scores caption { padding-bottom: 8px; }
.scores th, .scores td { padding: 6px 20px 6px 0; }
.scores td { white-space: nowrap; }
.scores td small { color: var(--soft); }
.scores .of { color: var(--soft); padding-left: 1.4em; display: inline-block; }
.every { margin-top: 24px; }
.every summary { cursor: pointer; padding: 6px 0; }
.every .scores { font-size: 13px; }
.every .scores th, .every .scores td { padding: 4px 14px 4px 0; }
.every .scores small { font-size: 11px; }
@media screen and (max-width: 900px) {
  .plot { overflow-x: auto; }
  .plot img { max-width: none; min-width: min(100%, 620px); width: max(100%, 620px); }
  .scores, .scores caption, .scores tbody, .scores tr, .scores th, .scores td { display: block; }
  .scores thead { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; width: 1px; }
  .scores tr { border-bottom: 1px solid var(--line); padding: 8px 0; }
  .scores th, .scores td { border: 0; padding: 1px 0; white-space: normal; }
  .scores .of { padding-left: 0; }
  .scores td small { display: inline; }
  .scores td:empty { display: none; }
  .scores td::before { color: var(--soft); content: attr(data-head) " "; display: inline-block; }
  .scores td::before { font-size: 13px; vertical-align: top; width: 11em; }
  .every .scores th, .every .scores td { padding: 1px 0; }
}
"""


def _ranks(scores: RetrievalScores) -> str:
    return "".join(
        _figure(
            svg_bytes(plot_ranks(scores, pooling)),
            f"Gain of suppressing directions of {pooling} vectors against their number",
        )
        for pooling in ranked_poolings(scores)
    )


def _backgrounds(found: BackgroundAlone | None) -> str:
    if found is None:
        return ""
    rows = [
        ("background patches alone", interval_words(found.background), interval_words(found.excess)),
        (
            "foreground patches alone",
            interval_words(found.foreground),
            interval_words(found.foreground_excess),
        ),
        ("foreground minus background", interval_words(found.ahead, sign="+"), ""),
    ]
    heads = ("searched by", TITLES[FIRST], "excess over chance")
    caption = f"{found.n_images:,} photographs with both; 95% intervals, each photograph left out in turn."
    if found.n_left_out:
        caption += f" {found.n_left_out:,} without a foreground or without a background are left out."
    body = table(heads, rows, css="scores", caption=caption)
    return f'<p>{text(case_words(found))}</p>\n{body}<p class="quiet">{text(CASE_RULE)}</p>\n'


def _tables(scores: RetrievalScores) -> str:
    heads = [
        "vectors and suppression",
        TITLES[FIRST],
        "gain",
        "suppression ahead",
        "directions",
    ]
    rows = [
        (
            _name(row),
            text(interval_words(row.summaries[FIRST])),
            "" if is_baseline(row) else text(interval_words(gain_of(row).interval, sign="+")),
            text(interval_words(row.margins[FIRST].interval, sign="+")) if row.margins else "",
            text(_chosen(row)),
        )
        for row in scores.rows
    ]
    caption = (
        "Mean over queries, 95% interval. Gain, query by query: of a suppression over the same vectors "
        "without it, of a pooling without suppression over the plain mean. Indented: "
        "controls of the suppression above them; there, "
        "how far the suppression is ahead of the control, query by query. Directions as chosen for the "
        "queries of each fold."
    )
    first = table([text(h) for h in heads], rows, css="scores", caption=caption, labels=heads)
    every = ["vectors and suppression", *(_title(key) for key in scores.scores)]
    whole = [
        (_name(row), *(_cell(interval_words(row.summaries[key])) for key in scores.scores))
        for row in scores.rows
    ]
    second = table([text(h) for h in every], whole, css="scores", labels=every)
    return f'{first}<details class="every"><summary>Every score</summary>\n{second}</details>\n'


def _cell(words: str) -> str:
    mean, _, interval = words.partition(" ")
    return f"{text(mean)} <small>{text(interval)}</small>" if interval else text(mean)


def _settings(scores: RetrievalScores) -> str:
    return definitions(
        (text(key.replace("_", " ")), text(value)) for key, value in scores.settings.items() if value != ""
    )


def _figure(data: bytes, described: str) -> str:
    return f'<figure class="plot"><img src="{file_uri(data, "svg+xml")}" alt="{text(described)}"></figure>\n'


def _name(row: RetrievalRow) -> str:
    if row.control:
        return f'<span class="of">{text(CONTROL_TITLES.get(row.control, row.control))}</span>'
    said = f"{row.pooling}, {'no suppression' if row.suppression == 'none' else row.suppression}"
    return text(said + (" (the plain mean)" if is_baseline(row) else ""))


def _title(key: str) -> str:
    return TITLES.get(key, key.replace("_", " "))


def _chosen(row: RetrievalRow) -> str:
    known = [str(k) for k in row.chosen if k is not None]
    return ", ".join(known) if known else "–"
