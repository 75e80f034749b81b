"""Why this match: what every patch gives to the score, in both photographs, and the strongest pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import ConnectionPatch
from matplotlib.transforms import Bbox

from dinoscope.data.photograph import Photograph
from dinoscope.data.retrieval import Match
from dinoscope.drawing.canvas import (
    FACE,
    MOST_STRETCHED,
    Canvas,
    colour_bar,
    footprint,
    lines,
    patch_map,
    picture,
)
from dinoscope.drawing.style import ACCENT, QUIET

DIVERGING = "PuOr_r"
SHOWN_LINKS = 6
TOGETHER = 2
"""Pairs whose patches are at most so many rows and columns apart, in both photographs, share a link."""

_EDGE, _GAP, _SIDE, _TALLEST, _NARROWEST = 0.2, 0.4, 3.2, 4.2, 2.4
_TOP, _BETWEEN, _BAR_WIDTH = 0.62, 0.42, 3.2
_NOTE_SIZE = 7.0

_Patch = tuple[int, int]
_Pair = tuple[_Patch, _Patch]


def plot_match(match: Match, query: Photograph, hit: Photograph, *, narrow: bool = False) -> Figure:
    """Both photographs, and beneath them the share of every patch in the cosine, on one scale around 0.

    Args:
        match: as `why_match` returns it.
        query, hit: the two photographs.
        narrow: all in one column, for a telephone.
    """
    photographs, shares = (query, hit), (match.query, match.hit)
    sizes = [_panel(photograph.size) for photograph in photographs]
    (lefts, tops, map_tops), whole, end = _places(sizes, narrow=narrow)
    note = _note(match)
    bar_top = end + 0.12
    foot = bar_top + 0.5
    below = len(lines(note, whole - 2 * _EDGE, _NOTE_SIZE)) * _NOTE_SIZE * 1.4 / 72
    canvas = Canvas(whole, foot + below + 0.15)
    canvas.words(
        _EDGE, 0.24, f"Why this match: cosine {match.score:.3f}".replace("-", "−"), size=10, weight="bold"
    )
    colours, scale = matplotlib.colormaps[DIVERGING], _scale(shares)
    panels: list[Axes] = []
    for role, photograph, share, (width, height), left, top, map_top in zip(
        ("query", "hit"), photographs, shares, sizes, lefts, tops, map_tops, strict=True
    ):
        canvas.words(
            left, top - 0.08, f"{role}: {photograph.name}", size=7.5, longest=max(width, _SIDE * 0.8)
        )
        panels.append(canvas.panel(left, top, width, height))
        picture(panels[-1], photograph.pixels, photograph.size)
        patch_map(
            canvas.panel(left, map_top, width, height), share * share.size, colours=colours, scale=scale
        )
    canvas.words(_EDGE, map_tops[0] - 0.08, "what each patch gives to the cosine", size=7.5)
    _link(canvas.figure, panels, match, [photograph.size for photograph in photographs])
    limit = float(scale.vmax or 0.0)
    ticks = [-limit, -limit / 2, 0.0, limit / 2, limit]
    bar = canvas.axes(_EDGE + 0.12, bar_top, min(_BAR_WIDTH, whole - 2 * _EDGE - 0.24), 0.09)
    colour_bar(canvas.figure, bar, colours, scale, ticks, [_signed(tick) for tick in ticks])
    canvas.words(
        _EDGE,
        bar_top + 0.36,
        "share in the cosine × number of patches (no unit); one scale for both",
        size=6 if narrow else 7,
        colour=QUIET,
    )
    canvas.paragraph(_EDGE, foot, note, width=whole - 2 * _EDGE, size=_NOTE_SIZE)
    return canvas.figure


def _panel(size: tuple[int, int]) -> tuple[float, float]:
    """Width and height in inches; extreme photographs are drawn less so."""
    ratio = min(max(size[1] / size[0], 1 / MOST_STRETCHED), MOST_STRETCHED)
    height = min(_SIDE * ratio, _TALLEST)
    return height / ratio, height


def _places(
    sizes: Sequence[tuple[float, float]], *, narrow: bool
) -> tuple[tuple[list[float], list[float], list[float]], float, float]:
    """Left edges, tops of the photographs and tops of their maps; the whole width; where the maps end."""
    (one, other), tallest = (height for _, height in sizes), max(height for _, height in sizes)
    if narrow:
        second = _TOP + one + _BETWEEN
        maps = second + other + _BETWEEN
        last = maps + one + 0.12
        return ([_EDGE, _EDGE], [_TOP, second], [maps, last]), 2 * _EDGE + _SIDE, last + other
    columns = [max(width, _NARROWEST) for width, _ in sizes]
    maps = _TOP + tallest + _BETWEEN
    lefts = [_EDGE, _EDGE + columns[0] + _GAP]
    return (lefts, [_TOP, _TOP], [maps, maps]), 2 * _EDGE + _GAP + sum(columns), maps + tallest


def _scale(shares: Sequence[np.ndarray]) -> Normalize:
    limit = max(1e-9, *(float(np.abs(share).max()) * share.size for share in shares))
    return Normalize(-limit, limit)


@dataclass(frozen=True, slots=True)
class _Bunch:
    """Pairs of patches that lie together in both photographs, the strongest first."""

    pairs: tuple[_Pair, ...]

    def joins(self, pair: _Pair) -> bool:
        """Whether a pair lies beside the strongest, in both photographs."""
        (first, second), (a, b) = self.pairs[0], pair
        return all(
            abs(p[0] - q[0]) <= TOGETHER and abs(p[1] - q[1]) <= TOGETHER
            for p, q in ((first, a), (second, b))
        )


def bunches(pairs: Sequence[_Pair]) -> tuple[tuple[_Pair, ...], ...]:
    """The pairs, strongest first; those within `TOGETHER` patches of a stronger one in both go with it."""
    found: list[_Bunch] = []
    for pair in pairs:
        place = next((i for i, bunch in enumerate(found) if bunch.joins(pair)), None)
        if place is None:
            found.append(_Bunch((pair,)))
        else:
            found[place] = _Bunch((*found[place].pairs, pair))
    return tuple(bunch.pairs for bunch in found)


def _link(figure: Figure, axes: Sequence[Axes], match: Match, sizes: Sequence[tuple[int, int]]) -> None:
    """A cased link for each bunch of strong pairs, its patches outlined, its number at both ends."""
    linked = bunches(match.pairs)[:SHOWN_LINKS]
    grids = [match.query.shape, match.hit.shape]
    for pair in (bunch[0] for bunch in reversed(linked)):
        ends = [_box(patch, grid, size) for patch, grid, size in zip(pair, grids, sizes, strict=True)]
        centres = [((left + right) / 2, (top + bottom) / 2) for left, top, right, bottom in ends]
        for colour, width in (("white", 2.8), (ACCENT, 1.2)):
            link = ConnectionPatch(centres[0], centres[1], "data", "data", axesA=axes[0], axesB=axes[1])
            link.set(color=colour, linewidth=width)
            figure.add_artist(link)
    for side, (ax, grid, size) in enumerate(zip(axes, grids, sizes, strict=True)):
        patches = dict.fromkeys(pair[side] for bunch in linked for pair in bunch)
        boxes = {patch: _box(patch, grid, size) for patch in patches}
        for box in boxes.values():
            footprint(ax, box)
        taken = [ax.transData.transform_bbox(Bbox.from_extents(*box)) for box in boxes.values()]
        for number, bunch in enumerate(linked, 1):
            taken.append(_number(figure, ax, boxes[bunch[0][side]], str(number), side, taken))


def _number(
    figure: Figure,
    ax: Axes,
    box: tuple[float, float, float, float],
    label: str,
    side: int,
    taken: Sequence[Bbox],
) -> Bbox:
    """A number beside its patch, as near as can be to where no link leaves, clear of what is taken."""
    inch, frame = figure.dpi, ax.get_window_extent()
    wide, high = (0.1 + 0.09 * len(label)) * inch, 0.18 * inch
    patch = ax.transData.transform_bbox(Bbox.from_extents(*box))
    outer = patch.x1 + 0.05 * inch if side else patch.x0 - 0.05 * inch - wide
    level = (patch.y0 + patch.y1 - high) / 2
    places = [
        Bbox.from_bounds(x, y, wide, high)
        for x in np.clip(outer + np.arange(-12, 13) * wide / 2, frame.x0, max(frame.x0, frame.x1 - wide))
        for y in np.clip(level + np.arange(-12, 13) * high / 2, frame.y0, max(frame.y0, frame.y1 - high))
    ]
    places.sort(key=lambda place: float(np.hypot(place.x0 - outer, place.y0 - level)))
    place = next((p for p in places if not any(p.overlaps(other) for other in taken)), places[0])
    x, y = figure.transFigure.inverted().transform(((place.x0 + place.x1) / 2, (place.y0 + place.y1) / 2))
    figure.text(
        x,
        y,
        label,
        ha="center",
        va="center_baseline",
        color="white",
        zorder=10,
        fontproperties=FontProperties(family=FACE, size=8.5, weight="bold"),
        bbox={"boxstyle": "square,pad=0.22", "facecolor": ACCENT, "edgecolor": "white", "linewidth": 0.8},
    )
    return place


def _signed(value: float) -> str:
    return "0" if value == 0 else f"{value:+.2f}".replace("-", "−")


def _box(patch: _Patch, grid: tuple[int, ...], size: tuple[int, int]) -> tuple[float, float, float, float]:
    """A patch's footprint in pixels of the photograph."""
    (row, col), (h, w), (width, height) = patch, grid, size
    return col * width / w, row * height / h, (col + 1) * width / w, (row + 1) * height / h


def _note(match: Match) -> str:
    words = (
        f"Pooling {match.pooling}, suppression {match.suppression}. 1 is what each patch gives where all "
        "give the same and the cosine is 1; a patch below 0 speaks against the match. Linked and numbered: "
        "the pairs of patches that give most, strongest first; pairs close together share a link."
    )
    if match.exact:
        return f"{words} The shares of each photograph sum to the cosine."
    return (
        f"{words} This pooling is no mean of patches: the maps are those of the plain mean, an approximation."
    )
