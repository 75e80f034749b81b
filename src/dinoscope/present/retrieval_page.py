"""The page of retrieval scores: verdicts, gains, number of directions, every score, hits before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8

from dinoscope.atomic import write_whole
from dinoscope.data.retrieval import RetrievalRow, RetrievalScores
from dinoscope.present.figure_files import png_bytes, svg_bytes
from dinoscope.present.markup import definitions, file_uri, jpeg_uri, table, text
from dinoscope.present.report import STATIC_POLICY
from dinoscope.present.retrieval_figures import plot_gains, plot_ranks, ranked_poolings
from dinoscope.present.retrieval_maps import removed_uri
from dinoscope.present.retrieval_text import (
    CONTROL_TITLES,
    RULE,
    TITLES,
    interval_words,
    is_baseline,
    scores_csv,
    scores_json,
    verdicts,
)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A photograph as the contact sheet shows it.

    Attributes:
        name, label: data, never markup.
        pixels: a thumbnail.
        relevant: whether it has the query's label; None for the query itself.
    """

    name: str
    label: str
    pixels: UInt8[np.ndarray, "H W 3"]
    relevant: bool | None = None


@dataclass(frozen=True, slots=True, eq=False)
class QueryRow:
    """A query with its hits without and with a suppression, best first."""

    query: Shown
    before: tuple[Shown, ...]
    after: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RemovedMap:
    """What a suppression takes out of a photograph: the share of each patch's squared length, in [0, 1]."""

    photograph: Shown
    shares: Float64[np.ndarray, "h w"]


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the page shows beside the numbers.

    Attributes:
        suppression: in words; what ``after`` and ``removed`` are of.
        queries, removed: may be empty.
    """

    suppression: str
    queries: tuple[QueryRow, ...] = ()
    removed: tuple[RemovedMap, ...] = ()


def write_retrieval(scores: RetrievalScores, folder: str | Path, pictures: Pictures | None = None) -> Path:
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
        "scores.json": (scores_json(scores) + "\n").encode(),
        "scores.csv": scores_csv(scores).encode(),
        "page.html": retrieval_html(scores, pictures).encode(),
    }
    for name, data in content.items():
        write_whole(folder / name, lambda file, data=data: file.write(data))  # type: ignore[misc]
    return folder / "page.html"


def retrieval_html(scores: RetrievalScores, pictures: Pictures | None = None) -> str:
    """The page as text: everything it shows is in it, no script, no outside request."""
    style = files("dinoscope.present").joinpath("static", "report.css").read_text(encoding="utf-8")
    said = "".join(f"<p>{text(sentence)}</p>\n" for sentence in verdicts(scores))
    warned = "".join(f'<p class="quiet">{text(warning)}</p>\n' for warning in scores.warnings)
    parts = {
        "gains": (
            "Gains",
            _figure(svg_bytes(plot_gains(scores)), "Paired gain of every row over the plain mean"),
        ),
        "ranks": ("Directions", _ranks(scores)),
        "hits": ("Hits", _hits(pictures)),
        "removed": ("What was removed", _removed(pictures)),
        "scores": ("Scores", _table(scores)),
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
{style}{_STYLE}</style>
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
.sheet { display: grid; gap: 1.2rem; }
.sheet .row { display: grid; grid-template-columns: 8rem 1fr; gap: .8rem; align-items: start; }
.sheet .hits { display: flex; flex-wrap: wrap; gap: .3rem; margin: 0 0 .4rem; }
.sheet figure { margin: 0; width: 5.2rem; font-size: .68rem; overflow-wrap: anywhere; }
.sheet figure img { width: 100%; height: 4rem; object-fit: cover; display: block; }
.sheet figure img { border: 3px solid transparent; }
.sheet figure.yes img { border-color: #0072b2; }
.sheet .query img { height: 5.5rem; }
.sheet .query { width: 8rem; }
.sheet small { display: block; }
@media (max-width: 600px) { .sheet .row { grid-template-columns: 1fr; } }
"""


