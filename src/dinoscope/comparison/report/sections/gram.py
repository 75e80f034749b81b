"""Gram matrices of the first photographs by the first two models."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from dinoscope.comparison.figures.gram import plot_gram
from dinoscope.data.results import Comparison
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section

MOST = 3
"""Photographs whose matrices are in the report."""


def sections(comparison: Comparison) -> Iterator[Section]:
    """Where there are two models on one grid."""
    shown = comparison.features[:MOST]
    if len(comparison.models) < 2 or any(row[0].grid.shape != row[1].grid.shape for row in shown):
        return
    n, (first, second) = len(comparison.photographs), (m.label for m in comparison.models[:2])
    said = (
        "How alike every two patches of a photograph are, by region of like colour. Both models have the "
        f"same scale. {f'The first {len(shown)} of {n} photographs.' if len(shown) < n else ''}"
    )
    figures = [
        plot(
            plot_gram(comparison, i, order="superpixels"),
            f"Gram matrices of photograph {i + 1} by {first} and {second}, and their difference",
            pixels=True,
        )
        for i in range(len(shown))
    ]
    body = Markup("<p>{}</p>\n").format(said) + Markup("").join(figures)
    yield Section("gram", "Gram matrices", body, 50, folded=True, on_paper=False)
