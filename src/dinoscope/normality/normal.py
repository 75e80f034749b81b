"""Normal: a bank of patches of normal photographs, and the distance of other patches to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64

from dinoscope.data.features import PatchFeatures, Provenance, check_alike
from dinoscope.data.kinds import each_features
from dinoscope.data.photograph import read_only
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.bank import greedy_cover, nearest_distances
from dinoscope.maths.detection import false_alarm_threshold
from dinoscope.maths.patches import as_map, unit
from dinoscope.normality.lists import PatchLists, fit_lists, own_rows
from dinoscope.store.derived.quantised import has_faiss

EXACT_UP_TO = 200_000
"""Patches kept, up to which all are compared unless lists are asked for."""

HIGHEST = 0.01
"""Share of a photograph's patches, the farthest, whose mean distance is its score."""


@dataclass(frozen=True, slots=True, eq=False)
class Threshold:
    """Distances beyond which something is not normal.

    Attributes:
        photograph: a photograph of a higher score.
        patch: a patch farther from the bank: no patch of a normal photograph is, but for the rate.
        rate: at most so large a share of normal photographs is called defective by mistake.
    """

    photograph: float
    patch: float
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Normal:
    """Patches of normal photographs, as one model sees them.

    Attributes:
        vectors: of unit length.
        owner: which photograph each is of, from 0.
        provenance: of the first photograph's features.
        n_photographs, n_patches: that it was fitted on.
        coverage: every patch fitted on lies within this distance of a kept one; 0 where all are kept.
        lists: where the nearest patch is looked for; None where all are compared.
        held_out: for each normal photograph against the others: its score, and its largest distance. Empty
            where none was held out.
        digests: of the photographs fitted on, in the order of their owners; empty for one that has none.
    """

    vectors: Float32[np.ndarray, "n dim"]
    owner: Int64[np.ndarray, " n"]
    provenance: Provenance
    n_photographs: int
    n_patches: int
    coverage: float
    held_out: Float64[np.ndarray, "_ 2"]
    lists: PatchLists | None = None
    digests: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("vectors", "owner", "held_out"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def score(self, f: PatchFeatures) -> Float64[np.ndarray, "h w"]:
        """1 − cosine of every patch with the nearest of the bank, in [0, 2]; 0 for a patch of the bank.

        With `lists`, with the nearest that they find: a few distances are too large.

        Raises:
            ProvenanceMismatchError: features by another model or layer.
            ShapeError: other channels.
        """
        check_alike(self.provenance, f.provenance)
        if f.dim != self.vectors.shape[1]:
            raise ShapeError("features", expected=f"h w dim={self.vectors.shape[1]}", actual=f.values.shape)
        return self._distances(_directions(f)).reshape(f.grid.shape)

    def _distances(self, queries: Float32[np.ndarray, "q dim"]) -> Float64[np.ndarray, " q"]:
        if self.lists is None:
            return nearest_distances(queries, self.vectors)
        return self.lists.distances(queries, self.vectors)

    def threshold(self, rate: float | None = None) -> Threshold:
        """Distances beyond which something is not normal, by the photographs held out.

        Args:
            rate: of false alarms; None for `dinoscope.maths.detection.RATE`, or the lowest that so few normal
                photographs can hold.

        Raises:
            InputError: none was held out, or too few for the rate.
        """
        photograph, held = false_alarm_threshold(self.held_out[:, 0], rate)
        return Threshold(photograph, false_alarm_threshold(self.held_out[:, 1], rate)[0], held)


def fit_normal(
    features: Iterable[PatchFeatures],
    *,
    coverage: float | None = None,
    hold_out: bool = True,
    exact: bool | None = None,
) -> Normal:
    """A bank of all patches of normal photographs, and how far each photograph is from the others.

    Source: nearest neighbours of patches, Roth et al., PatchCore (arXiv 2106.08265); by cosine, and the mean
    of the farthest hundredth as a photograph's score: Damm et al., AnomalyDINO (arXiv 2405.14529).

    Cost: O(N²·dim) for N patches kept or, with a coverage, N times those kept; by lists about O(N^1.5·dim).
    O(N·dim) memory.

    Args:
        features: normal photographs by one model.
        coverage: keep only a greedy choice of patches such that every patch lies within this distance,
            1 − cosine, of a kept one. None: keep all.
        hold_out: score each photograph against the others, for `Normal.threshold`.
        exact: compare every patch with every patch kept; False: look for the nearest in lists, which find it
            for the share of patches that `Normal.lists` states. None: exact up to `EXACT_UP_TO` patches kept,
            and beyond where faiss is not installed.

    Raises:
        InputError: no photograph, a single one to hold out, a coverage outside (0, 2), NaN.
        ProvenanceMismatchError, ShapeError: features by different models.
        MissingExtraError: lists without faiss.
    """
    if coverage is not None and not 0 < coverage < 2:
        raise InputError(f"a coverage is a distance 1 − cosine between 0 and 2, got {coverage}")
    rows: list[Float32[np.ndarray, "_ dim"]] = []
    owners: list[Int64[np.ndarray, " _"]] = []
    seen: dict[str, int] = {}
    digests: list[str] = []
    first: PatchFeatures | None = None
    for f in each_features(features):
        first = first or f
        if f.dim != first.dim:
            raise ShapeError("features", expected=f"h w dim={first.dim}", actual=f.values.shape)
        check_alike(first.provenance, f.provenance)
        digest = f.provenance.image_digest
        owner = seen.setdefault(digest or f"photograph {len(rows)}", len(seen))
        if owner == len(digests):
            digests.append(digest)
        rows.append(_directions(f))
        owners.append(np.full(len(rows[-1]), owner, np.int64))
    if first is None:
        raise InputError("no normal photograph: there is nothing to compare with")
    if hold_out and len(seen) < 2:
        raise InputError(
            "one normal photograph: none can be held out, so nothing says how far normal ones lie apart; "
            "give at least two (in Python, hold_out=False gives distances without a threshold)"
        )
    every, owner_of = np.concatenate(rows), np.concatenate(owners)
    kept = slice(None) if coverage is None else greedy_cover(every, coverage)
    vectors, owners_kept = every[kept], owner_of[kept]
    lists = None
    if exact is False or (exact is None and len(vectors) > EXACT_UP_TO and has_faiss()):
        together = np.argsort(owners_kept, kind="stable")
        vectors, owners_kept = vectors[together], owners_kept[together]
        lists = fit_lists(vectors, owners_kept)
    alone = range(len(seen)) if hold_out else ()
    held = [_held_out(every[owner_of == i], i, vectors, owners_kept, lists) for i in alone]
    return Normal(
        vectors,
        owners_kept,
        first.provenance,
        len(seen),
        len(every),
        coverage or 0.0,
        np.array(held, np.float64).reshape(-1, 2),
        lists,
        tuple(digests),
    )


def photograph_score(distances: Float[np.ndarray, "..."]) -> float:
    """The mean of the `HIGHEST` share of distances, one at least."""
    flat = np.sort(np.asarray(distances, np.float64).ravel())
    return float(flat[-max(1, round(HIGHEST * len(flat))) :].mean())


def _held_out(
    own: Float32[np.ndarray, "q dim"],
    photograph: int,
    vectors: Float32[np.ndarray, "n dim"],
    owner: Int64[np.ndarray, " n"],
    lists: PatchLists | None,
) -> tuple[float, float]:
    others = owner != photograph
    if not others.any():
        raise InputError("with so large a coverage one photograph covers all others: ask for a smaller one")
    if lists is None:
        distances = nearest_distances(own, vectors, among=others)
    else:
        distances = lists.distances(own, vectors, without=own_rows(owner, photograph))
    return photograph_score(distances), float(distances.max())


def _directions(f: PatchFeatures) -> Float32[np.ndarray, "n dim"]:
    return unit(as_map(f)).reshape(-1, f.dim).astype(np.float32)
