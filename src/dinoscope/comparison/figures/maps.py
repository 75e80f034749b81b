"""The figures of a comparison. Every function returns a matplotlib Figure and never shows it.

Maps are drawn patch by patch, nothing smoothed: cosines on the one scale of
`dinoscope.drawing.style.COSINE_LIMITS` for all models, whatever their range, with the mean printed;
components within the limits of each model's basis, the same in every photograph.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dinoscope.atomic import write_bytes
from dinoscope.comparison import words
from dinoscope.comparison.figures.overview import pca_figure
from dinoscope.data.results import Comparison
from dinoscope.drawing.canvas import Canvas, colour_bar, footprint, lines, panel_size, patch_map, picture
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.style import QUIET, cosine_colours, plain
from dinoscope.errors import InputError

_MARGIN = 0.1
_GAP = 0.06
_LONGEST_SLUG = 40


def plot_photograph(comparison: Comparison, photograph: int = 0) -> Figure:
    """One photograph in every model: its PCA map and the similarity map of every reference point.

    Raises:
        InputError: no such photograph.
    """
    _check(comparison, photograph)
    photo, maps = comparison.photographs[photograph], comparison.maps[photograph]
    n_points = max(len(m.similarity) for m in maps)
    width, height = panel_size(photo.size, area=1.5)
    top, row = 0.42, height + 0.68
    rows = len(maps) * row
    large, tall = panel_size(photo.size, area=1.5 * 5.5)
    shrink = min(1.0, max(rows - 0.36, height) / tall)
    large, tall = large * shrink, tall * shrink
    left = _MARGIN + large + 0.16
    whole = max(left + (1 + n_points) * (width + _GAP) + _MARGIN, 5.6)
    note = f"{words.colours_note(comparison)} {words.COSINES_NOTE}"
    legend = 0.5
    beside = legend + _note_height(note, large) <= rows - tall - 0.1
    foot = top + (tall + 0.16 if beside else max(rows, tall + 0.2))
    note_x, note_y, note_width = (
        (_MARGIN, foot + legend, large) if beside else (2.7, foot + 0.03, whole - 2.7 - _MARGIN)
    )
    bottom = max(top + rows, note_y + _note_height(note, note_width), foot + legend)
    canvas = Canvas(whole, bottom)

    used = canvas.words(
        _MARGIN, 0.22, _name(comparison, photograph), size=8.5, weight="bold", longest=whole - 2
    )
    size = f"{photo.size[0]}×{photo.size[1]} px"
    canvas.words(_MARGIN + used + 0.1, 0.22, size, size=6.5, colour=QUIET)
    axes = canvas.panel(_MARGIN, top, large, tall)
    picture(axes, photo.pixels, photo.size)
    grid = comparison.features[photograph][0].grid
    for k, place in enumerate(comparison.points):
        footprint(axes, grid.box(*grid.patch_at(*place)), str(k + 1))

    colours, scale = cosine_colours()
    for j, (model, drawn) in enumerate(zip(comparison.models, maps, strict=True)):
        y = top + j * row
        canvas.words(left, y + 0.08, model.label, size=7.5, weight="bold", longest=whole - left - _MARGIN)
        facts = f"{words.kind(model)}; {words.input_facts(comparison, photograph, j)}"
        canvas.words(left, y + 0.2, facts, size=6, colour=QUIET, longest=whole - left - _MARGIN)
        y += 0.26
        patch_map(canvas.panel(left, y, width, height), drawn.colours)
        share = words.percent(words.variance_shown(comparison, model))
        below = y + height + 0.11
        listed = words.component_list(comparison)
        canvas.words(left, below, f"PC {listed}: {share}", size=6, longest=width)
        for k, similarity in enumerate(drawn.similarity):
            x = left + (1 + k) * (width + _GAP)
            axes = canvas.panel(x, y, width, height)
            patch_map(axes, similarity.values, colours=colours, scale=scale)
            _outline(axes, similarity.patch)
            mean = words.number(float(similarity.values.mean()), digits=2)
            canvas.words(x, below, f"patch {k + 1}: mean {mean}", size=6, longest=width)
        numbers = "   ".join(f"{name} {value}" for name, value in words.triple(comparison, photograph, j))
        canvas.words(left, below + 0.13, numbers, size=6.5, longest=whole - left - _MARGIN)

    canvas.cosine_bar(_MARGIN, foot + 0.06, min(large, 2.3) if beside else 2.3)
    canvas.paragraph(note_x, note_y, note, width=note_width, size=6)
    return canvas.figure


def plot_pca(comparison: Comparison, photograph: int | None = None) -> Figure:
    """PCA maps side by side, of one photograph or of all (the first `overview.MOST_PHOTOGRAPHS`; it says so).

    Raises:
        InputError: no such photograph.
    """
    if photograph is None:
        return pca_figure(comparison, range(len(comparison.photographs)), numbers=False)
    _check(comparison, photograph)
    return pca_figure(comparison, [photograph], numbers=False)


def plot_overview(comparison: Comparison) -> Figure:
    """All photographs in all models, and the numbers with their intervals."""
    return pca_figure(comparison, range(len(comparison.photographs)), numbers=True)


def plot_components(comparison: Comparison, photograph: int = 0, *, n: int | None = None) -> Figure:
    """Principal components one at a time, as each model has them: neither rotated nor aligned.

    Red is above, blue below the mean patch of all photographs (a map that people with any colour vision
    can tell apart). The scale ends at the larger of the basis's two limits for that component, printed
    below each map; beyond it colours are cut off.

    Args:
        comparison: as `compare` returns it.
        photograph: which one.
        n: how many components; None for all that the maps hold.

    Raises:
        InputError: no such photograph, or fewer than one component.
    """
    _check(comparison, photograph)
    if n is not None and n < 1:
        raise InputError(f"at least one component is needed, got {n}")
    photo, maps = comparison.photographs[photograph], comparison.maps[photograph]
    held = max(m.scores.shape[2] for m in maps)
    shown = held if n is None else min(n, held)
    width, height = panel_size(photo.size, area=1.5)
    row = height + 0.5
    whole = max(_MARGIN * 2 + (1 + shown) * (width + _GAP), 5.6)
    foot = 0.38 + len(maps) * row
    note = (
        "Principal components of each model over all photographs, largest variance first; components of "
        "different models with the same number have nothing to do with each other. Signs follow a fixed "
        "rule and mean nothing. Red above, blue below the mean patch, each map from minus to plus the "
        "number below it."
    )
    canvas = Canvas(whole, foot + _note_height(note, whole - 1.9))
    canvas.words(_MARGIN, 0.22, _name(comparison, photograph), size=8.5, weight="bold", longest=whole - 0.2)
    picture(canvas.panel(_MARGIN, 0.62, width, height), photo.pixels, photo.size)
    for j, (model, drawn) in enumerate(zip(comparison.models, maps, strict=True)):
        y = 0.38 + j * row
        x = _MARGIN + width + _GAP
        used = canvas.words(x, y + 0.12, model.label, size=7.5, weight="bold", longest=whole - x - 2)
        canvas.words(x + used + 0.1, y + 0.12, words.kind(model), size=6, colour=QUIET)
        for k in range(min(shown, drawn.scores.shape[2])):
            limit = float(np.abs(model.pca.limits[k]).max()) or 1.0
            axes = canvas.panel(x, y + 0.24, width, height)
            patch_map(
                axes,
                drawn.scores[..., k],
                colours=matplotlib.colormaps["RdBu_r"],
                scale=Normalize(-limit, limit),
            )
            share = words.percent(float(model.pca.explained_variance_ratio[k]))
            canvas.words(x, y + height + 0.34, f"PC {k + 1}: {share}, ±{limit:.3g}", size=6, longest=width)
            x += width + _GAP
    bar = canvas.axes(_MARGIN + 0.18, foot + 0.05, 1.2, 0.09)
    colour_bar(
        canvas.figure,
        bar,
        matplotlib.colormaps["RdBu_r"],
        Normalize(-1, 1),
        [-1, 0, 1],
        ["−limit", "mean", "+limit"],
    )
    canvas.paragraph(1.8, foot + 0.02, note, width=whole - 1.9, size=6)
    return canvas.figure


def plot_similarity(
    comparison: Comparison, at: tuple[float, float] | None = None, photograph: int = 0
) -> Figure:
    """The cosine of the patch at one place with every patch of its photograph, in every model.

    Args:
        comparison: as `compare` returns it.
        at: the place ``(x, y)`` in ``[0, 1]²``; None for the comparison's first reference point.
        photograph: which one.

    Raises:
        InputError: no such photograph or place.
    """
    _check(comparison, photograph)
    place = comparison.points[0] if at is None else at
    photo, features = comparison.photographs[photograph], comparison.features[photograph]
    width, height = panel_size(photo.size, area=4.0)
    whole = max(2 * _MARGIN + (1 + len(features)) * (width + _GAP), 4.6)
    top = 0.52
    foot = top + height + 0.36
    canvas = Canvas(whole, foot + 0.44)
    axes = canvas.panel(_MARGIN, top, width, height)
    picture(axes, photo.pixels, photo.size)
    grid = features[0].grid
    footprint(axes, grid.box(*grid.patch_at(*place)))
    canvas.words(_MARGIN, top - 0.3, _name(comparison, photograph), size=7.5, weight="bold", longest=width)
    row, col = grid.patch_at(*place)
    where = f"at ({place[0]:.2f}, {place[1]:.2f}): row {row}, column {col}"
    canvas.words(_MARGIN, top - 0.07, where, size=6, colour=QUIET, longest=width)
    colours, scale = cosine_colours()
    for j, (model, of_model) in enumerate(zip(comparison.models, features, strict=True)):
        patch = of_model.grid.patch_at(*place)
        values = of_model.cosine_to(of_model.values[patch])
        x = _MARGIN + (1 + j) * (width + _GAP)
        axes = canvas.panel(x, top, width, height)
        patch_map(axes, values, colours=colours, scale=scale)
        _outline(axes, patch)
        canvas.words(x, top - 0.3, model.label, size=7.5, weight="bold", longest=width)
        canvas.words(x, top - 0.18, words.kind(model), size=6, colour=QUIET, longest=width)
        facts = words.input_facts(comparison, photograph, j)
        canvas.words(x, top - 0.07, facts, size=6, colour=QUIET, longest=width)
        mean, low = (words.number(float(v), digits=2) for v in (values.mean(), values.min()))
        canvas.words(x, top + height + 0.12, f"mean {mean}, lowest {low}", size=6, longest=width)
    canvas.cosine_bar(_MARGIN, foot, 2.3)
    return canvas.figure


def write_figures(comparison: Comparison, folder: str | Path) -> tuple[Path, ...]:
    """``NN-slug.png`` for each photograph and ``overview.png``, each whole or not at all.

    The number is the photograph's, from 01; the slug is made of the ASCII letters and digits of its name,
    so that no name can lead out of the folder, and no two photographs share a file.
    """
    folder = Path(folder)
    written = []
    for i, name in enumerate(figure_names(comparison)):
        _save(plot_photograph(comparison, i), folder / name)
        written.append(folder / name)
    _save(plot_overview(comparison), folder / "overview.png")
    return (*written, folder / "overview.png")


def figure_names(comparison: Comparison) -> tuple[str, ...]:
    """The file name of each photograph's figure."""
    digits = max(2, len(str(len(comparison.photographs))))
    return tuple(
        f"{i:0{digits}d}-{_slug(photo.name)}.png" for i, photo in enumerate(comparison.photographs, 1)
    )


def _slug(name: str) -> str:
    stem = name.rpartition(".")[0] or name
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_only)[:_LONGEST_SLUG].strip("-")
    return slug or "photograph"


def _name(comparison: Comparison, photograph: int) -> str:
    return f"{photograph + 1}  {plain(comparison.photographs[photograph].name, 80)}"


def _outline(axes: matplotlib.axes.Axes, patch: tuple[int, int]) -> None:
    row, col = patch
    footprint(axes, (col - 0.5, row - 0.5, col + 0.5, row + 0.5))


def _note_height(note: str, width: float) -> float:
    """Inches for a note of 6 pt, with room for the legend beside it."""
    n_lines = len(lines(note, width, 6))
    return max(n_lines * 6 * 1.4 / 72 + 0.12, 0.5)


def _check(comparison: Comparison, photograph: int) -> None:
    if not 0 <= photograph < len(comparison.photographs):
        raise InputError(
            f"no photograph {photograph}: they are numbered 0 to {len(comparison.photographs) - 1}"
        )


def _save(figure: Figure, path: Path) -> None:
    write_bytes(path, png_bytes(figure))
