"""A map prepared once says the same to every measure as the map itself."""

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.patches import PatchMap, as_directions, as_map, as_rows, prepared, unit
from dinoscope.maths.spectrum import effective_rank, rank_of, singular_values
from dinoscope.metrics import registry
from dinoscope.metrics.facts import CurveOf, OfPhotograph
from dinoscope.metrics.registry import CURVES
from dinoscope.metrics.subject import Regions, Seen, Subject

RNG = np.random.default_rng(0)
FEATURES = PatchFeatures.from_array(RNG.normal(size=(9, 12, 7)) + 0.4, image_size=(240, 120))
PHOTOGRAPH = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)
TOKEN = RNG.normal(size=7)
OTHER = RNG.normal(size=(9, 12, 5))
REGIONS = PatchLabels(RNG.integers(0, 3, (9, 12)), np.ones((9, 12)))

SEEN = Seen((9, 12), PHOTOGRAPH, Regions(REGIONS, REGIONS, ((0.1, 0.1, 0.6, 0.7),)))
BASIS = np.linalg.qr(RNG.normal(size=(7, 2)))[0].T


def subject(features: PatchMap) -> Subject:
    return Subject(features, SEEN, TOKEN, OTHER, BASIS)


@pytest.mark.parametrize("family", registry.PHOTOGRAPH, ids=lambda family: family.metrics[0].key)
def test_every_measure_says_the_same(family: OfPhotograph) -> None:
    found = family.measure(subject(FEATURES))
    assert set(found) == {metric.key for metric in family.metrics}
    assert np.isfinite(list(found.values())).all()
    assert family.measure(subject(prepared(FEATURES))) == found


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_every_curve_says_the_same(curve: CurveOf) -> None:
    np.testing.assert_array_equal(
        curve.measure(subject(prepared(FEATURES))), curve.measure(subject(FEATURES))
    )


def test_it_holds_what_is_asked_for() -> None:
    known = prepared(FEATURES)
    assert known.aspect == 2.0 and prepared(np.array(FEATURES.values)).aspect is None
    np.testing.assert_array_equal(as_map(known), FEATURES.values)
    np.testing.assert_array_equal(as_rows(known), as_rows(FEATURES))
    np.testing.assert_array_equal(as_directions(known), unit(as_map(FEATURES)))


def test_parts_taken_once_are_the_whole() -> None:
    sigma = singular_values(as_rows(FEATURES))
    assert rank_of(sigma) == effective_rank(FEATURES)
