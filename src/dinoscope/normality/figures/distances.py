"""Maps of what is not normal, all models side by side, on one scale: times each model's own threshold."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from dinoscope.data.spec import KIND_WORDS
from dinoscope.drawing.canvas import Canvas, colour_bar, lines, panel_size, patch_map, picture
from dinoscope.drawing.style import ACCENT, QUIET
from dinoscope.errors import InputError
from dinoscope.normality.judged import Judged, JudgedModel

COLOURS, HIGHEST = "PuOr_r", 2.0
"""Purple below the threshold, orange above it, up to twice it."""

_EDGE, _GAP, _TOP, _STEP, _AREA, _NOTE_SIZE = 0.15, 0.12, 0.76, 0.5, 2.4, 6.5


def plot_normal(judged: Judged) -> Figure:
    """Some of the queries, and how far each of their patches is from what is normal, in every model.

    Raises:
        InputError: no query was kept for pictures.
    """
    if not judged.shown:
        raise InputError("no photograph was kept to be drawn")
    rate = judged.models[0].threshold.rate
    note = (
        "1 − cosine of each patch with the nearest patch of the normal photographs, over the distance that "
        f"no patch of {100 * (1 - rate):.0f}% of normal photographs reaches (each held out): purple is "
        "nearer, orange farther. Beneath: the photograph's score (the mean of its farthest hundredth) over "
        "its own threshold, which says nothing of one that is itself in the bank. Outlined: defects that "
        "are known. Thresholds are each model's own. In (brackets): controls, not trained models."
    )
    sizes = [panel_size(photo.size, area=_AREA) for photo, _ in judged.shown.values()]
    width = max(w for w, _ in sizes)
    whole = max(2 * _EDGE + (1 + len(judged.models)) * (width + _GAP), 5.5)
    foot = _TOP + sum(h + _STEP for _, h in sizes)
    below = len(lines(note, whole - 3.0, _NOTE_SIZE)) * _NOTE_SIZE * 1.4 / 72
    canvas = Canvas(whole, foot + max(below, 0.5) + 0.1)
    for j, model in enumerate(judged.models, 1):
        x = _EDGE + j * (width + _GAP)
        canvas.words(x, 0.24, model.shown, size=7.5, weight="bold", longest=width)
        canvas.words(x, 0.38, KIND_WORDS[model.kind], size=6, colour=QUIET, longest=width)
        canvas.words(x, 0.51, _facts(model), size=6, colour=QUIET, longest=width)
    y = _TOP
    for (at, (photo, truth)), (w, h) in zip(judged.shown.items(), sizes, strict=True):
        canvas.words(_EDGE, y - 0.05, f"{judged.kinds[at]}/{photo.name}", size=6.5, longest=width)
        axes = canvas.panel(_EDGE, y, w, h)
        picture(axes, photo.pixels, photo.size)
        _outline(axes, truth, photo.size)
        known = {True: "defective", False: "good", None: "not known"}[judged.defective[at]]
        canvas.words(_EDGE, y + h + 0.12, f"truth: {known}", size=6.5, colour=QUIET)
        for j, model in enumerate(judged.models, 1):
            x = _EDGE + j * (width + _GAP)
            drawn = canvas.panel(x, y, w, h)
            share = model.maps[at] / max(model.threshold.patch, 1e-12)
            patch_map(drawn, share, colours=matplotlib.colormaps[COLOURS], scale=Normalize(0, HIGHEST))
            _outline(drawn, truth, (share.shape[1], share.shape[0]), shift=-0.5)
            times = model.scores[at] / max(model.threshold.photograph, 1e-12)
            said = f"{times:.2f} × threshold: {'defective' if times > 1 else 'normal'}"
            said = "in the bank: says nothing" if judged.in_bank[at] else said
            canvas.words(x, y + h + 0.12, said, size=6.5)
        y += h + _STEP
    ticks = [0.0, 0.5, 1.0, 1.5, 2.0]
    bar = canvas.axes(_EDGE + 0.1, foot - 0.1, 2.3, 0.09)
    colour_bar(canvas.figure, bar, matplotlib.colormaps[COLOURS], Normalize(0, HIGHEST), ticks)
    canvas.words(_EDGE, foot + 0.25, "distance over the model's threshold", size=6, colour=QUIET)
    canvas.paragraph(2.85, foot - 0.12, note, width=whole - 3.0, size=_NOTE_SIZE)
    return canvas.figure


def _facts(model: JudgedModel) -> str:
    if "image_auroc" not in model.summaries:
        return f"{len(model.bank.vectors):,} patches"
    return f"image AUROC {model.summaries['image_auroc'].mean:.2f}, PRO {model.summaries['pro'].mean:.2f}"


def _outline(axes: Axes, truth: np.ndarray | None, size: tuple[int, int], *, shift: float = 0.0) -> None:
    """Around the known defects, in the axes' own coordinates."""
    if truth is None or not truth.any():
        return
    height, width = truth.shape
    x = (np.arange(width) + 0.5) * size[0] / width + shift
    y = (np.arange(height) + 0.5) * size[1] / height + shift
    for colour, line in (("white", 2.0), (ACCENT, 1.0)):
        axes.contour(x, y, truth.astype(float), levels=[0.5], colors=[colour], linewidths=[line])
