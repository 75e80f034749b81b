"""A map prepared once says the same to every measure as the map itself."""

from collections.abc import Callable

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.maths.boundary import boundary_auc, coherence_auc, foreground_auc
from dinoscope.maths.discovery import lost, tokencut
from dinoscope.maths.distance import cls_patch_cosine, cosine_by_distance
from dinoscope.maths.frequency import high_frequency_share, map_energy, radial_spectrum, rings, share_above
from dinoscope.maths.masks import PatchLabels
from dinoscope.maths.patches import PatchMap, as_directions, as_map, as_rows, prepared, unit
from dinoscope.maths.proxies import (
    colour_pairs,
    edge_strength,
    proxy_coherence,
    proxy_sharpness,
    sharpness_against,
)
from dinoscope.maths.smoothness import smoothness
from dinoscope.maths.spectrum import effective_rank, rank_of, shares_of, singular_values, spectrum_shares

RNG = np.random.default_rng(0)
FEATURES = PatchFeatures.from_array(RNG.normal(size=(9, 12, 7)) + 0.4, image_size=(240, 120))
PHOTOGRAPH = RNG.integers(0, 256, (90, 120, 3), dtype=np.uint8)
TOKEN = RNG.normal(size=7)
REGIONS = PatchLabels(RNG.integers(0, 3, (9, 12)), np.ones((9, 12)))

MEASURES: dict[str, Callable[[PatchMap], object]] = {
    "smoothness": smoothness,
    "cosine_by_distance": lambda f: cosine_by_distance(f).cosine,
    "cls_patch_cosine": lambda f: cls_patch_cosine(f, TOKEN),
    "effective_rank": effective_rank,
    "spectrum_shares": spectrum_shares,
    "high_frequency_share": high_frequency_share,
    "radial_spectrum": lambda f: radial_spectrum(f).density,
    "boundary_auc": lambda f: boundary_auc(f, REGIONS),
    "coherence_auc": lambda f: coherence_auc(f, REGIONS),
    "foreground_auc": lambda f: foreground_auc(f, REGIONS.labels > 0),
    "proxy_sharpness": lambda f: proxy_sharpness(f, PHOTOGRAPH),
    "proxy_coherence": lambda f: proxy_coherence(f, PHOTOGRAPH),
    "tokencut": lambda f: tokencut(f).mask,
    "lost": lambda f: lost(f).mask,
}


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_says_the_same(name: str) -> None:
    measure = MEASURES[name]
    np.testing.assert_equal(measure(prepared(FEATURES)), measure(FEATURES))


def test_it_holds_what_is_asked_for() -> None:
    known = prepared(FEATURES)
    assert known.aspect == 2.0 and prepared(np.array(FEATURES.values)).aspect is None
    np.testing.assert_array_equal(as_map(known), FEATURES.values)
    np.testing.assert_array_equal(as_rows(known), as_rows(FEATURES))
    np.testing.assert_array_equal(as_directions(known), unit(as_map(FEATURES)))


def test_parts_taken_once_are_the_whole() -> None:
    energy, sigma = map_energy(FEATURES), singular_values(as_rows(FEATURES))
    assert share_above(energy) == high_frequency_share(FEATURES)
    assert rings(energy).slope == radial_spectrum(FEATURES).slope
    assert rank_of(sigma) == effective_rank(FEATURES)
    np.testing.assert_array_equal(shares_of(sigma), spectrum_shares(FEATURES, centre=False))
    assert sharpness_against(FEATURES, edge_strength(PHOTOGRAPH, (9, 12))) == proxy_sharpness(
        FEATURES, PHOTOGRAPH
    )
    pairs = colour_pairs(PHOTOGRAPH, (9, 12))
    found = proxy_coherence(FEATURES, PHOTOGRAPH)
    assert (found.n_positive, found.n_negative) == (len(pairs.alike), len(pairs.unlike))
