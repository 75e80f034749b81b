"""Matches drawn: the same points in every model, where each patch goes, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import ConnectionPatch

from dinoscope.backbones.bundled import kind_of
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import KIND_WORDS
from dinoscope.drawing.canvas import Canvas, colour_bar, lines, panel_size, patch_map, picture
from dinoscope.drawing.style import QUIET, cosine_colours
from dinoscope.errors import InputError
from dinoscope.matching.matches import Matches

CORNERS = np.array(
    [[[0.0, 0.35, 0.95], [1.0, 0.80, 0.0]], [[0.0, 0.72, 0.40], [0.90, 0.20, 0.65]]], dtype=np.float64
)
"""Colours of the places (0, 0), (1, 0), (0, 1) and (1, 1); between them, a mixture."""

_EDGE, _GAP, _BETWEEN, _AREA = 0.15, 0.1, 0.55, 4.2
_TOP, _ROW_HEAD, _ROW_FOOT, _NOTE_SIZE = 0.5, 0.42, 0.12, 6.5

NOTE = (
    "The points are the same in every model; each keeps the colour of its place in the first photograph. "
    "Filled and joined: the two patches are each other's best. Hollow: the second patch is more like another "
    "one. Third: each patch in the colour of the place it goes to; a copy of the square means that all stays "
    "where it is. Fourth: the cosine with the match, on one scale for all. A high cosine or a large "
    "share of mutual matches does not make matches right: cosines drawn independently are mutual half of "
    "the time."
)


def plot_matches(
    first: Photograph,
    second: Photograph,
    points: Mapping[str, Matches],
    every: Mapping[str, Matches],
) -> Figure:
    """Both photographs with the same points in every model, where every patch goes, and its cosine.

    Args:
        first, second: the photographs.
        points: for each model its matches of the same places: `match` with ``at`` and ``mutual=False``.
        every: for each model its matches of every patch: `match` with ``mutual=False``.

    Raises:
        InputError: no model, or different models in the two.
    """
    if not points or list(points) != list(every):
        raise InputError(
            f"points of {list(points)} and patches of {list(every)}: give both, of the same models"
        )
    (a, tall), (b, high) = panel_size(first.size, area=_AREA), panel_size(second.size, area=_AREA)
    height = max(tall, high)
    left_map = _EDGE + a + _BETWEEN + b + _GAP + 0.1
    whole = left_map + 2 * a + _GAP + _EDGE
    step = _ROW_HEAD + height + _ROW_FOOT
    foot = _TOP + len(points) * step
    below = len(lines(NOTE, whole - 3.4, _NOTE_SIZE)) * _NOTE_SIZE * 1.4 / 72
    canvas = Canvas(whole, foot + max(below, 0.75) + 0.15)
    for left, role, photo, width in (
        (_EDGE, "first", first, a),
        (_EDGE + a + _BETWEEN, "second", second, b),
    ):
        canvas.words(left, 0.3, f"{role}: {photo.name}", size=8, weight="bold", longest=width)
    canvas.words(left_map, 0.3, "where each patch goes", size=8, weight="bold")
    canvas.words(left_map + a + _GAP, 0.3, "cosine with its match", size=8, weight="bold")
    colours, scale = cosine_colours()
    for j, label in enumerate(points):
        y = _TOP + j * step
        used = canvas.words(_EDGE, y + 0.1, label, size=8, weight="bold", longest=whole / 2)
        kind = KIND_WORDS[kind_of(label)]
        canvas.words(_EDGE + used + 0.1, y + 0.1, kind, size=_NOTE_SIZE, colour=QUIET)
        canvas.words(_EDGE, y + 0.26, _facts(points[label], every[label]), size=_NOTE_SIZE, colour=QUIET)
        y += _ROW_HEAD - 0.06
        places = (_EDGE, y, a, tall), (_EDGE + a + _BETWEEN, y, b, high)
        axes = [canvas.panel(*place) for place in places]
        for each, photo in zip(axes, (first, second), strict=True):
            picture(each, photo.pixels, photo.size)
        over = [canvas.panel(*place) for place in places]
        _join(canvas.figure, axes, over, points[label])
        grid = every[label].source_grid
        placed = _on_grid(every[label], place_colours(every[label].target), grid)
        patch_map(canvas.panel(left_map, y, a, tall), placed)
        cosines = _on_grid(every[label], every[label].cosine[:, None], grid)[..., 0]
        patch_map(canvas.panel(left_map + a + _GAP, y, a, tall), cosines, colours=colours, scale=scale)
    _legend(canvas, foot)
    canvas.paragraph(3.2, foot + 0.02, NOTE, width=whole - 3.4, size=_NOTE_SIZE)
    return canvas.figure


def place_colours(places: Float[np.ndarray, "*n 2"]) -> Float64[np.ndarray, "*n 3"]:
    """The colour of each place (x, y) in [0, 1]²: a mixture of `CORNERS`."""
    x, y = places[..., :1], places[..., 1:]
    top = CORNERS[0, 0] * (1 - x) + CORNERS[0, 1] * x
    bottom = CORNERS[1, 0] * (1 - x) + CORNERS[1, 1] * x
    return np.asarray(top * (1 - y) + bottom * y)


def _facts(points: Matches, every: Matches) -> str:
    ties = f"; {every.tied.sum()} are ties, which say nothing" if every.tied.any() else ""
    return (
        f"mutual: {100 * every.mutual.mean():.0f}% of {len(every)} patches, {int(points.mutual.sum())} of "
        f"{len(points)} points; median cosine {np.median(every.cosine):.2f}{ties}; digest {every.digest[:12]}"
    )


def _on_grid(
    matches: Matches, values: Float[np.ndarray, "n c"], grid: PatchGrid
) -> Float64[np.ndarray, "h w c"]:
    """Values on the first photograph's grid; NaN, drawn white, where a patch has no match."""
    drawn = np.full((*grid.shape, values.shape[1]), 1.0 if values.shape[1] == 3 else np.nan)
    for place, value in zip(matches.source, values, strict=True):
        drawn[grid.patch_at(float(place[0]), float(place[1]))] = value
    return drawn


