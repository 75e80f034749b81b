"""How everything dinoscope draws looks: one scale for cosines, one face, colours anyone can tell apart."""

from __future__ import annotations

import unicodedata
from functools import cache

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap, Normalize

INK = "#161616"
QUIET = "#5c5c5c"
LINE = "#d4d4d4"
ACCENT = "#161616"
MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's colour-blind-safe colours, for trained models; controls are drawn in grey."""

CONTROL_COLOUR = "#8a8a8a"
COSINE_LIMITS = (-1.0, 1.0)
"""Cosines are drawn from -1 to 1 for every model, whatever its maps hold.

A scale for each map would make any two maps look equally sharp. Viridis takes all of 0 to 1, where most
cosines between patches of a photograph lie; its counterpart below 0 grows lighter too, so that both signs are
seen.
"""

NEGATIVE = (
    (0.0, (68, 1, 84)),
    (0.1, (112, 18, 104)),
    (0.25, (154, 45, 118)),
    (0.45, (196, 86, 142)),
    (0.65, (226, 138, 174)),
    (0.85, (245, 186, 208)),
    (1.0, (252, 222, 232)),
)
"""Minus the cosine, and its colour: out of viridis' darkest into pale pink."""

DIFFERENCE = ("#7cc4ff", "#2f7fd0", "#141414", "#d0432f", "#ff9d7c")
"""Differences of cosines, at equal steps: blue below 0, red above it, darkest at 0 as the cosines are."""

LABEL_COLOURS = (
    (78, 121, 167),
    (242, 142, 43),
    (89, 161, 79),
    (225, 87, 89),
    (118, 183, 178),
    (237, 201, 72),
    (176, 122, 161),
    (156, 117, 95),
    (255, 157, 167),
    (186, 176, 172),
    (160, 203, 232),
    (255, 190, 125),
    (140, 209, 125),
    (134, 188, 182),
    (212, 166, 200),
    (121, 112, 110),
)
"""Colours of clusters, by number, largest first: told apart beside each other, and no order among them."""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


@cache
def cosine_colours() -> tuple[Colormap, Normalize]:
    """Viridis (perceptually uniform) above 0, `NEGATIVE` below, on the fixed scale."""
    above = matplotlib.colormaps["viridis"](np.arange(256))[:, :3]
    places, colours = np.array([place for place, _ in NEGATIVE]), np.array([rgb for _, rgb in NEGATIVE]) / 255
    steps = (np.arange(256)[::-1] + 0.5) / 256
    below = np.stack([np.interp(steps, places, colours[:, c]) for c in range(3)], axis=1)
    return ListedColormap(np.concatenate([below, above]), "cosine"), Normalize(*COSINE_LIMITS)


def difference_colours(limit: float) -> tuple[Colormap, Normalize]:
    """`DIFFERENCE`, on a scale from minus to plus a limit."""
    return LinearSegmentedColormap.from_list("difference", DIFFERENCE), Normalize(-limit, limit)


def model_colour(index: int, *, control: bool) -> str:
    """The colour of a model's marks."""
    return CONTROL_COLOUR if control else MODEL_COLOURS[index % len(MODEL_COLOURS)]


def plain(text: str, longest: int | None = None) -> str:
    r"""Foreign text on one line: what cannot be printed is shown as `REPLACEMENT`, the middle as an ellipsis.

    >>> plain("a\nb.jpg"), plain("a-very-long-name.jpg", 12)
    ('a�b.jpg', 'a-very…e.jpg')
    """
    # a picture in a page is a megabyte of the first kind
    shown = text
    if not (text.isascii() and text.isprintable()):
        kinds = ((c, unicodedata.category(c)) for c in text)
        shown = "".join(" " if kind == "Zs" else c if c.isprintable() else REPLACEMENT for c, kind in kinds)
    if longest is None or len(shown) <= longest:
        return shown
    head = longest // 2
    return f"{shown[:head]}…{shown[len(shown) - (longest - head - 1) :]}"
