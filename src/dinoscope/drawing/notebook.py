"""Maps drawn where a notebook shows a value."""

from __future__ import annotations

import io
import sys
from typing import Any

import numpy as np
from PIL import Image

from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import SimilarityMap

LONG_SIDE_PX = 448
"""Longest side of a map in a notebook: each patch is a square of whole pixels, as many as fit."""


def register() -> None:
    """Have IPython draw features and similarity maps; nothing where it does not run."""
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if shell is None or not hasattr(shell, "display_formatter"):
        return
    png = shell.display_formatter.formatters["image/png"]
    png.for_type(PatchFeatures, features_png)
    png.for_type(SimilarityMap, similarity_png)


def features_png(features: PatchFeatures) -> bytes | None:
    """A map's first three principal components as red, green and blue, fitted on it alone.

    None for maps of fewer than three channels or of a single patch.
    """
    from dinoscope.maths.pca import fit_pca, to_rgb

    if features.dim < 3 or features.grid.n < 2:
        return None
    basis = fit_pca(features)
    return _png(to_rgb(basis.project(features), limits=basis.limits))


def similarity_png(similarity: SimilarityMap) -> bytes:
    """Cosines on the fixed scale of every figure."""
    from dinoscope.drawing.style import cosine_colours

    colours, scale = cosine_colours()
    return _png(colours(scale(similarity.values))[..., :3])


def _png(colours: np.ndarray) -> bytes:
    patch_px = max(1, LONG_SIDE_PX // max(colours.shape[:2]))
    pixels = np.round(255 * colours).astype(np.uint8).repeat(patch_px, axis=0).repeat(patch_px, axis=1)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format="png")
    return out.getvalue()
