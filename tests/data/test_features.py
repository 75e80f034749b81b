from __future__ import annotations

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.data.spec import check_layers, evenly, last
from dinoscope.errors import InputError, LayerError, ShapeError


def test_foreign_features_are_copied_and_read_only() -> None:
    array = np.ones((2, 3, 4))
    features = PatchFeatures.from_array(array, image_size=(30, 20), name="theirs")
    array[:] = 5
    assert features.values.dtype == np.float32
    assert (features.values == 1).all()
    assert features.grid.shape == (2, 3)
    assert features.provenance.backbone == "theirs"
    with pytest.raises(ValueError, match="read-only"):
        features.values[0, 0, 0] = 2.0


def test_foreign_features_must_be_finite_and_shaped() -> None:
    bad = np.ones((2, 3, 4))
    bad[1, 2, 0] = np.nan
    with pytest.raises(InputError, match=r"theirs.*1 of 6"):
        PatchFeatures.from_array(bad, image_size=(30, 20), name="theirs")
    with pytest.raises(ShapeError):
        PatchFeatures.from_array(np.ones((0, 3, 4)), image_size=(30, 20))


def test_a_map_must_fit_its_grid() -> None:
    with pytest.raises(ShapeError):
        PatchFeatures(np.ones((2, 3, 4), np.float32), PatchGrid(3, 2, 16, (20, 30)), Provenance("a", "", "b"))


def test_cosines_agree_with_float64_and_zero_has_none() -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((4, 5, 7)).astype(np.float32)
    values[2, 2] = 0
    features = PatchFeatures.from_array(values, image_size=(50, 40))
    query = values[1, 3]
    expected = [
        [
            float(np.dot(v.astype(float), query.astype(float)) / (np.linalg.norm(v) * np.linalg.norm(query)))
            if v.any()
            else 0.0
            for v in row
        ]
        for row in values
    ]
    cosines = features.cosine_to(query)
    np.testing.assert_allclose(cosines, expected, atol=1e-6)
    assert cosines[1, 3] == 1.0
    with pytest.raises(ShapeError):
        features.cosine_to(np.ones(3, np.float32))


def test_layers_are_absolute_and_named_once() -> None:
    assert last(1, 12) == (11,)
    assert evenly(2, 4) == (1, 3)
    assert check_layers(None, 12) == (11,)
    assert check_layers((3, 0), 12) == (3, 0)
    with pytest.raises(LayerError, match="0 to 11"):
        check_layers((12,), 12)
    with pytest.raises(LayerError):
        check_layers((-1,), 12)
    with pytest.raises(InputError):
        check_layers((1, 1), 12)
    with pytest.raises(InputError):
        last(13, 12)
