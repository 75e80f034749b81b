"""A map prepared once says the same to every measure as the map itself."""

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.maths import patches
from dinoscope.maths.agreement import gram_correlation, linear_cka
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.patches import PatchMap, as_directions, as_map, as_rows, prepared, unit
from dinoscope.maths.spectrum import effective_rank, rank_of, singular_values, singular_values_both
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
    assert family.measure(subject(prepared(FEATURES))) == pytest.approx(found, rel=1e-12)
    rough = prepared(FEATURES, rough=True)
    assert family.measure(subject(rough)) == pytest.approx(found, rel=1e-12)  # so few pairs count exactly


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_every_curve_says_the_same(curve: CurveOf) -> None:
    np.testing.assert_allclose(
        curve.measure(subject(prepared(FEATURES))), curve.measure(subject(FEATURES)), rtol=0, atol=1e-13
    )


def test_it_holds_what_is_asked_for() -> None:
    known = prepared(FEATURES)
    assert known.aspect == 2.0 and prepared(np.array(FEATURES.values)).aspect is None
    np.testing.assert_array_equal(as_map(known), FEATURES.values)
    np.testing.assert_array_equal(as_rows(known), as_rows(FEATURES))
    np.testing.assert_array_equal(as_directions(known), unit(as_map(FEATURES)))


@pytest.mark.parametrize(("size", "apart"), [((9, 12), 1.0), ((5, 5), 1e-3), ((9, 12), 1e-8), ((9, 12), 0.0)])
def test_known_cosines_say_what_the_matrices_say(size: tuple[int, int], apart: float) -> None:
    f = RNG.normal(size=(*size, 4)) + 0.5
    g = f + apart * RNG.normal(size=f.shape)
    quick, slow = (prepared(f), prepared(g)), (f, g)
    exact = [np.einsum("id,jd->ij", *(unit(x.reshape(-1, 4)),) * 2) for x in slow]
    off = ~np.eye(len(exact[0]), dtype=bool)
    assert gram_distance(*quick) == pytest.approx(gram_distance(*slow), rel=1e-9, abs=1e-30)
    assert gram_distance(*quick) == pytest.approx(((exact[0] - exact[1]) ** 2).mean(), rel=1e-6, abs=1e-28)
    want = np.corrcoef(exact[0][off], exact[1][off])[0, 1]
    assert gram_correlation(*quick) == pytest.approx(want, abs=1e-9)
    np.testing.assert_allclose(np.triu(exact[0]), quick[0].cosines, atol=1e-15)


def test_cosines_that_hardly_differ_are_correlated_without_loss() -> None:
    f, g = (RNG.normal(size=(6, 7, 5)) * 1e-5 + 1.0 for _ in range(2))
    assert gram_correlation(prepared(f), prepared(g)) == gram_correlation(f, g)


def test_what_is_taken_around_the_mean_once_is_what_each_takes() -> None:
    f = PatchFeatures.from_array(RNG.normal(size=(9, 12, 7)) + 3.0, image_size=(240, 120))
    assert linear_cka(prepared(f), prepared(OTHER)) == pytest.approx(linear_cka(f, OTHER), abs=1e-14)
    assert linear_cka(prepared(f), OTHER) == pytest.approx(linear_cka(f, OTHER), abs=1e-14)
    for known, raw in zip(singular_values_both(prepared(f)), singular_values_both(f), strict=True):
        np.testing.assert_allclose(known, raw, rtol=1e-12)


def test_many_patches_hold_no_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "MATRIX_ROWS", 107)
    assert prepared(FEATURES).cosines is None
    for measure in (gram_distance, gram_correlation):
        assert measure(prepared(FEATURES), prepared(OTHER)) == measure(FEATURES.values, OTHER)
    curve = CURVES["distance"].measure
    np.testing.assert_array_equal(curve(subject(prepared(FEATURES))), curve(subject(FEATURES)))


def test_parts_taken_once_are_the_whole() -> None:
    sigma = singular_values(as_rows(FEATURES))
    assert rank_of(sigma) == effective_rank(FEATURES)
