"""Which patches belong together, over all photographs: clusters, and colours of the normalised cut."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison.page.questions import Answer
from dinoscope.looking.colouring import colouring
from dinoscope.maths.clusters import LARGEST_K, fit_clusters, match_labels
from dinoscope.maths.spectral import fit_spectral
from dinoscope.view.asked.context import Context, ModelFacts

COMPONENTS = 4
"""Eigenvectors of the cut; the first says only how central a patch is, three become colours."""


def clusters_answer(context: Context) -> Answer:
    """``k``: how many, 0 for as many as each model's spectrum speaks for. Numbered like the first model's."""
    k = context.question.number("k", 0, 4 * LARGEST_K)
    seed = context.plan.run.seed
    reference: list[np.ndarray] = []

    def of(m: int) -> ModelFacts:
        rows = context.features()[m]
        found = fit_clusters(rows, k or None, seed)
        labels = np.concatenate([found.label(row).ravel() for row in rows])
        if reference and len(reference[0]) == len(labels):
            labels = match_labels(labels, reference[0])[labels]
        reference.append(labels)
        note = f"{len(found.sizes)}" + ("" if k else ", counted by the spectrum")
        return {"note": note, "labels": context.send(labels.astype(np.uint8))}

    return context.each(of)


def spectral_answer(context: Context) -> Answer:
    """Colours of the normalised cut of every patch, turned to look like the first model's."""
    first: list[np.ndarray] = []

    def of(m: int) -> ModelFacts:
        rows = context.features()[m]
        cut = fit_spectral(rows, n=COMPONENTS)
        scores = np.concatenate([cut.project(row).reshape(1, -1, COMPONENTS) for row in rows], axis=1)[
            ..., 1:
        ]
        like = first[0] if first and first[0].shape == scores.shape else None
        coloured = colouring(scores, like)
        first.append(coloured.scores(scores))
        values = ", ".join(f"{value:.2f}" for value in cut.eigenvalues[1:])
        return {
            "note": f"eigenvalues {values}",
            "colours": context.send(np.rint(coloured.colours(scores)[0] * 255).astype(np.uint8)),
        }

    return context.each(of)
