"""Where the patches of one photograph are in another, by every model."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison.page.questions import Answer
from dinoscope.matching.match import fixed_places, match
from dinoscope.view.asked.context import Context, ModelFacts

N_POINTS = 64
"""Points that are drawn: the same places in every photograph and for every model."""


def match_answer(context: Context) -> Answer:
    """``image``, ``other``: the best match of every patch of one photograph in the other, mutual or not.

    ``points`` are patches of the first photograph to draw, the same for every model; ``mutual`` is 2 where
    another patch is exactly as near.
    """
    rows = context.features(context.question.photograph(), context.question.photograph("other"))

    def of(m: int) -> ModelFacts:
        f, g = rows[m]
        found = match(f, g, mutual=False)
        h, w = f.grid.shape
        patches = [f.grid.patch_at(*place) for place in fixed_places(N_POINTS)]
        mutual = found.mutual
        share = f"{mutual.mean():.0%} of patches mutual"
        note = f"{share}, mean cosine {found.cosine[mutual].mean():.2f}" if mutual.any() else share
        return {
            "note": note,
            "points": sorted({row * w + col for row, col in patches}),
            "h": h,
            "w": w,
            "target": context.send(found.target.astype(np.float32)),
            "cosine": context.send(found.cosine.astype(np.float32)),
            "mutual": context.send(mutual * (1 + found.tied).astype(np.uint8)),
        }

    return context.each(of)
