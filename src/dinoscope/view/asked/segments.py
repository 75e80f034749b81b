"""The patches that belong to what was clicked on, by every model."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison.page.questions import Answer
from dinoscope.maths.clicks import HOW, segment
from dinoscope.view.asked.context import Context, ModelFacts


def segment_answer(context: Context) -> Answer:
    """``image``, ``clicks``: [x, y, whether it belongs] each, ``how``: see `segment`."""
    rows = context.features(context.question.photograph())
    clicks = context.question.clicks()
    how = context.question.choice("how", HOW)

    def of(m: int) -> ModelFacts:
        (found,) = rows[m]
        mask = segment(found, clicks, how=how)
        return {"h": mask.shape[0], "w": mask.shape[1], "mask": context.send(mask.astype(np.uint8))}

    return context.each(of)
