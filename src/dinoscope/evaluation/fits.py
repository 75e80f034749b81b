"""What is fitted on everything but some folds, and with how many directions?"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int

from dinoscope.errors import InputError
from dinoscope.evaluation.protocol import FoldStatistics, Protocol
from dinoscope.maths.pca import PatchMoments, patch_moments
from dinoscope.maths.suppression import (
    RANKED,
    Suppression,
    fit_background,
    fit_centre,
    fit_common,
    fit_whiten,
    merged,
    no_suppression,
)
from dinoscope.maths.suppression_controls import all_patches_control, matched_controls, random_control

FEWEST_KEPT = 8


class Fits:
    """Suppressions of one pooling's vectors, fitted without some folds; each is fitted once.

    A kind with a rank is asked for its `ladder` first.
    """

    def __init__(
        self,
        vectors: Float64[np.ndarray, "n dim"],
        folds: Int[np.ndarray, " n"],
        statistics: FoldStatistics,
        protocol: Protocol,
    ) -> None:
        self.used = [int(f) for f in np.unique(folds)]
        self.vectors, self.dim = vectors, vectors.shape[1]
        self.pooled = {f: patch_moments(vectors[folds == f]) for f in self.used}
        self.background = dict(enumerate(statistics.background or ()))
        self.patches = dict(enumerate(statistics.patches or ()))
        self.rule = statistics.rule
        self.protocol = protocol
        self.ladders: dict[str, tuple[int, ...]] = {}
        self._fitted: dict[tuple[str, frozenset[int]], Suppression] = {}
        self._controls: dict[tuple[str, str, frozenset[int], int], Suppression] = {}
        self._matched: dict[tuple[str, frozenset[int], int], dict[int, Suppression]] = {}

    def ladder(self, kind: str) -> tuple[int | None, ...]:
        """The numbers of directions that every fit has; ``(None,)`` where there is nothing to choose.

        Raises:
            InputError: none of them.
        """
        if kind not in (*RANKED, "whiten"):
            return (None,)
        outs = [frozenset(pair) for pair in combinations(self.used, 2)]
        if kind == "whiten":
            most = min(self.fit(kind, out).k for out in outs)
            wanted = _powers(most) if self.protocol.kept is None else self.protocol.kept
        else:
            most = min(self._most(kind, out) for out in outs)
            wanted = self.protocol.ks
        possible = tuple(sorted({k for k in wanted if k <= most}))
        if not possible:
            raise InputError(
                f"{kind}: none of the ranks {tuple(wanted)} can be fitted; the folds held out leave {most}"
            )
        self.ladders[kind] = possible
        return possible

    def fit(self, kind: str, out: frozenset[int], k: int | None = None) -> Suppression:
        """One kind fitted on the other folds, with ``k`` directions of its ladder, or all of them.

        Raises:
            InputError: the other folds have nothing to fit on.
        """
        if (kind, out) not in self._fitted:
            self._fitted[kind, out] = self._new(kind, out)
        found = self._fitted[kind, out]
        return found if k is None else found.leading(k)

    def control(self, name: str, kind: str, out: frozenset[int], k: int, draw: int) -> Suppression:
        """A control of a kind with ``k`` directions of its ladder, from the same folds."""
        seed = int(np.random.SeedSequence([self.protocol.seed, draw, *sorted(out)]).generate_state(1)[0])
        suppression = self.fit(kind, out)
        if name == "matched":
            spot = (kind, out, draw)
            if spot not in self._matched:
                moments = self._without(self.pooled, out, "pooled vectors")
                self._matched[spot] = matched_controls(suppression, moments, self.ladders[kind], seed=seed)
            return self._matched[spot][k]
        key = (name, kind, out, draw)
        if key not in self._controls:
            if name == "random":
                self._controls[key] = random_control(suppression, seed=seed)
            else:
                patches = self._without(self.patches, out, "patches")
                self._controls[key] = all_patches_control(suppression, patches)
        return self._controls[key].leading(k)

    def _new(self, kind: str, out: frozenset[int]) -> Suppression:
        if kind == "none":
            return no_suppression(self.dim)
        if kind == "background":
            return fit_background(
                self._without(self.background, out, "background patches"),
                self.ladders[kind][-1],
                centred=self.protocol.centred_background,
                fitted_on=self.rule,
            )
        moments = self._without(self.pooled, out, "pooled vectors")
        if kind == "centre":
            return fit_centre(moments)
        return fit_whiten(moments) if kind == "whiten" else fit_common(moments, self.ladders[kind][-1])

    def _most(self, kind: str, out: frozenset[int]) -> int:
        if kind == "background":
            available = (
                self._without(self.background, out, "background patches").n - self.protocol.centred_background
            )
        else:
            available = self._without(self.pooled, out, "pooled vectors").n - 1
        return min(self.dim - 1, available)

    def _without(
        self,
        parts: dict[int, PatchMoments] | dict[int, PatchMoments | None],
        out: frozenset[int],
        what: str,
    ) -> PatchMoments:
        total = merged([part for fold, part in parts.items() if fold not in out])
        if total is None:
            raise InputError(f"without folds {sorted(out)} there are no {what} left to fit on")
        if len(total.mean) != self.dim:
            raise InputError(f"{what} have {len(total.mean)} channels, the pooled vectors {self.dim}")
        return total


def _powers(most: int) -> tuple[int, ...]:
    below = [2**i for i in range(3, 14) if FEWEST_KEPT <= 2**i < most]
    return (*below, most)
