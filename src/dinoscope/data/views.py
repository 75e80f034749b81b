"""A map of one photograph by one model, in any way of looking: plain values, to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

COLOURS, COSINE, SHARE, CLASS_SHARE, LABELS = "colours", "cosine", "share", "class-share", "labels"
WORDS, NORMS = "words", "norms"
"""What a map holds: colours ``h w 3`` in [0, 1]; cosines; attention of the patch or of the class token, as a
multiple of an even share; numbers of clusters; cosines with words, or with the patch that they pick; lengths
of patches, as multiples of the one from which on they stand out."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One map of one model.

    Attributes:
        name: of the way of looking.
        kind: `COLOURS`, `COSINE`, `SHARE`, `CLASS_SHARE`, `LABELS`, `WORDS` or `NORMS`.
        values: the map; None where the model has none.
        note: a fact to print below it, or why there is no map.
        patch: the patch (row, col) that was asked about; None where none was.
    """

    name: str
    kind: str
    values: Float[np.ndarray, "h w 3"] | Float[np.ndarray, "h w"] | Int[np.ndarray, "h w"] | None
    note: str
    patch: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CloserLook:
    """One more way of looking at the first photographs of a comparison.

    Attributes:
        key: ``attention``, ``upsampled`` or ``repair``.
        title: of its place on a page.
        told: what it shows and what it does not, as plain text.
        rows: one for each photograph, from the first on; each holds the same views in the same order.
    """

    key: str
    title: str
    told: str
    rows: tuple[tuple[View, ...], ...]
