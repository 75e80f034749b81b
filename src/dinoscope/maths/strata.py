"""How often does one score exceed another of its own stratum? Areas under the ROC curve, within strata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Float64, Int64, Integer, UInt32

from dinoscope.maths.auc import DIGITS, MANY, negatives_first

RAISED = np.float32(12)
"""Added to a score in [-1, 1], it leaves a number whose last `FEW_BITS` bits in 32 count steps of about 1e-6:
these nearly always decide which of two scores is larger, and products in 32 bits are good for them."""

FEW_BITS, ALL_BITS = 21, 41
"""Bits of whole numbers that hold such steps, and that hold a score to `DIGITS` decimals."""

UNDECIDED = 1e-5


@dataclass(frozen=True, eq=False)
class Strata:
    """Which scores are compared: every positive with every negative of its stratum once, and no others.

    Source: the stratified Mann-Whitney statistic, with each comparison of equal weight; van Elteren (1960)
    weights strata instead.

    Attributes:
        positive: whether a score is of the first kind.
        stratum: of each score, from 0, below 2^20.
    """

    positive: Bool[np.ndarray, " n"]
    stratum: Int64[np.ndarray, " n"]

    @cached_property
    def n_positive(self) -> int:
        """Scores of the first kind."""
        return int(self.positive.sum())

    def auc(self, scores: Float64[np.ndarray, " n"]) -> float:
        """Chance that a positive scores above a negative of its own stratum; ties count half.

        Args:
            scores: in [-1, 1]; equal where they agree in `DIGITS` decimals.

        Returns:
            NaN where no stratum holds both kinds.
        """
        if self._comparisons == 0:
            return float("nan")
        levels = np.rint(scores * 10.0**DIGITS).astype(np.int64) + 10**DIGITS
        below, tied = self._counted(levels, self._fine)
        return (below - tied / 2) / self._comparisons

    def auc_of_many(
        self, roughly: Callable[[], Float[np.ndarray, " n"]], finely: Callable[[], Float[np.ndarray, " n"]]
    ) -> float:
        """`auc`, of many scores to about 6 decimals where these decide nearly all comparisons.

        Scores that agree so far count half. They are at most `UNDECIDED` of all comparisons: the area errs
        by half of that share at the very most. Where they are more, and for few scores, all digits count.

        Args:
            roughly: gives the scores in 32 bits, in [-1, 1]; they are overwritten.
            finely: gives them in 64.
        """
        if len(self.stratum) < MANY or self._comparisons == 0 or self.stratum.max() >> (31 - FEW_BITS):
            return self.auc(finely())
        scores = roughly()
        scores += RAISED
        below, tied = self._counted(scores.view(np.uint32), self._coarse)
        if tied > UNDECIDED * self._comparisons:
            return self.auc(finely())
        return (below - tied / 2) / self._comparisons

    def _counted(self, levels: Integer[np.ndarray, " n"], rest: Integer[np.ndarray, " n"]) -> tuple[int, int]:
        """`negatives_first` within strata: stratum, level and kind are one whole number, sorted once."""
        levels <<= 1
        levels += rest
        levels.sort()
        before, tied = negatives_first(levels)
        positives, negatives = self._counts
        return before - int(positives @ (np.cumsum(negatives) - negatives)), tied

    @cached_property
    def _counts(self) -> tuple[Int64[np.ndarray, " strata"], Int64[np.ndarray, " strata"]]:
        n = int(self.stratum.max(initial=0)) + 1
        kinds = (self.positive, ~self.positive)
        positives, negatives = (np.bincount(self.stratum[kind], minlength=n) for kind in kinds)
        return positives, negatives

    @cached_property
    def _comparisons(self) -> int:
        positives, negatives = self._counts
        return int(positives @ negatives)

    @cached_property
    def _fine(self) -> Int64[np.ndarray, " n"]:
        return np.asarray(self.stratum << (ALL_BITS + 1) | self.positive)

    @cached_property
    def _coarse(self) -> UInt32[np.ndarray, " n"]:
        """Stratum and kind, less what is the same in all scores that are `RAISED`."""
        least = (RAISED - 1).view(np.uint32)
        rest = (self.stratum << (FEW_BITS + 1) | self.positive).astype(np.uint32)
        return np.asarray(rest - (least << 1))
