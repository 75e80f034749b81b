"""Which part of a collection does a photograph belong to, when some must be held out?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from dinoscope.errors import InputError

FOLDS = 5


def fold_of(digest: str, folds: int = FOLDS) -> int:
    """The fold of a photograph, 0-based, by its digest alone.

    It does not depend on what else is in the collection, nor on order or shards, so that statistics of a
    fold can be gathered while the photographs stream by. Equal photographs share a fold.

    Raises:
        InputError: fewer than two folds, or a digest that is not hexadecimal.
    """
    if folds < 2:
        raise InputError(f"holding out needs at least 2 folds, got {folds}")
    try:
        return int(digest[:15], 16) % folds
    except ValueError as error:
        raise InputError(f"{digest!r} is no hexadecimal digest") from error


def folds_of(digests: Sequence[str], folds: int = FOLDS) -> Int64[np.ndarray, " n"]:
    """The folds of many photographs, as `fold_of`."""
    return np.array([fold_of(digest, folds) for digest in digests], np.int64)
