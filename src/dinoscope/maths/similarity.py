"""How alike is one patch to every other?"""

from __future__ import annotations

from dinoscope.data.features import PatchFeatures, check_alike
from dinoscope.data.grid import place
from dinoscope.data.kinds import check_features
from dinoscope.data.maps import SimilarityMap
from dinoscope.errors import ShapeError


def similarity_map(
    features: PatchFeatures, at: tuple[float, float], within: PatchFeatures | None = None
) -> SimilarityMap:
    """Cosines of the patch of ``features`` at a place with every patch of ``within``.

    Source: DINOv3 (arXiv 2508.10104), Figure 3.

    Args:
        features: holds the reference patch.
        at: the place ``(x, y)`` in ``[0, 1]²`` of the upright photograph.
        within: the photograph to look in, by the same backbone; None for ``features`` itself.

    Returns:
        Cosines in [-1, 1], never stretched; 0 for a patch without length.

    Raises:
        InputError: a place outside the photograph.
        ShapeError: the two have different channels.
        ProvenanceMismatchError: they are of different weights or layers, and both say which.
    """
    target = features if within is None else within
    check_features(features, target)
    if target.dim != features.dim:
        raise ShapeError("within", expected=f"h w dim={features.dim}", actual=target.values.shape)
    if features.provenance.weights_digest and target.provenance.weights_digest:
        check_alike(features.provenance, target.provenance)
    at = place(at)
    patch = features.grid.patch_at(*at)
    return SimilarityMap(
        values=target.cosine_to(features.values[patch]), at=at, patch=patch, grid=target.grid
    )
