"""How three scores of a patch become red, green and blue, alike in two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.maths.align import align_colours
from dinoscope.maths.pca import QUANTILES, to_rgb


@dataclass(frozen=True, slots=True, eq=False)
class Colouring:
    """Fitted on one map, and good for others of the same basis.

    Attributes:
        centre, deviation: of the scores, which are centred and divided by it; where it is 0, by 1.
        rotation: to the reference's scores; the identity without one.
        limits: (1%, 99%) quantiles of the turned scores.
    """

    centre: Float64[np.ndarray, "3"]
    deviation: Float64[np.ndarray, "3"]
    rotation: Float64[np.ndarray, "3 3"]
    limits: Float64[np.ndarray, "3 2"]

    def scores(self, scores: Float[np.ndarray, "h w n"]) -> Float64[np.ndarray, "h w 3"]:
        """Centred, of unit deviation, and turned."""
        return (_three(scores) - self.centre) / self.deviation @ self.rotation

    def colours(self, scores: Float[np.ndarray, "h w n"]) -> Float64[np.ndarray, "h w 3"]:
        """In [0, 1]."""
        return np.asarray(to_rgb(self.scores(scores), limits=self.limits))


def colouring(scores: Float[np.ndarray, "h w n"], like: Float[np.ndarray, "h w 3"] | None) -> Colouring:
    """Colours for a map, turned (orthogonal Procrustes) to look like another model's of the same grid.

    Args:
        scores: up to three components are taken; missing ones are 0.
        like: the reference's turned scores.
    """
    three = _three(scores).reshape(-1, 3)
    centre, deviation = three.mean(axis=0), three.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    flat = (three - centre) / deviation
    rotation = np.eye(3)
    if like is not None and flat.any() and like.any():
        rotation = np.asarray(align_colours(flat, like.reshape(-1, 3)).rotation)
    limits = np.quantile(flat @ rotation, QUANTILES, axis=0).T.copy()
    return Colouring(centre, deviation, rotation, limits)


def _three(scores: Float[np.ndarray, "h w n"]) -> Float64[np.ndarray, "h w 3"]:
    held = np.asarray(scores[..., :3], dtype=np.float64)
    missing = 3 - held.shape[-1]
    return np.concatenate([held, np.zeros((*held.shape[:-1], missing))], axis=-1) if missing else held
