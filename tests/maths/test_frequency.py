import cmath
import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from dinoscope.errors import InputError
from dinoscope.maths.frequency import map_energy, rings, share_above, total_variation


def high_frequency_share(features, *, above=4.0, normalise=False):
    return share_above(map_energy(features, normalise=normalise), above)


def radial_spectrum(features):
    return rings(map_energy(features))


def noise(h=16, w=16, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(h, w, dim))


def wave(cycles_y, cycles_x, h=16, w=16):
    y, x = np.mgrid[:h, :w]
    return np.cos(2 * np.pi * (cycles_y * y / h + cycles_x * x / w))[..., None]


def share_by_hand(f, above):
    """The transform written out as sums."""
    h, w, dim = f.shape
    high = total = 0.0
    for u in range(h):
        for v in range(w):
            ky, kx = (u if u <= h / 2 else u - h), (v if v <= w / 2 else v - w)
            if (ky, kx) == (0, 0):
                continue
            waves = np.array(
                [[cmath.exp(-2j * cmath.pi * (u * y / h + v * x / w)) for x in range(w)] for y in range(h)]
            )
            energy = sum(abs((f[..., c] * waves).sum()) ** 2 for c in range(dim))
            total += energy
            high += energy * (math.hypot(ky, kx) > above)
    return high / total


def test_it_is_the_share_of_the_fourier_energy():
    f = noise(6, 7, 2) + 3
    for above in (0.0, 1.5, 2.9):
        assert high_frequency_share(f, above=above) == pytest.approx(share_by_hand(f, above), rel=1e-10)


@pytest.mark.parametrize(("cycles", "share"), [((0, 3), 0.0), ((4, 0), 0.0), ((3, 3), 1.0), ((0, 5), 1.0)])
def test_one_wave_lies_on_its_side_of_the_cutoff(cycles, share):
    assert high_frequency_share(wave(*cycles), above=4.0) == pytest.approx(share, abs=1e-12)


def test_the_cutoff_means_the_same_detail_on_every_grid():
    for size in (16, 24, 32):
        f = 2 * wave(0, 3, size, size) + wave(6, 0, size, size)
        assert high_frequency_share(f, above=4.0) == pytest.approx(0.2, abs=1e-12)


def test_blur_lowers_it_and_shuffling_raises_it():
    smooth = gaussian_filter(noise(), (2, 2, 0), mode="wrap")
    shares = [high_frequency_share(gaussian_filter(noise(), (s, s, 0), mode="wrap")) for s in (0, 0.7, 1.5)]
    assert shares == sorted(shares, reverse=True)
    shuffled = np.random.default_rng(1).permutation(smooth.reshape(256, 4)).reshape(smooth.shape)
    assert high_frequency_share(shuffled) > high_frequency_share(smooth) + 0.4
    assert total_variation(shuffled) > total_variation(smooth)


def test_rotation_scale_shift_and_wrapping_change_nothing():
    f = noise()
    q = np.linalg.qr(np.random.default_rng(2).normal(size=(4, 4)))[0]
    base = high_frequency_share(f)
    assert high_frequency_share(np.roll(f @ q * 9 + 100, (3, 5), axis=(0, 1))) == pytest.approx(
        base, rel=1e-9
    )
    assert total_variation(f @ q * 9) == pytest.approx(total_variation(f), rel=1e-12)
    scaled = f * np.random.default_rng(3).uniform(1, 5, (16, 16, 1))
    assert high_frequency_share(scaled, normalise=True) == pytest.approx(
        high_frequency_share(f, normalise=True), rel=1e-12
    )


def test_rings_hold_the_waves_planted_in_them():
    got = radial_spectrum(2 * wave(0, 3) + wave(5, 0) + 7)
    assert got.share.sum() == pytest.approx(1.0)
    assert got.share[2] == pytest.approx(0.8) and got.share[4] == pytest.approx(0.2)
    rng = np.rint(np.hypot(*np.meshgrid(np.fft.fftfreq(16) * 16, np.fft.fftfreq(16) * 16)))
    np.testing.assert_allclose(got.density[2], 0.8 / (rng == 3).sum())


def test_the_slope_tells_white_noise_from_smooth_maps():
    white = radial_spectrum(noise(64, 64, 16)).slope
    assert abs(white) < 0.1
    k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.fftfreq(64)[None]) * 64
    k[0, 0] = 1
    pink = np.fft.ifft2(np.fft.fft2(noise(64, 64, 16), axes=(0, 1)) / k[..., None], axes=(0, 1)).real
    assert radial_spectrum(pink).slope == pytest.approx(-2.0, abs=0.15)


def test_total_variation_by_hand():
    f = noise(3, 4)
    x = f / np.linalg.norm(f, axis=2, keepdims=True)
    steps = [np.linalg.norm(x[i, j] - x[i + 1, j]) for i in range(2) for j in range(4)]
    steps += [np.linalg.norm(x[i, j] - x[i, j + 1]) for i in range(3) for j in range(3)]
    assert total_variation(f) == pytest.approx(np.mean(steps))
    assert total_variation(np.ones((3, 3, 2))) == 0.0


def test_undefined_is_nan():
    flat = np.full((5, 5, 3), 0.1)
    assert math.isnan(high_frequency_share(flat))
    assert np.isnan(radial_spectrum(flat).share).all() and math.isnan(radial_spectrum(flat).slope)
    one = np.ones((1, 1, 3))
    assert math.isnan(high_frequency_share(one)) and math.isnan(total_variation(one))
    assert math.isnan(radial_spectrum(one).slope)


def test_bad_input_is_named():
    f = noise()
    with pytest.raises(InputError, match="cutoff"):
        high_frequency_share(f, above=-1.0)
    f[0, 0, 0] = np.nan
    for measure in (high_frequency_share, radial_spectrum, total_variation):
        with pytest.raises(InputError, match="NaN or infinite"):
            measure(f)
