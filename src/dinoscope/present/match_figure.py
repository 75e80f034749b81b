"""Why this match: what every patch gives to the score, in both photographs, and the strongest pairs."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch, Rectangle

from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Match
from dinoscope.present.sheet import Sheet, drawable, lines
from dinoscope.present.style import QUIET, plain

DIVERGING = "PuOr_r"
SHOWN_PAIRS = 6
_GAP, _SIDE, _TOP = 0.35, 3.1, 0.62


def plot_match(match: Match, query: Photograph, hit: Photograph) -> Figure:
    """Both photographs, and beneath them the share of every patch in the cosine, on one scale around 0.

    Args:
        match: as `why_match` returns it.
        query, hit: the two photographs.
    """
    whole = 3 * _GAP + 2 * _SIDE + 0.6
    heights = [_SIDE * p.size[1] / p.size[0] for p in (query, hit)]
    tallest = max(heights)
    note = _note(match)
    foot = _TOP + 2 * tallest + 0.75
    sheet = Sheet(whole, foot + len(lines(note, whole - 0.2, 6.5)) * 6.5 * 1.4 / 72 + 0.15)
    sheet.words(0.1, 0.24, f"Why this match: cosine {match.score:.3f}", size=9.5, weight="bold")
    limit = max(float(np.abs(match.query).max()), float(np.abs(match.hit).max()), 1e-9)
    tops = []
    for place, (photograph, shares, height) in enumerate(
        zip((query, hit), (match.query, match.hit), heights, strict=True)
    ):
        left = _GAP + place * (_SIDE + _GAP)
        sheet.words(left, _TOP - 0.08, drawable(plain(photograph.name, 60)), size=7, longest=_SIDE)
        top = sheet.axes(left, _TOP, _SIDE, height)
        top.imshow(photograph.pixels, extent=(0, 1, 1, 0), aspect="auto")
        below = sheet.axes(left, _TOP + tallest + 0.3, _SIDE, height)
        drawn = below.imshow(
            shares * shares.size,
            cmap=DIVERGING,
            vmin=-limit * shares.size,
            vmax=limit * shares.size,
            aspect="auto",
        )
        for axes in (top, below):
            axes.set_axis_off()
        tops.append(top)
        if place == 1:
            bar = sheet.axes(left + _SIDE + 0.08, _TOP + tallest + 0.3, 0.09, height)
            sheet.figure.colorbar(drawn, cax=bar)
            bar.tick_params(labelsize=6, length=2)
    sheet.words(
        _GAP,
        _TOP + tallest + 0.22,
        "share of each patch in the cosine, times the number of patches",
        size=7,
        colour=QUIET,
    )
    for number, pair in enumerate(match.pairs[:SHOWN_PAIRS]):
        _pair(sheet.figure, tops, match, pair, number)
    sheet.paragraph(0.1, foot, note, width=whole - 0.2, size=6.5)
    return sheet.figure


def _pair(
    figure: Figure,
    axes: list[Axes],
    match: Match,
    pair: tuple[tuple[int, int], tuple[int, int]],
    number: int,
) -> None:
    """Two patches outlined, numbered and linked."""
    centres = []
    for ax, (row, col), shares in zip(axes, pair, (match.query, match.hit), strict=True):
        h, w = shares.shape
        ax.add_patch(Rectangle((col / w, row / h), 1 / w, 1 / h, fill=False, color="white", linewidth=1.2))
        centres.append(((col + 0.5) / w, (row + 0.5) / h))
    left, right = axes
    line = ConnectionPatch(
        centres[0], centres[1], "data", "data", axesA=left, axesB=right, color="white", linewidth=0.8
    )
    figure.add_artist(line)
    for ax, (x, y) in zip(axes, centres, strict=True):
        ax.text(x, y, str(number + 1), fontsize=5, color="white", ha="center", va="center")


def _note(match: Match) -> str:
    words = (
        f"Pooling {match.pooling}, suppression {match.suppression}. Each map is what its photograph's "
        f"patches "
        "give to the cosine; 1 is the share of a patch in a score of 1 that all patches carry alike; below "
        "0 a "
        "patch speaks against the match. Linked: the strongest pairs of patches."
    )
    if match.exact:
        return f"{words} The shares of each photograph sum to the cosine."
    return (
        f"{words} This pooling is no mean of patches: the maps are those of the plain mean, an approximation."
    )
