"""How is retrieval scored? Everything that decides the scores beside vectors, labels and folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dinoscope.errors import InputError
from dinoscope.maths.pca import PatchMoments
from dinoscope.maths.retrieval_scores import CUTOFFS

FoldMoments = Sequence[PatchMoments | None]
"""Moments of each fold, by its number; None where the fold has nothing to measure."""

KS = (0, 1, 2, 4, 8, 16, 32)
DRAWS = 3
MAX_QUERIES = 2000


@dataclass(frozen=True, slots=True, eq=False)
class FoldStatistics:
    """What suppressions of the background, and their controls, are fitted on.

    Attributes:
        background: of each fold the patches that a named mask calls background; None without a mask.
        patches: of each fold all patches, for the control ``all_patches``; None without them.
        rule: the mask's rule, in words.
    """

    background: FoldMoments | None = None
    patches: FoldMoments | None = None
    rule: str = "background patches"


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is tried, against what, and on how much.

    Attributes:
        poolings: which; None for all that are given.
        suppressions: which; None for all that can be fitted on what is given.
        ks: directions removed, to choose from (``common``, ``background``); 0 may be among them.
        kept: components kept, to choose from (``whiten``); None for powers of two up to all.
        controls: of ``common`` and ``background``; None for all that can be had. ``matched`` is one of
            ``background`` alone: the directions of ``common`` are the only ones with their variance.
        cutoffs: of recall and success.
        draws: of each random control; scores are means over them.
        centred_background: subtract the mean of the background patches, and remove the directions of
            their covariance; otherwise those of their second moment about zero.
        max_queries: a random choice of so many labelled photographs, where there are more.
        seed: of that choice and of the random controls.
    """

    poolings: Sequence[str] | None = None
    suppressions: Sequence[str] | None = None
    ks: Sequence[int] = KS
    kept: Sequence[int] | None = None
    controls: Sequence[str] | None = None
    cutoffs: Sequence[int] = CUTOFFS
    draws: int = DRAWS
    centred_background: bool = False
    max_queries: int = MAX_QUERIES
    seed: int = 0

    def __post_init__(self) -> None:
        if self.draws < 1 or self.max_queries < 1:
            raise InputError("draws and max_queries must be at least 1")
