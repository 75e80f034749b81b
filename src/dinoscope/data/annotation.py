"""Annotation: what is known about a photograph's content, apart from its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from dinoscope.data.photograph import Photograph


@dataclass(frozen=True, slots=True, eq=False)
class SecondView:
    """The same scene from elsewhere, and where everything went.

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
        regions: what belongs together: instances where they are known; -1 is unknown, 0 the background.
        classes: what is the same kind across photographs; -1 is unknown, 0 the background.
        second: a second view; None where there is none.
    """

    regions: Int[np.ndarray, "H W"]
    classes: Int[np.ndarray, "H W"]
    second: SecondView | None = None
