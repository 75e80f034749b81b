from __future__ import annotations

import numpy as np
import pytest

from dinoscope.errors import InputError
from dinoscope.maths.channels import channels_of, standardised

RNG = np.random.default_rng(4)
MAPS = [RNG.standard_normal((h, w, 6)) @ RNG.standard_normal((6, 6)) + 3 for h, w in ((5, 7), (2, 3), (9, 4))]


def _rows(maps: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([one.reshape(-1, one.shape[-1]) for one in maps])


def test_channels_are_those_of_all_patches_together() -> None:
    mean, deviation = channels_of(MAPS)
    np.testing.assert_allclose(mean, _rows(MAPS).mean(axis=0))
    np.testing.assert_allclose(deviation, _rows(MAPS).std(axis=0))
    far = [one + 1e6 for one in MAPS]
    np.testing.assert_allclose(channels_of(far).deviation, deviation, rtol=1e-6)


def test_standardised_channels_have_mean_0_and_variance_1_over_all() -> None:
    channels = channels_of(MAPS)
    rows = _rows([standardised(one, channels) for one in MAPS])
    np.testing.assert_allclose(rows.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((rows**2).mean(axis=0), 1)


def test_scale_and_offset_of_a_channel_do_not_matter_and_its_sign_does() -> None:
    scale, offset = RNG.uniform(0.01, 100, 6), RNG.uniform(-50, 50, 6)
    plain, channels = (
        standardised(MAPS[0], channels_of(MAPS)),
        channels_of([m * scale + offset for m in MAPS]),
    )
    np.testing.assert_allclose(standardised(MAPS[0] * scale + offset, channels), plain, atol=1e-9)
    turned = standardised(-MAPS[0], channels_of([-m for m in MAPS]))
    np.testing.assert_allclose(turned, -plain, atol=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e8, 1e-30])
def test_a_constant_channel_becomes_0(value: float) -> None:
    held = [one.astype(np.float32) for one in MAPS]
    for one in held:
        one[..., 2] = value
    found = standardised(held[0], channels_of(held))
    assert (found[..., 2] == 0).all()
    np.testing.assert_allclose(found[..., 3], standardised(MAPS[0], channels_of(MAPS))[..., 3], atol=1e-5)


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(InputError):
        channels_of([np.full((2, 2, 3), np.nan)])
    with pytest.raises(InputError, match="no maps"):
        channels_of([])
