"""One photograph looked at in every way, by several models: plain values, to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from dinoscope.data.photograph import Photograph

COLOURS, COSINE, SHARE, CLASS_SHARE, LABELS = "colours", "cosine", "share", "class-share", "labels"
WORDS = "words"
"""What a map holds: colours ``h w 3`` in [0, 1]; cosines; attention of the patch or of the class token, as a
multiple of an even share; numbers of clusters; cosines with words, or with the patch that they pick."""


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One map of one model.

    Attributes:
        name: of the way of looking.
        kind: `COLOURS`, `COSINE`, `SHARE`, `CLASS_SHARE`, `LABELS` or `WORDS`.
        values: the map; None where the model has none.
        note: a fact to print below it, or why there is no map.
    """

    name: str
    kind: str
    values: Float[np.ndarray, "h w 3"] | Float[np.ndarray, "h w"] | Int[np.ndarray, "h w"] | None
    note: str


@dataclass(frozen=True, slots=True, eq=False)
class ModelViews:
    """All maps of one model.

    Attributes:
        label: the model's.
        control: whether it is a control and no trained model.
        facts: layer and grid, in words.
        patch: the patch (row, col) that was asked about, on the plain grid.
        views: the same ways, in the same order, for every model.
    """

    label: str
    control: bool
    facts: str
    patch: tuple[int, int]
    views: tuple[View, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """What `look` finds.

    Attributes:
        photograph: a preview.
        at: the place (x, y) in [0, 1]² that cosines and attention are of.
        models: the first is the reference of colours and cluster numbers.
    """

    photograph: Photograph
    at: tuple[float, float]
    models: tuple[ModelViews, ...]
