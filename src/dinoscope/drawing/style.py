"""How everything dinoscope draws looks: one scale for cosines, one face, colours anyone can tell apart."""

from __future__ import annotations

import unicodedata

import matplotlib
from matplotlib.colors import Colormap, Normalize

INK = "#161616"
QUIET = "#5c5c5c"
LINE = "#d4d4d4"
ACCENT = "#c2260c"
BELOW_ZERO = "#808080"
"""Of negative cosines."""

MODEL_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe & Ito's colour-blind-safe colours, for trained models; controls are drawn in grey."""

CONTROL_COLOUR = "#8a8a8a"
COSINE_LIMITS = (0.0, 1.0)
"""Cosines are drawn from 0 to 1 for every model, whatever its maps hold.

Most cosines between patches of a photograph are positive, so that [-1, 1] would leave half of the colours
all but unused, and a scale for each map would make any two maps look equally sharp. The price: below 0
everything is one flat grey, which the scale does not contain; every legend names it.
"""

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def cosine_colours() -> tuple[Colormap, Normalize]:
    """Viridis (perceptually uniform) on the fixed scale; a grey of its own for negative cosines."""
    return matplotlib.colormaps["viridis"].with_extremes(under=BELOW_ZERO), Normalize(*COSINE_LIMITS)


def model_colour(index: int, *, control: bool) -> str:
    """The colour of a model's marks."""
    return CONTROL_COLOUR if control else MODEL_COLOURS[index % len(MODEL_COLOURS)]


def plain(text: str, longest: int | None = None) -> str:
    r"""Foreign text on one line: what cannot be printed is shown as `REPLACEMENT`, the middle as an ellipsis.

    >>> plain("a\nb.jpg"), plain("a-very-long-name.jpg", 12)
    ('a�b.jpg', 'a-very…e.jpg')
    """
    shown = "".join(
        " " if unicodedata.category(c) == "Zs" else c if c.isprintable() else REPLACEMENT for c in text
    )
    if longest is None or len(shown) <= longest:
        return shown
    head = longest // 2
    return f"{shown[:head]}…{shown[len(shown) - (longest - head - 1) :]}"
