"""Does the class token tell the class of a scene?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int64

from dinoscope.errors import InputError
from dinoscope.maths.patches import unit
from dinoscope.maths.segments import TEMPERATURE


def cls_accuracy(tokens: Float[np.ndarray, "n dim"], labels: Int64[np.ndarray, " n"], *, k: int) -> float:
    """Share of scenes whose class their neighbours vote for, in [0, 1]; see `cls_hits`."""
    return float(cls_hits(tokens, labels, k=k).mean())


def cls_hits(
    tokens: Float[np.ndarray, "n dim"], labels: Int64[np.ndarray, " n"], *, k: int
) -> Bool[np.ndarray, " n"]:
    """Whether the ``k`` nearest of all other scenes vote for a scene's class.

    Votes are weighted ``exp(cosine / 0.07)``; of equal votes the smallest class wins.
    Source: Wu et al. (arXiv 1805.01978, section 3.4), leaving one out.

    Raises:
        InputError: fewer than two scenes, or ``k`` below 1.
    """
    if len(tokens) < 2 or k < 1:
        raise InputError(f"nearest neighbours need two scenes and k of 1, got {len(tokens)} and {k}")
    directions = unit(np.asarray(tokens, dtype=np.float64))
    cosines = directions @ directions.T
    np.fill_diagonal(cosines, -np.inf)
    k = min(k, len(tokens) - 1)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    weights = np.exp((np.take_along_axis(cosines, nearest, axis=1) - 1.0) / TEMPERATURE)
    known, index = np.unique(labels, return_inverse=True)
    votes = np.zeros((len(tokens), len(known)))
    np.add.at(votes, (np.arange(len(tokens))[:, None], index[nearest]), weights)
    return known[votes.argmax(axis=1)] == labels
