"""The figures of a comparison. Every function returns a matplotlib Figure and never shows it.

Maps are drawn patch by patch, nothing smoothed: cosines on the one scale of
`dinoscope.drawing.style.COSINE_LIMITS` for all models, whatever their range, with the mean printed;
components within the limits of each model's basis, the same in every photograph.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dinoscope.atomic import write_bytes
from dinoscope.comparison import colour_words, words
from dinoscope.comparison.figures.captions import CAPTIONS, OVERVIEW, captions_markdown
from dinoscope.comparison.figures.closer import plot_closer
from dinoscope.comparison.figures.overview import pca_figure
from dinoscope.data.kinds import check_kind
from dinoscope.data.results import Comparison
from dinoscope.drawing.canvas import Canvas, colour_bar, footprint, panel_size, patch_map, picture
from dinoscope.drawing.figure_files import FORMATS
from dinoscope.drawing.style import QUIET, cosine_colours, plain
from dinoscope.errors import InputError
from dinoscope.names import well_formed

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
    legend = 0.5
    beside = legend + 0.16 <= rows - tall
    foot = top + (tall + 0.16 if beside else max(rows, tall + 0.2))
    bottom = max(top + rows, foot + legend)
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
        below = y + height + 0.11
        canvas.words(left, below, colour_words.below(comparison, model), size=6, longest=width)
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
    return canvas.figure


def plot_pca(comparison: Comparison, photograph: int | None = None) -> Figure:
    """PCA maps side by side, of one photograph or of all (the first `overview.MOST_PHOTOGRAPHS`; it says so).

    Raises:
        InputError: no such photograph.
    """
    _check(comparison, photograph or 0)
    if photograph is None:
        return pca_figure(comparison, range(len(comparison.photographs)), numbers=False)
    return pca_figure(comparison, [photograph], numbers=False)


def plot_overview(comparison: Comparison) -> Figure:
    """All photographs in all models, and the numbers with their intervals."""
    return pca_figure(comparison, range(len(comparison.photographs)), numbers=True)


def plot_components(comparison: Comparison, photograph: int = 0, *, n: int | None = None) -> Figure:
    """Principal components one at a time, as each model has them: neither rotated nor aligned.

    Red is above, blue below the mean patch of all photographs (a map that people with any colour vision
    can tell apart). The scale ends at the larger of the basis's two limits for that component, printed
    below each map; beyond it colours are cut off. Signs follow a fixed rule and mean nothing, and components
    of different models with the same number have nothing to do with each other.

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
    canvas = Canvas(whole, foot + 0.42)
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


def write_figures(
    comparison: Comparison, folder: str | Path, formats: Sequence[str] = ()
) -> tuple[Path, ...]:
    """``NN-slug`` for each photograph, ``overview`` and one for each closer look, in every format, and
    `captions.CAPTIONS`.

    Drawing a photograph takes longer than the rest of a report, so that without a format there is the
    overview alone, as PNG. The number is the photograph's, from 01; the slug is made of the ASCII letters
    and digits of its name, so that no name can lead out of the folder, and no two photographs share a file.
    Each file is whole or not at all.

    Args:
        comparison: as `compare` returns it.
        folder: where to.
        formats: some of ``png``, ``pdf`` and ``svg``.

    Raises:
        InputError: another format.
    """
    folder = Path(folder)
    check_formats(formats)
    written = []
    drawn: dict[str, Callable[[], Figure]] = {}
    if formats:
        for i, stem in enumerate(figure_stems(comparison)):
            drawn[stem] = partial(plot_photograph, comparison, i)
    drawn[OVERVIEW] = partial(plot_overview, comparison)
    drawn |= {look.key: partial(plot_closer, comparison, look.key) for look in comparison.closer}
    for stem, plot in drawn.items():
        figure = plot()
        for kind in formats or ("png",):
            written.append(folder / f"{stem}.{kind}")
            write_bytes(written[-1], FORMATS[kind](figure))
    text = captions_markdown(comparison, list(drawn))
    write_bytes(folder / CAPTIONS, well_formed(text).encode())
    return (*written, folder / CAPTIONS)


def check_formats(formats: Sequence[str]) -> None:
    """Refuse what figures cannot be written as.

    Raises:
        InputError: a format that is not in `FORMATS`.
    """
    for kind in formats:
        if kind not in FORMATS:
            raise InputError(f"no figure format {kind!r}; there are {', '.join(FORMATS)}")


def figure_stems(comparison: Comparison) -> tuple[str, ...]:
    """The file name of each photograph's figure, without its end."""
    digits = max(2, len(str(len(comparison.photographs))))
    return tuple(f"{i:0{digits}d}-{_slug(photo.name)}" for i, photo in enumerate(comparison.photographs, 1))


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


def _check(comparison: Comparison, photograph: int) -> None:
    check_kind(comparison, Comparison, "ds.compare returns one")
    if not 0 <= photograph < len(comparison.photographs):
        raise InputError(
            f"no photograph {photograph}: they are numbered 0 to {len(comparison.photographs) - 1}"
        )
