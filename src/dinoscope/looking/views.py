"""One photograph looked at in every way, by several models: plain values, to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import Kind
from dinoscope.data.views import View


@dataclass(frozen=True, slots=True, eq=False)
class ModelViews:
    """All maps of one model.

    Attributes:
        label: the model's.
        kind: as in `BackboneSpec.kind`.
        facts: layer and grid, in words.
        patch: the patch (row, col) that was asked about, on the plain grid.
        views: the same ways, in the same order, for every model.
    """

    label: str
    kind: Kind
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
