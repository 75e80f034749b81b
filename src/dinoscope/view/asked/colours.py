"""The basis in which the page colours components, for maps that its payload does not hold."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from dinoscope.comparison.maps import DEFAULT_MAPS, Basis, basis_beside, drawn
from dinoscope.view.asked.context import Context


def bases(context: Context) -> list[Basis]:
    """One a model, as in the payload: fitted on all photographs of the page, turned to the first model's."""
    question = context.question

    def make() -> list[Basis]:
        plan = context.plan
        columns = [
            drawn(label, model, layer, rows, DEFAULT_MAPS)
            for label, model, layer, rows in zip(
                plan.labels, plan.models, plan.blocks, context.features(), strict=True
            )
        ]
        references = [None, *[columns[0]] * (len(columns) - 1)]
        return [
            basis_beside(column, reference, DEFAULT_MAPS)
            for column, reference in zip(columns, references, strict=True)
        ]

    return context.once("bases", (question.grid, question.digests), make)


def bytes_of(colours: Float[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """[0, 1] as 0 to 255."""
    return np.rint(np.clip(np.nan_to_num(colours), 0.0, 1.0) * 255.0).astype(np.uint8)
