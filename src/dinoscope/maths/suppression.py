"""Which directions are taken out of a feature vector before it is compared?

A suppression is fitted once, on vectors or patches that are not the queries, and applied to queries and
collection alike. Cosines are taken afterwards, so nothing here scales its result to unit length.

Where a projection and pooling meet: a linear map of every patch followed by the plain mean, or by any mean
under fixed weights that sum to 1, is the same map of the pooled vector. The two differ where patches are
scaled to unit length in between, where weights or masks are found on the projected patches, and for the
generalised mean, which is not linear.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import reduce

import numpy as np
from jaxtyping import Bool, Float, Float64

from dinoscope.data.photograph import read_only
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.eigen import leading_directions
from dinoscope.maths.pca import PatchMoments, merge_moments, patch_moments

SUPPRESSIONS = ("none", "centre", "common", "whiten", "background")
RANKED = ("common", "background")
"""Those that remove ``k`` directions, for which controls of the same rank exist."""

LEAST_ENERGY = 1e-10
"""Directions with a smaller share of the largest variance are no directions of the data: never whitened."""


ANY_POOLING = "any"


@dataclass(frozen=True, slots=True)
class FittedFor:
    """Which vectors a suppression is for: those of one backbone with one set of settings.

    Attributes:
        backbone: its name.
        settings: everything that decides what the vectors are, as a JSON object with sorted keys.
        pooling: of the vectors fitted on; `ANY_POOLING` where it was fitted on patches.
        collection: digest of the digests of the photographs fitted on.
    """

    backbone: str
    settings: str
    pooling: str
    collection: str


@dataclass(frozen=True, slots=True, eq=False)
class Suppression:
    """A fitted correction of feature vectors, or a control of one.

    Attributes:
        kind: one of `SUPPRESSIONS`, or the name of a control.
        mean: subtracted first; zeros where nothing is.
        directions: orthonormal rows, most energy first. Removed; for ``whiten``, kept.
        energy: mean squared score of the vectors fitted on along each direction, about ``mean`` (for
            ``whiten`` and ``common`` with one degree of freedom less); NaN where nothing was measured.
        centred: whether the directions are those of a covariance, and not of a second moment about zero.
        n_fitted: vectors or patches fitted on.
        fitted_on: which, in words.
        fitted_for: the vectors it is for; None where nobody said.
    """

    kind: str
    mean: Float64[np.ndarray, " dim"]
    directions: Float64[np.ndarray, "k dim"]
    energy: Float64[np.ndarray, " k"]
    centred: bool
    n_fitted: int
    fitted_on: str = ""
    fitted_for: FittedFor | None = None

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or not len(self.mean):
            raise ShapeError("mean", expected="dim", actual=self.mean.shape)
        if self.directions.ndim != 2 or self.directions.shape[1] != len(self.mean):
            raise ShapeError("directions", expected=f"k dim={len(self.mean)}", actual=self.directions.shape)
        if self.energy.shape != (len(self.directions),):
            raise ShapeError("energy", expected=f"k={len(self.directions)}", actual=self.energy.shape)
        products = self.directions @ self.directions.T
        if not np.isfinite(self.mean).all() or not np.allclose(products, np.eye(len(products)), atol=1e-6):
            raise InputError(f"suppression {self.kind!r}: the directions are not orthonormal, or not finite")
        for name in ("mean", "directions", "energy"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    @property
    def dim(self) -> int:
        """Channels of the vectors it applies to."""
        return len(self.mean)

    @property
    def k(self) -> int:
        """How many directions are removed; for ``whiten``, kept."""
        return len(self.directions)

    def apply(self, vectors: Float[np.ndarray, "*batch dim"]) -> Float64[np.ndarray, "*batch out"]:
        """The corrected vectors, in float64, not scaled to unit length.

        Returns:
            As many channels as before; for ``whiten``, ``k``.

        Raises:
            ShapeError: other channels.
            InputError: NaN or infinite values.
        """
        if vectors.ndim < 1 or vectors.shape[-1] != self.dim:
            raise ShapeError("vectors", expected=f"... dim={self.dim}", actual=vectors.shape)
        if not np.isfinite(vectors).all():
            raise InputError("the vectors hold NaN or infinite values")
        moved = vectors.astype(np.float64) - self.mean
        if self.kind == "whiten":
            return moved @ (self.directions / np.sqrt(self.energy)[:, None]).T
        return moved - (moved @ self.directions.T) @ self.directions

    def leading(self, k: int) -> Suppression:
        """A suppression with only the first ``k`` directions.

        Raises:
            InputError: there are fewer.
        """
        if not 0 <= k <= self.k:
            raise InputError(f"cannot take {k} of the {self.k} directions of {self.kind!r}")
        return replace(self, directions=self.directions[:k], energy=self.energy[:k])

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Everything in it as arrays by name, for any array format; words as UTF-8 bytes."""
        return {
            "mean": np.array(self.mean),
            "directions": np.array(self.directions),
            "energy": np.array(self.energy),
            "centred": np.array([self.centred], np.uint8),
            "n_fitted": np.array([self.n_fitted], np.int64),
            "kind": _bytes(self.kind),
            "fitted_on": _bytes(self.fitted_on),
            "fitted_for": _bytes("" if self.fitted_for is None else json.dumps(asdict(self.fitted_for))),
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> Suppression:
        """A suppression as `as_arrays` gave it.

        Raises:
            InputError: an array is missing, or they do not fit together.
        """
        try:
            words = arrays["fitted_for"].tobytes().decode()
            return Suppression(
                kind=arrays["kind"].tobytes().decode(),
                mean=arrays["mean"].astype(np.float64),
                directions=arrays["directions"].astype(np.float64),
                energy=arrays["energy"].astype(np.float64),
                centred=bool(arrays["centred"][0]),
                n_fitted=int(arrays["n_fitted"][0]),
                fitted_on=arrays["fitted_on"].tobytes().decode(),
                fitted_for=FittedFor(**json.loads(words)) if words else None,
            )
        except InputError:
            raise
        except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
            raise InputError(f"these arrays are no suppression: {error!r}") from error


def no_suppression(dim: int) -> Suppression:
    """Vectors as they are."""
    return Suppression("none", np.zeros(dim), np.zeros((0, dim)), np.zeros(0), False, 0)


def fit_centre(moments: PatchMoments, *, fitted_on: str = "pooled vectors") -> Suppression:
    """Subtract the mean of the vectors fitted on.

    Raises:
        InputError: moments of normalised vectors.
    """
    _as_they_are(moments)
    dim = len(moments.mean)
    return Suppression("centre", moments.mean, np.zeros((0, dim)), np.zeros(0), True, moments.n, fitted_on)


def fit_common(moments: PatchMoments, k: int, *, fitted_on: str = "pooled vectors") -> Suppression:
    """Subtract the mean, then remove the ``k`` leading principal components: all-but-the-top.

    Source: Mu & Viswanath, All-but-the-Top (arXiv 1702.01417, algorithm 1).

    Args:
        moments: of the vectors to be compared (pooled vectors, for pooled search), as they are.
        k: 0 for the mean alone.
        fitted_on: in words.

    Raises:
        InputError: ``k`` is negative, or not below the number of channels and of vectors.
    """
    _as_they_are(moments)
    _check_rank(k, len(moments.mean), moments.n - 1, "common")
    energy, directions = leading_directions(moments.scatter / max(moments.n - 1, 1), k)
    return Suppression("common", moments.mean, directions, energy, True, moments.n, fitted_on)


def fit_whiten(
    moments: PatchMoments, k: int | None = None, *, fitted_on: str = "pooled vectors"
) -> Suppression:
    """Project on the ``k`` leading principal components and divide each by its standard deviation.

    Source: Jégou & Chum, Negative evidences and co-occurences in image retrieval: the benefit of PCA and
    whitening (ECCV 2012, section 3).

    Args:
        moments: of the vectors to be compared, as they are.
        k: components kept; None for every one with more than `LEAST_ENERGY` of the largest variance.
        fitted_on: in words.

    Raises:
        InputError: fewer than two vectors, vectors that are all equal, or fewer such components than ``k``.
    """
    _as_they_are(moments)
    if moments.n < 2:
        raise InputError(f"whitening needs at least two vectors, got {moments.n}")
    energy, directions = leading_directions(moments.scatter / (moments.n - 1), len(moments.mean))
    rank = int((energy > LEAST_ENERGY * energy[0]).sum()) if energy[0] > 0 else 0
    rank = min(rank, moments.n - 1)
    k = rank if k is None else k
    if not 1 <= k <= rank:
        raise InputError(
            f"cannot whiten {k} components: the {moments.n} vectors fitted on vary along {rank} directions"
        )
    return Suppression("whiten", moments.mean, directions[:k], energy[:k], True, moments.n, fitted_on)


def fit_background(
    moments: PatchMoments, k: int, *, centred: bool = False, fitted_on: str = "background patches"
) -> Suppression:
    """Remove the ``k``-dimensional subspace that holds most of the background patches.

    ``x (I - B B^T)`` with ``B`` the leading right singular vectors of the background patches. Uncentred,
    the first of them is close to their mean. Centred, the mean of the background patches is subtracted
    and ``B`` spans their deviations from it.
    Source: the background subspace of INSID3-style segmentation (arXiv 2603.28480), there per image.

    Args:
        moments: of the patches that a named mask calls background, from any number of photographs.
        k: 0 removes nothing (centred: the mean alone).
        centred: as said.
        fitted_on: in words: which mask, which photographs.

    Raises:
        InputError: ``k`` is negative, or not below the number of channels, or above that of patches.
    """
    _as_they_are(moments)
    dim = len(moments.mean)
    _check_rank(k, dim, moments.n - centred, "background")
    mean = moments.mean if centred else np.zeros(dim)
    energy, directions = leading_directions(second_moment(moments, mean), k)
    return Suppression("background", mean, directions, energy, centred, moments.n, fitted_on)


def background_moments(
    values: Float[np.ndarray, "n dim"], foreground: Bool[np.ndarray, " n"]
) -> PatchMoments | None:
    """Moments of the patches outside a mask; None where there are none.

    Merge those of many photographs with `merge_moments`, in any order.

    Raises:
        ShapeError: a mask of another number of patches.
        InputError: NaN or infinite values.
    """
    if foreground.shape != (len(values),):
        raise ShapeError("foreground", expected=f"n={len(values)}", actual=foreground.shape)
    return None if foreground.all() else patch_moments(values[~foreground])


def merged(parts: list[PatchMoments | None]) -> PatchMoments | None:
    """Moments of all parts together; None where all are None."""
    known = [part for part in parts if part is not None]
    return reduce(merge_moments, known) if known else None


def second_moment(
    moments: PatchMoments, about: Float64[np.ndarray, " dim"]
) -> Float64[np.ndarray, "dim dim"]:
    """Mean outer product of the vectors minus ``about``."""
    shift = moments.mean - about
    return moments.scatter / moments.n + np.outer(shift, shift)


def _check_rank(k: int, dim: int, available: int, kind: str) -> None:
    if k < 0:
        raise InputError(f"{kind}: k must not be negative, got {k}")
    if k >= dim or k > available:
        raise InputError(
            f"{kind}: cannot remove {k} directions of {dim} channels, fitted on data that spans at most "
            f"{max(available, 0)}: choose a smaller k, or fit on more"
        )


def _as_they_are(moments: PatchMoments) -> None:
    if moments.normalised:
        raise InputError("fit suppressions on moments of vectors as they are, not of normalised ones")


def _bytes(words: str) -> np.ndarray:
    return np.frombuffer(words.encode(), np.uint8).copy()
