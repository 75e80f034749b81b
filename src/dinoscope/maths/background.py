"""What is the background of a photograph, from the vectors that a table keeps of it?"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from dinoscope.errors import InputError, ShapeError

LEAST_BACKGROUND = 1e-3
"""Share of a photograph below which its background's mean cannot be told from float16 rounding."""


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
