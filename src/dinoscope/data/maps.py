"""What maps of a photograph are made of: a basis, colours that fit another's, cosines with one patch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.kinds import check_features
from dinoscope.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Smoothness:
    """Three numbers that belong together: none is a headline alone.

    Attributes:
        neighbour: mean cosine over the unique 4-neighbour edges, in [-1, 1].
        random_pair: mean cosine over all pairs of different patches, in [-1, 1].
        locality: 1 - (1 - neighbour) / (1 - random_pair); 0 for shuffled patches, NaN (undefined)
            for a collapsed map, where all patches point the same way.
    """

    neighbour: float
    random_pair: float
    locality: float


@dataclass(frozen=True, slots=True, eq=False)
class SimilarityMap:
    """Cosines of one reference patch with every patch of a photograph.

    Attributes:
        values: in [-1, 1], never stretched.
        at: the place asked for, (x, y) in [0, 1]² of the photograph the reference lies in.
        patch: the reference patch (row, col) that covers it.
        grid: of the photograph in ``values``.
    """

    values: Float[np.ndarray, "h w"]
    at: tuple[float, float]
    patch: tuple[int, int]
    grid: PatchGrid

    def __repr__(self) -> str:
        low, high = float(self.values.min()), float(self.values.max())
        shape = f"{self.grid.h}x{self.grid.w} patches"
        return f"SimilarityMap({shape}, cosines {low:.2f} to {high:.2f}, at {self.at})"


@dataclass(frozen=True, slots=True, eq=False)
class PatchPCA:
    """A principal-component basis of patch features.

    Attributes:
        mean: of all patches.
        components: orthonormal, largest variance first; each one's sign makes its entry of largest
            magnitude positive.
        explained_variance: in squared feature units.
        explained_variance_ratio: of the total variance, in [0, 1].
        limits: per component, the (1%, 99%) quantiles of the scores of the patches fitted on:
            the colour limits of every map drawn with this basis.
        n_patches: fitted on.
        normalised: whether patches were scaled to unit length first.
    """

    mean: Float[np.ndarray, " dim"]
    components: Float[np.ndarray, "n dim"]
    explained_variance: Float[np.ndarray, " n"]
    explained_variance_ratio: Float[np.ndarray, " n"]
    limits: Float[np.ndarray, "n 2"]
    n_patches: int
    normalised: bool = False

    def __repr__(self) -> str:
        n, dim = self.components.shape
        share = float(self.explained_variance_ratio.sum())
        return f"PatchPCA({n} of {dim} components, {share:.1%} of the variance of {self.n_patches:,} patches)"

    def project(self, features: PatchFeatures) -> Float[np.ndarray, "h w n"]:
        """Component scores of every patch."""
        check_features(features)
        if features.dim != len(self.mean):
            raise ShapeError(
                "feature map", expected=f"h w dim={len(self.mean)}", actual=features.values.shape
            )
        values = features.values.astype(np.float64)
        if self.normalised:
            lengths = np.linalg.norm(values, axis=2, keepdims=True)
            values = np.divide(values, lengths, out=np.zeros_like(values), where=lengths > 0)
        return (values - self.mean) @ self.components.T


@dataclass(frozen=True, slots=True, eq=False)
class ColourAlignment:
    """The rotation that brings one model's scores closest to another's on the common grid.

    Attributes:
        rotation: orthogonal; the scores of this model, each divided by its basis's standard
            deviation, times this.
        residual: the Procrustes disparity, in [0, 1]: 0 is the same map up to rotation and scale, 1 is
            no linear relation.
        reference: the model aligned to.
    """

    rotation: Float[np.ndarray, "3 3"]
    residual: float
    reference: str
