"""A canvas measured in inches from its top left corner: every figure is laid out on one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.axis import Tick, XAxis, YAxis
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from PIL import Image

from dinoscope.drawing.style import ACCENT, INK, LINE, QUIET, REPLACEMENT, cosine_colours, plain

DPI = 250
FACE = "DejaVu Sans"
"""Comes with matplotlib: figures look the same on every machine."""

MOST_STRETCHED = 5.0
"""Panels of longer or taller photographs are drawn at this ratio of their sides."""


class _NoTicks:
    majorTicks = minorTicks = ()  # noqa: N815 (matplotlib's names)

    def get_major_ticks(self, numticks: int | None = None) -> list[Tick]:
        return []

    get_minor_ticks = get_major_ticks


class _BareX(_NoTicks, XAxis):  # type: ignore[misc]
    pass


class _BareY(_NoTicks, YAxis):  # type: ignore[misc]
    pass


class Panel(Axes):
    """Axes that never have ticks: making those of a picture takes several times the picture's own time."""

    def _init_axis(self) -> None:
        self.xaxis, self.yaxis = _BareX(self, clear=False), _BareY(self, clear=False)
        self.spines.bottom.register_axis(self.xaxis)
        self.spines.left.register_axis(self.yaxis)


class Canvas:
    """A white figure; positions and sizes in inches, x to the right, y down."""

    def __init__(self, width: float, height: float) -> None:
        self.width = width
        self.height = height
        self.figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        FigureCanvasAgg(self.figure)

    def axes(self, x: float, y: float, width: float, height: float, kind: type[Axes] = Axes) -> Axes:
        """Axes whose top left corner is at ``(x, y)``."""
        place = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(place, axes_class=kind)

    def panel(self, x: float, y: float, width: float, height: float) -> Axes:
        """Axes without ticks or frame, for a picture that fills them."""
        axes = self.axes(x, y, width, height, Panel)
        axes.set_axis_off()
        return axes

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 6.5,
        colour: str = INK,
        weight: str = "normal",
        align: str = "left",
        longest: float | None = None,
    ) -> float:
        """One line of text on the baseline ``y``, never read as mathematics.

        Args:
            x, y: where.
            text: printed as it is; what the face cannot show becomes a replacement character.
            size: in points.
            colour, weight, align: as matplotlib names them.
            longest: in inches; the middle of longer text is left out.

        Returns:
            How wide it is, in inches.
        """
        shown = drawable(text)
        keep = len(shown)
        while longest is not None and keep > 1 and text_width(plain(shown, keep), size, weight) > longest:
            keep -= 1
        shown = plain(shown, keep)
        self.figure.text(
            x / self.width,
            1 - y / self.height,
            shown,
            fontproperties=FontProperties(family=FACE, size=size, weight=weight),
            color=colour,
            ha=align,
            va="baseline",
            parse_math=False,
            usetex=False,
        )
        return text_width(shown, size, weight)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: str) -> None:
        """A thin straight line, over everything."""
        xs, ys = ([start[k], end[k]] for k in (0, 1))
        across, down = [x / self.width for x in xs], [1 - y / self.height for y in ys]
        self.figure.add_artist(Line2D(across, down, color=colour, linewidth=0.5))

    def paragraph(self, x: float, y: float, text: str, *, width: float, size: float = 6.5) -> float:
        """Quiet text in lines no wider than ``width``; returns the y below it."""
        for line in lines(text, width, size):
            self.words(x, y + size * 1.0 / 72, line, size=size, colour=QUIET)
            y += size * 1.4 / 72
        return y

    def cosine_bar(self, x: float, y: float, width: float) -> None:
        """The legend of every cosine map: a bar 0.09 inches high, with its numbers and its unit."""
        colours, scale = cosine_colours()
        axes = self.axes(x, y, width, 0.09)
        colour_bar(self.figure, axes, colours, scale, [-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
        self.words(x, y + 0.34, "cosine with the marked patch (no unit); one scale for all", size=6)


def colour_bar(
    figure: Figure,
    axes: Axes,
    colours: Colormap,
    scale: Normalize,
    ticks: Sequence[float],
    labels: Sequence[str] = (),
) -> None:
    """A horizontal colour bar that fills its axes."""
    bar = figure.colorbar(ScalarMappable(scale, colours), cax=axes, orientation="horizontal")
    bar.set_ticks(ticks, labels=list(labels) or [f"{t:g}" for t in ticks])
    quiet_ticks(axes)
    bar.outline.set_visible(False)


def quiet_ticks(axes: Axes) -> None:
    """Small grey numbers, in the canvas's own face."""
    font = FontProperties(family=FACE, size=6)
    axes.tick_params(axis="x", length=1.5, pad=1.5, color=LINE, labelcolor=QUIET)
    for label in axes.get_xticklabels():
        label.set_fontproperties(font)


def picture(axes: Axes, pixels: UInt8[np.ndarray, "H W 3"], size: tuple[int, int]) -> None:
    """A photograph that fills its axes, in pixels of the original of this ``(W, H)``."""
    width, height = size
    axes.imshow(
        _drawn_twice_over(axes, pixels),
        extent=(0, width, height, 0),
        aspect="auto",
        origin="upper",
        interpolation="antialiased",
    )


def _drawn_twice_over(axes: Axes, pixels: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "H2 W2 3"]:
    """At most two pixels a side for each that is drawn: making fewer of many is matplotlib's slowest work."""
    height, width = pixels.shape[:2]
    box = axes.get_window_extent()
    drawn = min(width, max(1, round(2 * box.width))), min(height, max(1, round(2 * box.height)))
    if drawn == (width, height):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize(drawn, Image.Resampling.BOX))


def patch_map(
    axes: Axes,
    values: Float[np.ndarray, "h w"] | Float[np.ndarray, "h w 3"],
    *,
    colours: Colormap | None = None,
    scale: Normalize | None = None,
) -> None:
    """A map that fills its axes, patch by patch: nothing is smoothed."""
    axes.imshow(values, cmap=colours, norm=scale, aspect="auto", origin="upper", interpolation="nearest")


def footprint(axes: Axes, box: tuple[float, float, float, float], label: str = "") -> None:
    """Outline a box ``(left, top, right, bottom)`` in the axes' own coordinates, with a number beside it."""
    left, top, right, bottom = box
    for colour, line in (("white", 2.0), (ACCENT, 1.0)):
        corner, width, height = (left, top), right - left, bottom - top
        axes.add_patch(
            Rectangle(corner, width, height, fill=False, edgecolor=colour, linewidth=line, clip_on=False)
        )
    if not label:
        return
    first, last = axes.get_xlim()
    over = (right - first) / (last - first) > 0.9
    axes.annotate(
        label,
        (left if over else right, (top + bottom) / 2),
        xytext=(-3.5 if over else 3.5, 0),
        textcoords="offset points",
        ha="right" if over else "left",
        va="center",
        color="white",
        fontproperties=FontProperties(family=FACE, size=6.5, weight="bold"),
        bbox={"boxstyle": "square,pad=0.15", "facecolor": ACCENT, "edgecolor": "none"},
    )


def panel_size(size: tuple[int, int], *, area: float) -> tuple[float, float]:
    """``(width, height)`` in inches of a panel of ``area`` square inches for a photograph of ``(W, H)``."""
    aspect = min(max(size[1] / size[0], 1 / MOST_STRETCHED), MOST_STRETCHED)
    width = float(np.sqrt(area / aspect))
    return width, width * aspect


def lines(text: str, width: float, size: float) -> list[str]:
    """Text cut between words into lines no wider than ``width`` inches."""
    cut: list[str] = []
    space, used = text_width("x x", size) - 2 * text_width("x", size), 0.0
    for word in drawable(text).split():
        needed = text_width(word, size)
        if cut and used + space + needed <= width:
            cut[-1] = f"{cut[-1]} {word}"
            used += space + needed
        else:
            cut.append(word)
            used = needed
    return cut


@lru_cache(maxsize=10_000)
def text_width(text: str, size: float, weight: str = "normal") -> float:
    """Width of one line in the canvas's face, in inches."""
    font = FontProperties(family=FACE, size=size, weight=weight)
    width, _, _ = _ruler().get_text_width_height_descent(text, font, False)  # type: ignore[no-untyped-call]
    return float(width) / DPI


@cache
def _ruler() -> RendererAgg:
    return RendererAgg(1, 1, DPI)  # type: ignore[no-untyped-call]


def drawable(text: str) -> str:
    """Text with what the canvas's face has no glyph for replaced."""
    return "".join(c if ord(c) in _glyphs() else REPLACEMENT for c in plain(text))


@cache
def _glyphs() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FACE))).get_charmap())
