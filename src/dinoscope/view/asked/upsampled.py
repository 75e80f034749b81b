"""The components' colours between the patches: interpolated, no features."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison.page.questions import Answer
from dinoscope.maths.upsample import upsampled
from dinoscope.pipeline.upsample import FINE
from dinoscope.view.asked.colours import bases, bytes_of
from dinoscope.view.asked.context import Context, ModelFacts

HOW = ("joint", "bilinear", "nearest")


def upsampled_answer(context: Context) -> Answer:
    """``image``, ``how``: colours of four times as many places along each side.

    The three scores are interpolated instead of all channels: every way takes means of patches, and scores
    are linear in them, so both give the same, and this takes dim / 3 times less memory.
    """
    digest = context.question.photograph()
    how = context.question.choice("how", HOW)
    image = context.read(digest).pixels.astype(np.float32) / 255.0 if how == "joint" else None
    rows = context.features(digest)

    def of(m: int) -> ModelFacts:
        (found,) = rows[m]
        size = (FINE * found.grid.h, FINE * found.grid.w)
        basis = bases(context)[m]
        turned = basis.turned(basis.pca.project(found)).astype(np.float32)
        fine = basis.colours(upsampled(turned, size, how, image))
        return {"h": size[0], "w": size[1], "colours": context.send(bytes_of(fine))}

    return context.each(of)