def _join(figure: Figure, axes: Sequence[Axes], over: Sequence[Axes], points: Matches) -> None:
    """Lines over the photographs, and over them their ends, coloured by the place in the first photograph."""
    colours, places = place_colours(points.source), (points.source, points.target)
    ends = [at * (ax.get_xlim()[1], ax.get_ylim()[0]) for ax, at in zip(axes, places, strict=True)]
    for colour, mutual, a, b in zip(colours, points.mutual, *ends, strict=True):
        if mutual:
            for shade, width in (("white", 1.5), (colour, 0.8)):
                line = ConnectionPatch(tuple(a), tuple(b), "data", "data", axesA=axes[0], axesB=axes[1])
                line.set(color=shade, linewidth=width, zorder=2)
                figure.add_artist(line)
    for ax, under, at in zip(over, axes, ends, strict=True):
        ax.set(xlim=under.get_xlim(), ylim=under.get_ylim(), zorder=3)
        for chosen, filled in ((points.mutual, True), (~points.mutual, False)):
            x, y, edges = at[chosen, 0], at[chosen, 1], colours[chosen]
            for width, edge in ((2.0, "white"), (0.9, edges)):
                fill = edges if filled else "none"
                ax.scatter(x, y, s=18, linewidths=width, facecolors=fill, edgecolors=edge, clip_on=False)


def _legend(canvas: Canvas, foot: float) -> None:
    cells = np.linspace(0, 1, 24)
    square = np.stack(np.meshgrid(cells, cells), axis=-1)
    patch_map(canvas.panel(_EDGE, foot + 0.03, 0.6, 0.6), place_colours(square))
    canvas.words(_EDGE + 0.7, foot + 0.12, "colour of a place", size=6)
    colours, scale = cosine_colours()
    bar = canvas.axes(_EDGE + 0.75, foot + 0.3, 1.7, 0.09)
    colour_bar(canvas.figure, bar, colours, scale, [-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
    canvas.words(_EDGE + 0.75, foot + 0.62, "cosine (no unit)", size=6)
