"""How many keypoints are found where people say that they are?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.io.keypoints import KeypointPair
from dinoscope.matching.match import match
from dinoscope.matching.matches import Matches
from dinoscope.maths.nearest import centres

ALPHAS = (0.05, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class KeypointScore:
    """One model's matches of the keypoints of one pair of photographs.

    Attributes:
        matches: of the first photograph's points, in their order.
        truth: places (x, y) in [0, 1]² of the second.
        error: of each, as a share of the longer side that tolerances are shares of.
        pck: by tolerance, the share of points with an error no larger.
        chance: the same for matches drawn evenly from the target's patches.
    """

    matches: Matches
    truth: Float64[np.ndarray, "n 2"]
    error: Float64[np.ndarray, " n"]
    pck: dict[float, float]
    chance: dict[float, float]


def score_keypoints(
    f: PatchFeatures, g: PatchFeatures, pair: KeypointPair, *, refine: bool = False
) -> KeypointScore:
    """Match the keypoints of a pair and compare with the truth.

    A tolerance is a share of the longer side of the box around the target's object where the pair has one, as
    for SPair-71k, else of the second photograph, as for PF-PASCAL.
    Source: Yang & Ramanan, Articulated human detection with flexible mixtures of parts (2013).

    Args:
        f, g: features of the two photographs by one model.
        pair: its keypoints.
        refine: as for `match`.

    Raises:
        InputError: a point outside its photograph.
        ProvenanceMismatchError, ShapeError: as `match`.
    """
    size = np.array(g.grid.image_size, np.float64)
    source, truth = pair.places(f.grid.image_size, g.grid.image_size)
    at = [(float(x), float(y)) for x, y in source]
    found = match(f, g, mutual=False, at=at, refine=refine)
    side = size.max() if pair.box_px is None else pair.box_px
    error = np.linalg.norm((found.target - truth) * size, axis=1) / side
    away = np.linalg.norm((centres(g.grid.shape)[None] - truth[:, None]) * size, axis=2) / side
    return KeypointScore(
        found,
        truth,
        error,
        {alpha: float((error <= alpha).mean()) for alpha in ALPHAS},
        {alpha: float((away <= alpha).mean()) for alpha in ALPHAS},
    )
