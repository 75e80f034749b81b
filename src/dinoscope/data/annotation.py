"""Annotation: what is known about a photograph's content, apart from its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dinoscope.data.photograph import Photograph

REGIONS, INSTANCES, CLASSES = "regions", "instances", "classes"
KINDS = (REGIONS, INSTANCES, CLASSES)


@dataclass(frozen=True, slots=True)
class MaskKind:
    """What the numbers of a folder's label images mean.

    Attributes:
        name: ``regions`` mean something else in each photograph, and none is the background;
            ``instances`` are objects, 0 is the background; ``classes`` mean the same in every photograph.
        reason: how this is known, in words.
        sure: False for a guess.
        binary: 0 and 255 are the only labels, so that 255 is the object and not the unknown.
        class_maps: class maps lie beside the instances.
        zero: a 0 was seen in some label image.
    """

    name: str
    reason: str
    sure: bool = True
    binary: bool = False
    class_maps: bool = False
    zero: bool = True

    @property
    def because(self) -> str:
        """The reason, and that it is a guess if it is."""
        return self.reason if self.sure else f"a guess: {self.reason}"

    @property
    def has_objects(self) -> bool:
        """Whether each label but 0 is one object."""
        return self.name == INSTANCES

    @property
    def has_background(self) -> bool:
        """Whether there is a background, which is 0."""
        return self.name == INSTANCES or (self.name == CLASSES and self.zero)

    @property
    def has_classes(self) -> bool:
        """Whether it is known what is the same kind in other photographs."""
        return self.name == CLASSES or self.class_maps


@dataclass(frozen=True, slots=True, eq=False)
class SecondView:
    """A scene seen from elsewhere, and where everything went.

    Attributes:
        photograph: the second view.
        flow: (dx, dy) pixels from each pixel's centre in the first view to its place in the second.
        valid: where that place is visible in the second view.
    """

    photograph: Photograph
    flow: Float[np.ndarray, "H W 2"]
    valid: Bool[np.ndarray, "H W"]


@dataclass(frozen=True, slots=True, eq=False)
class Annotation:
    """Label images of one photograph, of the whole of it, in any resolution of its aspect ratio.

    Attributes:
        regions: what belongs together: instances where they are known; -1 is unknown.
        classes: what is the same kind across photographs, -1 unknown; None where that is not known.
        kind: what the numbers in ``regions`` mean.
        second: a second view; None where there is none.
    """

    regions: Int[np.ndarray, "H W"]
    classes: Int[np.ndarray, "H W"] | None
    kind: MaskKind
    second: SecondView | None = None
