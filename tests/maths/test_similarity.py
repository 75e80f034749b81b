from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, ProvenanceMismatchError, ShapeError
from dinoscope.maths.similarity import similarity_map


def features(h: int, w: int, seed: int, dim: int = 6) -> PatchFeatures:
    values = np.random.default_rng(seed).standard_normal((h, w, dim))
    return PatchFeatures.from_array(values, image_size=(w * 10, h * 10))


def test_the_reference_is_the_patch_under_the_place() -> None:
    f, g = features(4, 5, 0), features(3, 7, 1)
    result = similarity_map(f, at=(0.5, 0.3), within=g)
    assert result.patch == (1, 2)
    assert result.values.shape == g.grid.shape
    query = f.values[1, 2].astype(float)
    expected = [
        [v @ query / (np.linalg.norm(v) * np.linalg.norm(query)) for v in row]
        for row in g.values.astype(float)
    ]
    np.testing.assert_allclose(result.values, expected, atol=1e-6)


def test_within_itself_the_reference_is_one_and_similarity_is_mutual() -> None:
    f = features(4, 5, 0)
    a = similarity_map(f, at=f.grid.centre(1, 2))
    b = similarity_map(f, at=f.grid.centre(3, 4))
    assert a.values[1, 2] == pytest.approx(1.0)
    assert a.values[3, 4] == pytest.approx(b.values[1, 2])


def test_other_channels_or_places_are_refused() -> None:
    with pytest.raises(ShapeError):
        similarity_map(features(2, 2, 0), at=(0.5, 0.5), within=features(2, 2, 0, dim=5))
    with pytest.raises(InputError):
        similarity_map(features(2, 2, 0), at=(0.5, 1.5))


def test_patches_of_different_weights_are_not_compared_where_both_are_known() -> None:
    f, g = features(2, 2, 0), features(2, 2, 1)
    one, other = (replace(g, provenance=replace(g.provenance, weights_digest=digest)) for digest in "ab")
    with pytest.raises(ProvenanceMismatchError, match="patches of different models"):
        similarity_map(one, at=(0.5, 0.5), within=other)
    for known, within in ((one, f), (f, one), (one, one)):
        assert similarity_map(known, at=(0.5, 0.5), within=within).values.shape == (2, 2)
