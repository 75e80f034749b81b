"""Queries, keys or values of all photographs, coded as the payload codes tokens."""

from __future__ import annotations

import numpy as np

from dinoscope.backbones.projections import KEY, QUERY, VALUE
from dinoscope.comparison.page.questions import Answer
from dinoscope.drawing.view.codec import encode_tokens
from dinoscope.errors import BackboneError
from dinoscope.view.asked.context import Context, ModelFacts, without_attention


def pass_answer(context: Context) -> Answer:
    """``image``: look into one photograph, so that the next question needs no pass of it."""
    digest = context.question.photograph()

    def of(m: int) -> ModelFacts:
        try:
            context.inside(digest, m)
        except BackboneError as error:
            return {"why": without_attention(context, m, error)}
        return {}

    return context.each(of)


def facet_answer(context: Context) -> Answer:
    """``facet``: ``key``, ``query`` or ``value`` of every patch of the page; one engine a model."""
    part = context.question.choice("facet", (KEY, QUERY, VALUE))

    def of(m: int) -> ModelFacts:
        try:
            found = [context.inside(digest, m).facet(part) for digest in context.question.digests]
        except BackboneError as error:
            return {"why": without_attention(context, m, error)}
        coded = encode_tokens(np.concatenate([f.values.reshape(-1, f.dim) for f in found]))
        return {
            "n": len(coded.norms),
            "n_planes": len(coded.planes),
            "axis": coded.axis.tolist(),
            "step": context.send(coded.step.astype(np.float32)),
            "mean": context.send(coded.mean.astype(np.float32)),
            "planes": context.send(coded.planes),
            "norms": context.send(coded.norms.astype(np.float32)),
        }

    return context.each(of)
