"""Hits before and after a suppression, and what it removed, as parts of the page of retrieval scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dinoscope.drawing.html import jpeg_uri, text
from dinoscope.evaluation.pictures_values import Pictures, QueryRow, RemovedMap, Shown
from dinoscope.evaluation.report.maps import removed_uri

SHEET_STYLE = """
.sheets { display: grid; gap: 1.6rem; margin-top: 16px; max-width: 1200px; }
.query-row { display: grid; gap: 4px 16px; grid-template-columns: 132px minmax(0, 1fr); }
.hits { display: grid; gap: 8px; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); }
.hits + small { display: block; margin-top: 10px; }
.shot figcaption { font-size: 12px; line-height: 1.3; overflow-wrap: anywhere; padding-top: 3px; }
.shot img { aspect-ratio: 4 / 3; display: block; object-fit: cover; width: 100%; }
.shot.no img { opacity: .8; }
.sheets + *, #hits p, #removed p, #backgrounds p { margin-bottom: 8px; }
.shot.yes img { outline: 3px solid #0072b2; outline-offset: -3px; }
.shot.yes figcaption::before { color: #0072b2; content: "\\2713  "; font-weight: 600; }
.maps { display: grid; gap: 20px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 260px), 1fr)); }
.maps .pair { display: grid; gap: 4px; grid-template-columns: 1fr 1fr; }
.maps .pair img { display: block; height: auto; width: 100%; }
.maps .pair img + img { height: 100%; }
.removed-scale { align-items: center; display: flex; font-size: 13px; gap: 8px; margin: 12px 0 4px; }
.removed-scale img { height: 10px; width: 180px; }
@media screen and (prefers-color-scheme: dark) {
  .shot.yes img { outline-color: #56b4e9; }
  .shot.yes figcaption::before { color: #56b4e9; }
}
@media screen and (max-width: 600px) {
  .query-row { grid-template-columns: 1fr; }
  .query-row > .shot { width: 132px; }
  .hits { grid-template-columns: repeat(auto-fill, minmax(76px, 1fr)); }
}
"""


def hits_section(pictures: Pictures | None) -> str:
    """Queries with both rankings; what is not shown, and why. Empty without pictures."""
    if pictures is None or not (pictures.queries or pictures.notes):
        return ""
    counts = ""
    if pictures.queries:
        before, after = _relevant(pictures.queries)
        counts = (
            f"<p>Of the hits shown, {before} have the query's label without suppression and {after} with "
            f"{text(pictures.suppression)} directions removed. These are few queries: the scores count "
            "all.</p>\n"
        )
    said = (
        '<p class="quiet">One query for each label, the first by digest, whatever its scores. Outlined and '
        "ticked: photographs of the query's label. The suppression was fitted "
        f"{text(pictures.fitted_on or 'on the whole store')}.</p>\n"
        if pictures.queries
        else ""
    )
    notes = "".join(f'<p class="quiet">{text(note)}</p>\n' for note in pictures.notes)
    rows = "".join(
        f'<div class="query-row">{_shot(row.query, "query")}<div>'
        f'<small>plain mean</small><div class="hits">{_shots(row.before)}</div>'
        f'<small>{text(_removed(pictures, row.k))}</small><div class="hits">{_shots(row.after)}</div>'
        "</div></div>\n"
        for row in pictures.queries
    )
    return f'{counts}{said}{notes}<div class="sheets">{rows}</div>\n'


def removed_section(pictures: Pictures | None) -> str:
    """Photographs beside the share of each patch that was removed; empty where there is none."""
    if pictures is None or not pictures.removed:
        return ""
    scale = removed_uri(np.linspace(0.0, 1.0, 64)[None])
    bar = (
        f'<div class="removed-scale"><span>0%</span><img src="{scale}" alt=""><span>100% of the patch\'s '
        "squared length</span></div>\n"
    )
    pairs = "".join(_pair(one) for one in pictures.removed)
    said = (
        f"<p>What removing {text(pictures.suppression)} directions takes out of each patch, on one scale for "
        "all. Were it background alone, subjects would stay black. The first direction of a second moment "
        "about zero is close to what all patches share, so that every patch loses something.</p>\n"
    )
    return f'{said}{bar}<div class="maps">{pairs}</div>\n'


def directions(k: int) -> str:
    """So many of them, in words."""
    return f"{k} direction{'' if k == 1 else 's'}"


def _removed(pictures: Pictures, k: int | None) -> str:
    return pictures.suppression if k is None else f"{pictures.suppression}, {directions(k)} removed"


def _relevant(rows: Sequence[QueryRow]) -> tuple[int, int]:
    before = sum(hit.relevant is True for row in rows for hit in row.before)
    return before, sum(hit.relevant is True for row in rows for hit in row.after)


def _pair(one: RemovedMap) -> str:
    shares = one.shares
    low, high = np.quantile(shares, (0.05, 0.95))
    said = f"{shares.mean():.0%} of the squared length; 90% of patches between {low:.0%} and {high:.0%}"
    if one.k is not None:
        said += f"; {directions(one.k)} removed"
    return (
        f'<figure><div class="pair"><img src="{jpeg_uri(one.photograph.pixels)}" '
        f'alt="{text(one.photograph.name)}"><img class="pixels" src="{removed_uri(shares)}" '
        f'alt="share removed, mean {shares.mean():.0%}"></div>'
        f"<figcaption>{text(one.photograph.label)}: {said}</figcaption></figure>"
    )


def _shots(shown: Sequence[Shown]) -> str:
    return "".join(_shot(one, "yes" if one.relevant else "no") for one in shown)


def _shot(shown: Shown, css: str) -> str:
    said = "" if shown.relevant is None else (", relevant" if shown.relevant else ", not relevant")
    return (
        f'<figure class="shot {css}"><img src="{jpeg_uri(shown.pixels)}" alt="{text(shown.name + said)}">'
        f"<figcaption>{text(shown.label)}</figcaption></figure>"
    )
