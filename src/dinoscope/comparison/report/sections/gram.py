"""Gram matrices of the first photographs by the first two models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.colors import Colormap, Normalize
from PIL import Image

from dinoscope.comparison.figures.gram_values import grams_of, round_limit
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import coloured_uri, cosines_uri, jpeg_uri
from dinoscope.drawing.pages import Section, fill
from dinoscope.drawing.style import COSINE_LIMITS, cosine_colours, difference_colours

MOST = 3
"""Photographs whose matrices are in the report."""

SIDE_PX = 512
"""Side of a matrix in the page, at most: cosines of larger ones are means over the pairs of a pixel."""

PHOTOGRAPH_PX = 512


def sections(comparison: Comparison) -> Iterator[Section]:
    """Where there are two models on one grid."""
    shown = comparison.features[:MOST]
    if len(comparison.models) < 2 or any(row[0].grid.shape != row[1].grid.shape for row in shown):
        return
    grams = [grams_of(comparison, i, "superpixels") for i in range(len(shown))]
    limit = round_limit(max(float(np.abs(one.difference).max()) for one in grams))
    body = fill(
        "comparison/report/sections/gram.html",
        comparison=comparison,
        models=[model.label for model in comparison.models[:2]],
        grams=grams,
        limit=f"{limit:g}",
        photograph=lambda pixels: jpeg_uri(pixels, longest_px=PHOTOGRAPH_PX),
        cosines=lambda values: _matrix(values, *cosine_colours()),
        difference=lambda values: _matrix(values, *difference_colours(limit)),
        borders=borders,
        cuts=cut_lines,
        region_marks=region_marks,
        bars=(
            cosines_uri(np.linspace(*COSINE_LIMITS, 256)[None, :]),
            coloured_uri(np.linspace(-limit, limit, 256)[None, :], *difference_colours(limit)),
        ),
    )
    yield Section("gram", "Gram matrices", body, 50, folded=True, on_paper=False)


def borders(regions: Int[np.ndarray, "h w"]) -> str:
    """Between patches of different regions, as the path of an SVG whose units are patches."""
    beside = np.argwhere(regions[:, 1:] != regions[:, :-1])
    below = np.argwhere(regions[1:] != regions[:-1])
    return "".join(
        [*(f"M{col + 1} {row}v1" for row, col in beside), *(f"M{col} {row + 1}h1" for row, col in below)]
    )


def cut_lines(cuts: Sequence[int], n: int) -> str:
    """Between the regions of a matrix of ``n`` rows, as a path in units of rows."""
    return "".join(f"M0 {cut}h{n}M{cut} 0v{n}" for cut in cuts)


def region_marks(regions: Int[np.ndarray, "h w"]) -> list[tuple[int, float, float]]:
    """The number of each region that is large enough, and where it stands, in percent of the photograph."""
    h, w = regions.shape
    found = []
    for k in range(int(regions.max()) + 1):
        inside = np.argwhere(regions == k)
        if len(inside) * 22 >= h * w:
            row, col = inside[((inside - inside.mean(axis=0)) ** 2).sum(axis=1).argmin()]
            found.append((k + 1, 100 * (col + 0.5) / w, 100 * (row + 0.5) / h))
    return found


def _matrix(values: Float[np.ndarray, "n n"], colours: Colormap, scale: Normalize) -> str:
    shown = Image.fromarray(values.astype(np.float32)).resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX)
    return jpeg_uri(colours(scale(np.asarray(shown)), bytes=True)[..., :3])
