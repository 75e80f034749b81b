"""Which patches speak for a photograph? Weights for `dinoscope.maths.pooling.weighted_pool`.

Weights of 0 everywhere mean that a rule found nothing; `weighted_pool` then takes the plain mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.data.features import PatchFeatures
from dinoscope.data.results import PatchPCA
from dinoscope.errors import InputError, ShapeError
from dinoscope.maths.discovery import TAU, tokencut
from dinoscope.maths.foreground import foreground_by_pc1
from dinoscope.maths.pooling import own_foreground

LEAST_BACKGROUND = 1e-3
"""Share of a photograph below which its background's mean cannot be told from float16 rounding."""


def pc1_weights(features: Sequence[PatchFeatures], pca: PatchPCA) -> list[Float64[np.ndarray, " _"]]:
    """1 on the foreground by `PC1_RULE` in a basis shared by all photographs, 0 elsewhere, row-major.

    Raises:
        InputError: no photographs.
    """
    return [mask.ravel().astype(np.float64) for mask in foreground_by_pc1(features, pca)]


def own_pc1_weights(features: PatchFeatures) -> Float64[np.ndarray, " n"]:
    """1 on the foreground by the photograph's own first component (`FOREGROUND_RULE`), 0 elsewhere."""
    return own_foreground(features).ravel().astype(np.float64)


def spectral_weights(features: PatchFeatures, *, tau: float = TAU) -> Float64[np.ndarray, " n"]:
    """1 on the object that TokenCut finds, 0 elsewhere. Cost: cubic in patches."""
    return tokencut(features, tau=tau).mask.ravel().astype(np.float64)


def attention_weights(attention: Float[np.ndarray, " n"], *, mass: float = 1.0) -> Float64[np.ndarray, " n"]:
    """Attention to patches as weights that sum to 1; with ``mass`` below 1, only the most attended patches.

    Those are the fewest that hold ``mass`` of it; they keep their proportions.
    Source: the thresholded attention maps of DINO (arXiv 2104.14294, figure 4), which keep 0.6.

    Args:
        attention: of at least 0, as from `dinoscope.maths.attention.cls_attention`.
        mass: in (0, 1].

    Raises:
        InputError: negative or not finite attention, none at all, or a mass outside (0, 1].
    """
    wide = attention.astype(np.float64)
    if not np.isfinite(wide).all() or (wide < 0).any() or wide.sum() <= 0:
        raise InputError("attention must be finite, not negative, and not 0 everywhere")
    if not 0 < mass <= 1:
        raise InputError(f"mass must be in (0, 1], got {mass}")
    wide = wide / wide.sum()
    if mass < 1:
        order = np.argsort(-wide, kind="stable")
        needed = int(np.searchsorted(np.cumsum(wide[order]), mass * (1 - 1e-12))) + 1
        wide[order[needed:]] = 0.0
    return np.asarray(wide / wide.sum())


def background_means(
    means: Float[np.ndarray, "n dim"],
    foreground: Float[np.ndarray, "n dim"],
    share: Float[np.ndarray, " n"],
) -> Float64[np.ndarray, "m dim"]:
    """The mean background patch of each photograph that has one, from vectors that a table keeps anyway.

    ``(mean - share foreground) / (1 - share)``: what the mean is made of besides the foreground. Their
    moments say how backgrounds differ *between* photographs, which is what disturbs pooled vectors; the
    moments of single background patches also say how they differ within one.

    Args:
        means: plain mean vectors.
        foreground: mean vectors of the foreground; anything where the share is 0.
        share: of the patches that are foreground, in [0, 1].

    Returns:
        One row for each photograph with at least `LEAST_BACKGROUND` of background, in order. Rounding of
        float16 vectors is enlarged by ``1 / (1 - share)``.

    Raises:
        ShapeError: the shapes differ.
        InputError: a share outside [0, 1], NaN or infinite values.
    """
    if foreground.shape != means.shape or share.shape != (len(means),):
        raise ShapeError("foreground and share", expected=f"n dim = {means.shape}", actual=foreground.shape)
    if not ((share >= 0) & (share <= 1)).all():
        raise InputError("shares of foreground must lie in [0, 1]")
    kept = 1.0 - share >= LEAST_BACKGROUND
    part = share[kept, None].astype(np.float64)
    left = means[kept].astype(np.float64) - np.where(part > 0, part * foreground[kept], 0.0)
    if not np.isfinite(left).all():
        raise InputError("the vectors hold NaN or infinite values")
    return np.asarray(left / (1.0 - part))
