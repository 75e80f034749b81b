"""Random fields and colours: what every texture is made of.

All arithmetic is float64 and elementwise (or an FFT), so that a difference in the last place
between processors stays far below what rounding to 8 bits can show.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int
from scipy import fft, ndimage

Field = Float[np.ndarray, "H W"]
Colours = Float[np.ndarray, "H W 3"]


def _frequencies(shape: tuple[int, int], angle: float, stretch: float) -> np.ndarray:
    fy = fft.fftfreq(shape[0])[:, None]
    fx = fft.rfftfreq(shape[1])[None, :]
    along = np.cos(angle) * fx + np.sin(angle) * fy
    across = np.cos(angle) * fy - np.sin(angle) * fx
    return np.hypot(along * stretch, across)


def _filtered(rng: np.random.Generator, shape: tuple[int, int], gain: np.ndarray) -> Field:
    spectrum = fft.rfft2(rng.standard_normal(shape), workers=1) * gain
    spectrum[0, 0] = 0.0
    values = fft.irfft2(spectrum, s=shape, workers=1)
    return values / max(float(values.std()), 1e-12)


def cloudy(
    rng: np.random.Generator,
    shape: tuple[int, int],
    slope: float = 1.0,
    *,
    angle: float = 0.0,
    stretch: float = 1.0,
    smallest: float = 0.0,
) -> Field:
    """Periodic noise with amplitude 1/f^slope, mean 0, standard deviation 1.

    Natural photographs have a slope near 1. Source: Field, "Relations between the statistics of
    natural images and the response properties of cortical cells", 1987, section 4.

    Args:
        angle: radians; structures are elongated along it.
        stretch: how many times longer along ``angle`` than across.
        smallest: texels; finer detail is taken out by a Gaussian of this standard deviation.
    """
    f = _frequencies(shape, angle, stretch)
    f[0, 0] = 1.0
    gain = f**-slope
    if smallest:
        gain = gain * np.exp(-2.0 * (np.pi * smallest * f) ** 2)
    return _filtered(rng, shape, gain)


def blobs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    period: float,
    *,
    width: float = 0.35,
    angle: float = 0.0,
    stretch: float = 1.0,
) -> Field:
    """Periodic noise of one scale: log-Gaussian band around ``period`` texels; mean 0, deviation 1.

    Args:
        width: of the band, standard deviation in log frequency.
        angle, stretch: as in `cloudy`.
    """
    f = _frequencies(shape, angle, stretch)
    f[0, 0] = 1.0
    return _filtered(rng, shape, np.exp(-0.5 * (np.log(f * period) / width) ** 2))


def stones(rng: np.random.Generator, shape: tuple[int, int], n: int) -> tuple[Int[np.ndarray, "H W"], Field]:
    """A periodic Voronoi mosaic of n seeds: each texel's cell (0 to n - 1) and its distance to the
    nearest border, in texels.
    """
    h, w = shape
    pad = min(h, w, max(8, int(3 * np.sqrt(h * w / n))))
    at = np.stack([rng.integers(0, h, n), rng.integers(0, w, n)])
    seeds = np.full(shape, -1)
    seeds[at[0], at[1]] = np.arange(n)
    wide = np.pad(seeds, pad, mode="wrap")
    near = ndimage.distance_transform_edt(wide < 0, return_distances=False, return_indices=True)
    cell = wide[near[0], near[1]]
    edge = np.zeros(wide.shape, dtype=bool)
    edge[:, 1:] |= cell[:, 1:] != cell[:, :-1]
    edge[1:] |= cell[1:] != cell[:-1]
    border = ndimage.distance_transform_edt(~edge)
    inside = (slice(pad, pad + h), slice(pad, pad + w))
    return cell[inside], border[inside]


def step(
    values: Float[np.ndarray, "*shape"], low: float | np.ndarray, high: float | np.ndarray
) -> Float[np.ndarray, "*shape"]:
    """Smooth step: 0 up to ``low``, 1 from ``high``."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def rgb(code: str) -> Float[np.ndarray, "3"]:
    """An sRGB colour from six hexadecimal digits, each channel in [0, 1]."""
    return np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0


def ramp(values: Field, *codes: str) -> Colours:
    """Colours along a ramp: 0 is the first code, 1 the last, evenly spaced and linear between."""
    stops = np.stack([rgb(code) for code in codes])
    places = np.linspace(0.0, 1.0, len(codes))
    return np.stack([np.interp(values, places, stops[:, channel]) for channel in range(3)], axis=-1)


def mix(first: np.ndarray, second: np.ndarray, share: Field) -> Colours:
    """``first`` where ``share`` is 0, ``second`` where it is 1."""
    return first + (second - first) * share[..., None]


def sample(texels: np.ndarray, x: np.ndarray, y: np.ndarray, *, wrap: bool = True) -> np.ndarray:
    """Bilinear lookup at texel places (0 is the first texel's centre); channels last.

    Args:
        wrap: continue periodically; otherwise with the border's texels.
    """
    places, mode = (y, x), "grid-wrap" if wrap else "nearest"
    if texels.ndim == 2:
        return ndimage.map_coordinates(texels, places, order=1, mode=mode, prefilter=False)
    found = np.empty((*x.shape, texels.shape[2]))
    for channel in range(texels.shape[2]):
        ndimage.map_coordinates(
            texels[..., channel], places, found[..., channel], order=1, mode=mode, prefilter=False
        )
    return found


def to_linear(colours: np.ndarray) -> np.ndarray:
    """sRGB-encoded to linear light, both in [0, 1]. Source: IEC 61966-2-1."""
    return np.where(colours <= 0.04045, colours / 12.92, ((np.maximum(colours, 0) + 0.055) / 1.055) ** 2.4)


def to_srgb(light: np.ndarray) -> np.ndarray:
    """Linear light to sRGB-encoded, both in [0, 1]. Source: IEC 61966-2-1."""
    return np.where(
        light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    )