def _ranks(scores: RetrievalScores) -> str:
    return "".join(
        _figure(
            svg_bytes(plot_ranks(scores, pooling)),
            f"Score of {pooling} vectors against the number of directions",
        )
        for pooling in ranked_poolings(scores)
    )


def _table(scores: RetrievalScores) -> str:
    heads = ["pooling, suppression", *(_title(key) for key in scores.scores), "directions"]
    rows = [
        (
            text(_name(row)),
            *(text(interval_words(row.summaries[key])) for key in scores.scores),
            text(_chosen(row)),
        )
        for row in scores.rows
    ]
    caption = "Mean over queries, 95% bootstrap interval; directions as chosen for the queries of each fold."
    return table([text(h) for h in heads], rows, css="variance", caption=caption, labels=heads)


def _settings(scores: RetrievalScores) -> str:
    return definitions(
        (text(key.replace("_", " ")), text(value)) for key, value in scores.settings.items() if value != ""
    )


def _hits(pictures: Pictures | None) -> str:
    if pictures is None or not pictures.queries:
        return ""
    rows = []
    for row in pictures.queries:
        rows.append(
            f'<div class="row">{_thumbnail(row.query, "query")}<div>'
            f'<small>plain mean</small><div class="hits">{_thumbnails(row.before)}</div>'
            f"<small>{text(pictures.suppression)}</small><div "
            f'class="hits">{_thumbnails(row.after)}</div></div></div>\n'
        )
    note = (
        "<p>Queries chosen by their digests, not by their results. Framed in blue: photographs of the "
        "query's label. The suppression was fitted on the whole store.</p>\n"
    )
    return f'{note}<div class="sheet">{"".join(rows)}</div>\n'


def _removed(pictures: Pictures | None) -> str:
    if pictures is None or not pictures.removed:
        return ""
    cells = "".join(
        f'<figure><img src="{jpeg_uri(one.photograph.pixels)}" alt="{text(one.photograph.name)}">'
        f'<img src="{removed_uri(one.shares)}" alt="share removed, mean {one.shares.mean():.0%}">'
        f"<figcaption>{one.shares.mean():.0%} of the squared length</figcaption></figure>"
        for one in pictures.removed
    )
    note = (
        f"<p>What {text(pictures.suppression)} takes out of each patch, as a share of its squared length: "
        "black nothing, white everything, one scale. If it were background alone, subjects would stay "
        "black.</p>\n"
    )
    return f'{note}<div class="sheet"><div class="hits">{cells}</div></div>\n'


def _thumbnails(shown: Sequence[Shown]) -> str:
    return "".join(_thumbnail(one, "yes" if one.relevant else "no") for one in shown)


def _thumbnail(shown: Shown, css: str) -> str:
    said = "" if shown.relevant is None else (", relevant" if shown.relevant else ", not relevant")
    return (
        f'<figure class="{css}"><img src="{jpeg_uri(shown.pixels)}" alt="{text(shown.name + said)}">'
        f"<figcaption>{text(shown.label)}</figcaption></figure>"
    )


def _figure(data: bytes, described: str) -> str:
    return f'<figure class="plot"><img src="{file_uri(data, "svg+xml")}" alt="{text(described)}"></figure>\n'


def _name(row: RetrievalRow) -> str:
    if row.control:
        return f"{row.pooling}, {row.suppression}: {CONTROL_TITLES.get(row.control, row.control)}"
    return f"{row.pooling}, {'no suppression' if row.suppression == 'none' else row.suppression}" + (
        " (what gains refer to)" if is_baseline(row) else ""
    )


def _title(key: str) -> str:
    return TITLES.get(key, key.replace("_", " "))


def _chosen(row: RetrievalRow) -> str:
    known = [str(k) for k in row.chosen if k is not None]
    return ", ".join(known) if known else "–"
