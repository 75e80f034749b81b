"""Which of many settings is best, and how good is it where it was not chosen?"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Float64, Int64

from dinoscope.errors import InputError
from dinoscope.maths.masks import UNKNOWN
from dinoscope.maths.segments import class_iou

Readout = Callable[
    [Float[np.ndarray, "n dim"], Int64[np.ndarray, " n"], Float[np.ndarray, "m dim"]],
    Int64[np.ndarray, " m"],
]
"""From training vectors, their classes and other vectors to the others' classes."""


def nested_readout(
    vectors: Float[np.ndarray, "n dim"],
    classes: Int64[np.ndarray, " n"],
    folds: Int64[np.ndarray, " n"],
    inner: Int64[np.ndarray, "folds n"] | None,
    readout: Readout,
) -> Int64[np.ndarray, "folds n"]:
    """The class of every vector, read out of vectors of other folds. In row f fold f teaches nobody: its own
    are read out of all others, and the others of each other, part by part.

    Args:
        vectors, classes: `UNKNOWN` classes are read out and teach nothing.
        folds: of each, from 0.
        inner: in row f, the parts of all vectors outside fold f. None where nothing is chosen by this
            readout: then each row holds its own fold's alone, and `UNKNOWN` beside.
        readout: from what teaches to what is asked.

    Raises:
        InputError: fewer than two folds or parts, or none that teaches.
    """
    n_folds = int(folds.max(initial=-1)) + 1
    found = np.full((n_folds, len(vectors)), UNKNOWN, np.int64)
    for f in range(n_folds):
        rest = folds != f
        parts = () if inner is None else [rest & (inner[f] == p) for p in np.unique(inner[f, rest])]
        for asked in (~rest, *parts):
            train = rest & ~asked & (classes != UNKNOWN)
            if not train.any():
                raise InputError(
                    "too few labelled photographs: with those held out there is none left to learn from"
                )
            found[f, asked] = readout(vectors[train], classes[train], vectors[asked])
    return found


def miou_of_photographs(
    predicted: Int64[np.ndarray, "folds n"], classes: Int64[np.ndarray, " n"], owner: Int64[np.ndarray, " n"]
) -> Float64[np.ndarray, "folds photographs"]:
    """For each row of predictions and each photograph the mean intersection over union of the classes that
    the photograph holds; NaN where it holds none.
    """
    scores = np.full((len(predicted), int(owner.max(initial=-1)) + 1), np.nan)
    for i in range(scores.shape[1]):
        known = (owner == i) & (classes != UNKNOWN)
        present = np.unique(classes[known])
        for f in range(len(predicted) if len(present) else 0):
            scores[f, i] = np.nanmean(class_iou(predicted[f, known], classes[known], present))
    return scores


def nested_choice(
    values: Float[np.ndarray, "folds settings photographs"], folds: Int64[np.ndarray, " photographs"]
) -> tuple[Int64[np.ndarray, " folds"], Float64[np.ndarray, " photographs"]]:
    """For each fold the setting that is best on all other photographs, and what it reaches on the fold's own.

    The mean of the second is an honest score of choosing the best: no photograph took part in the choice that
    it scores. Source: Stone, Cross-validatory choice and assessment of statistical predictions (1974).

    Args:
        values: of each setting and photograph, made without the fold's photographs; in the row of a
            photograph's own fold, without that fold alone. NaN where undefined.
        folds: of each photograph.
    """
    chosen = np.array(
        [np.nanargmax(np.nanmean(values[f][:, folds != f], axis=1)) for f in range(len(values))], np.int64
    )
    honest = np.array([values[f, chosen[f], i] for i, f in enumerate(folds)])
    return chosen, honest
