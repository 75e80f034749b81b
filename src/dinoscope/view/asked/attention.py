"""What a patch, or the class token, attends to: every head of one row, by every model."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison.page.questions import Answer
from dinoscope.errors import BackboneError
from dinoscope.pipeline.attention import CLS
from dinoscope.view.asked.context import Context, ModelFacts, without_attention


def attention_answer(context: Context) -> Answer:
    """``image``, ``at``: [x, y] or ``cls``. One row a head: class token, registers, then patches.

    ``how``: ``rollout`` for one row, the product of all blocks' attentions, a heuristic: a pass each time.
    """
    digest = context.question.photograph()
    place = context.question.place()
    rollout = context.question.choice("how", ("attention", "rollout")) == "rollout"

    def of(m: int) -> ModelFacts:
        try:
            inside = context.every_block(digest, m) if rollout else context.inside(digest, m)
            found = inside.attention(at=CLS if place is None else place, rollout=rollout)
        except BackboneError as error:
            return {"why": without_attention(context, m, error)}
        rows = found.heads
        if rollout:
            rows = np.concatenate([found.to_prefix, found.values.ravel()])[None]
        h, w = found.grid.shape
        return {
            "h": h,
            "w": w,
            "heads": len(rows),
            "layer": found.layer,
            "n_cls": int(inside.features.cls is not None),
            "n_prefix": len(found.to_prefix),
            "weights": context.send(rows.astype(np.float32)),
        }

    return context.each(of)
