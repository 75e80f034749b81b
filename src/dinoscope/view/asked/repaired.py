"""High-norm tokens before and after a test-time register: norms and colours, by every model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.page.questions import Answer
from dinoscope.maths.norms import norm_map
from dinoscope.pipeline.extract import extracted
from dinoscope.pipeline.repair import N_PHOTOGRAPHS, Repair, repair
from dinoscope.view.asked.colours import bases, bytes_of
from dinoscope.view.asked.context import Context, ModelFacts


def repair_answer(context: Context) -> Answer:
    """``image``: lengths of patches in the last layer, before the final norm, and components' colours.

    Lengths before and after, colours after: those before are the payload's, in the same basis.
    """
    digest = context.question.photograph()
    photograph = context.read(digest)

    def of(m: int) -> ModelFacts:
        done = _repair(context, m)
        run = context.plan.run

        def norms(by: Backbone) -> Float32[np.ndarray, "h w"]:
            (found,) = extracted([photograph], by, replace(run, layers=None, final_norm=False))
            return norm_map(found).astype(np.float32)

        before = norms(context.models[m])
        after, shown = before, context.features(digest)[m][0]
        if done.neurons:
            after = norms(done.backbone)
            (shown,) = extracted([photograph], done.backbone, run.at(context.plan.layers[m]))
        basis = bases(context)[m]
        colours = basis.colours(basis.turned(basis.pca.project(shown)))
        return {
            "note": done.words,
            "threshold": done.threshold,
            "h": before.shape[0],
            "w": before.shape[1],
            "before": context.send(before),
            "after": context.send(after),
            "colours": context.send(bytes_of(colours)),
        }

    return context.each(of)


def _repair(context: Context, m: int) -> Repair:
    grid, chosen = context.question.grid, context.question.digests[:N_PHOTOGRAPHS]

    def make() -> Repair:
        photographs = [context.read(digest) for digest in chosen]
        return repair(context.models[m], photographs, grid=grid, resize=context.plan.run.resize)

    return context.once(f"repair {m}", (grid, chosen), make)
