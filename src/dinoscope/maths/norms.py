"""Which patches are far too long? Norms, and the tokens that stand out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from dinoscope.errors import InputError
from dinoscope.maths.patches import PatchMap, as_map

DEVIATIONS = 6.0
"""How many robust standard deviations above the median a norm must lie to stand out. A convention."""

MAD_TO_DEVIATION = 1.4826
"""The median absolute deviation times this estimates a Gaussian's standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class NormOutliers:
    """The patches of one model whose norm stands out, over all photographs given.

    Attributes:
        masks: true where the norm is above the threshold, one map for each photograph.
        threshold: ``median + deviations * 1.4826 * MAD`` of the norms of all patches.
        share: of patches above it, in [0, 1].
        ratio: mean norm of the outliers over the median norm; NaN without outliers.
    """

    masks: tuple[Bool[np.ndarray, "_ _"], ...]
    threshold: float
    share: float
    ratio: float


def norm_map(features: PatchMap) -> Float64[np.ndarray, "h w"]:
    """Length of every patch, in the features' own unit. After a final norm it says little."""
    return np.linalg.norm(as_map(features), axis=2)


def norm_outliers(features: Sequence[PatchMap], *, deviations: float = DEVIATIONS) -> NormOutliers:
    """Patches whose norm is far above the median of their own model.

    Source: "Vision Transformers Need Registers" (arXiv 2309.16588, section 2) cuts the norm *before*
    the final norm at 150 for one model and calls the value hand-picked; here each model gets its own
    threshold, by the median and the median absolute deviation (Leys et al., 2013).

    Args:
        features: maps of one model, without the final norm where outliers are to be found.
        deviations: robust standard deviations above the median. Above 0.

    Returns:
        Where at least half of all norms are equal the deviation is 0, and anything longer stands out.

    Raises:
        InputError: no maps, NaN or infinite values, or ``deviations`` not above 0.
    """
    if not features:
        raise InputError("norm outliers need at least one feature map")
    if not deviations > 0:
        raise InputError(f"deviations must be above 0, got {deviations}")
    maps = [norm_map(f) for f in features]
    norms = np.concatenate([m.ravel() for m in maps])
    middle = float(np.median(norms))
    threshold = middle + deviations * MAD_TO_DEVIATION * float(np.median(np.abs(norms - middle)))
    above = norms[norms > threshold]
    ratio = float(above.mean()) / middle if len(above) and middle > 0 else float("nan")
    return NormOutliers(tuple(m > threshold for m in maps), threshold, len(above) / len(norms), ratio)
