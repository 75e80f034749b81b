"""Every photograph in every model: the photograph, the colour maps, the similarity maps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from dinoscope.comparison import colour_words, words
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import colours_uri, cosines_uri, jpeg_uri
from dinoscope.drawing.pages import Section, fill
from dinoscope.drawing.style import COSINE_LIMITS


class Mark(NamedTuple):
    """The number of a reference patch: where it stands, in percent, and whether left of the patch."""

    x: float
    y: float
    left: bool


def sections(comparison: Comparison) -> Iterator[Section]:
    """All of them, with one legend."""
    body = fill(
        "comparison/report/sections/photographs.html",
        comparison=comparison,
        words=words,
        colour_words=colour_words,
        marks=marks,
        boxes=boxes,
        uris={"photograph": jpeg_uri, "colours": colours_uri, "cosines": cosines_uri},
        bar=cosines_uri(np.linspace(*COSINE_LIMITS, 256)[None, :]),
    )
    yield Section("photographs", "Photographs", body, 5)


def boxes(comparison: Comparison, photograph: int) -> list[tuple[float, float, float, float]]:
    """Where the reference patches lie, in pixels of the photograph."""
    grid = comparison.features[photograph][0].grid
    return [grid.box(*grid.patch_at(*place)) for place in comparison.points]


def marks(comparison: Comparison, photograph: int) -> list[Mark]:
    """Beside the reference patches, on the side where there is room."""
    width, height = comparison.photographs[photograph].size
    found = []
    for left, top, right, bottom in boxes(comparison, photograph):
        over = right > 0.92 * width
        found.append(Mark(100 * (left if over else right) / width, 50 * (top + bottom) / height, over))
    return found
