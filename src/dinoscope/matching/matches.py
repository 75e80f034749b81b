"""Matches: which place of one photograph goes with which place of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import read_only


@dataclass(frozen=True, slots=True, eq=False)
class Matches:
    """Pairs of places, in the order of the source's patches, or of the places asked for.

    Attributes:
        source: places (x, y) in [0, 1]² of the first photograph.
        target: their places in the second.
        cosine: of the two patches, in [-1, 1].
        ratio: of the distances to the best patch and to the best that does not lie beside it, in [0, 1]; the
            smaller, the more distinct. NaN where there is no other.
        mutual: whether the source patch is the target patch's own best.
        tied: whether another target patch is exactly as near: such a match says nothing.
        source_grid, target_grid: of the patches.
        n_asked: how many were matched before any were left out: patches of the source, or places asked for.
        n_among: patches of the target that could be found.
        digest: sha256 of the two grids and of the pairs of patches: equal where two people's matches are.
    """

    source: Float[np.ndarray, "n 2"]
    target: Float[np.ndarray, "n 2"]
    cosine: Float[np.ndarray, " n"]
    ratio: Float[np.ndarray, " n"]
    mutual: Bool[np.ndarray, " n"]
    tied: Bool[np.ndarray, " n"]
    source_grid: PatchGrid
    target_grid: PatchGrid
    n_asked: int
    n_among: int
    digest: str

    def __post_init__(self) -> None:
        for name in ("source", "target", "cosine", "ratio", "mutual", "tied"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.cosine)
