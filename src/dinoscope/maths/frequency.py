"""How fine is the detail of a feature map? Energy by frequency, and total variation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.fft import rfft2

from dinoscope.errors import InputError
from dinoscope.maths.patches import PatchMap, as_centred, as_directions, as_map, centred, square_scale

CUTOFF = 4.0
"""Default radial frequency above which detail counts as fine, in cycles per image side."""


@dataclass(frozen=True, slots=True, eq=False)
class RadialSpectrum:
    """Energy of a feature map by radial frequency, without its mean.

    Attributes:
        frequency: 1, 2, 3, … cycles per image side: the centres of rings one cycle wide.
        share: of the whole energy but the mean's, in each ring; sums to 1.
        density: share over the number of frequencies in the ring; NaN for an empty ring.
        slope: of log density against log frequency, by least squares over the rings with energy
            inside the largest full circle; about 0 for white noise, below 0 for smooth maps; NaN
            with fewer than two such rings.
    """

    frequency: Float64[np.ndarray, " rings"]
    share: Float64[np.ndarray, " rings"]
    density: Float64[np.ndarray, " rings"]
    slope: float


@dataclass(frozen=True, slots=True, eq=False)
class MapEnergy:
    """Energy of a map at every frequency.

    Attributes:
        energy: over all channels at each frequency, none at the mean's.
        radius: the radial frequency, in cycles per image side.
    """

    energy: Float64[np.ndarray, "h w"]
    radius: Float64[np.ndarray, "h w"]


def share_above(found: MapEnergy, above: float = CUTOFF) -> float:
    """Share of the energy at radial frequencies above a cutoff, the mean patch left out.

    The cutoff is in cycles per image side, so grids of different pitch are cut at the same detail of
    the photograph; the finer grid still holds frequencies that the coarser one cannot. Both axes count
    in cycles over their own side. No window is used: opposite borders that differ add high frequencies.
    Source: Parseval's theorem on the discrete Fourier transform of every channel.

    Returns:
        In [0, 1]; NaN for a constant map.

    Raises:
        InputError: a negative cutoff.
    """
    if not above >= 0:
        raise InputError(f"the cutoff must not be negative, got {above}")
    total = found.energy.sum()
    return float(found.energy[found.radius > above].sum() / total) if total > 0 else float("nan")


def rings(found: MapEnergy) -> RadialSpectrum:
    """Energy in rings of radial frequency, one cycle per image side wide. NaN for a constant map."""
    energy, radius = found.energy, found.radius
    h, w = energy.shape
    ring = np.rint(radius).astype(np.int64).ravel()
    n = max(int(ring.max()), 1)
    counts = np.bincount(ring, minlength=n + 1)[1:].astype(np.float64)
    total = energy.sum()
    sums = np.bincount(ring, energy.ravel(), n + 1)[1:]
    share = sums / total if total > 0 else np.full(n, np.nan)
    density = np.divide(share, counts, out=np.full(n, np.nan), where=counts > 0)
    frequency = np.arange(1.0, n + 1)
    use = (frequency <= min(h, w) // 2) & (density > 0)
    slope = (
        float(np.polyfit(np.log(frequency[use]), np.log(density[use]), 1)[0])
        if use.sum() >= 2
        else float("nan")
    )
    return RadialSpectrum(frequency, share, density, slope)


def total_variation(features: PatchMap) -> float:
    """Mean distance of neighbouring unit patches, over the unique 4-neighbour edges.

    Returns:
        In [0, 2]; NaN for a one-patch grid.

    Raises:
        InputError: NaN or infinite values.
    """
    x = as_directions(features)
    steps = [
        np.linalg.norm(x[1:] - x[:-1], axis=2).ravel(),
        np.linalg.norm(x[:, 1:] - x[:, :-1], axis=2).ravel(),
    ]
    lengths = np.concatenate(steps)
    return float(lengths.mean()) if len(lengths) else float("nan")


def map_energy(features: PatchMap, *, normalise: bool = False) -> MapEnergy:
    """Energy of a map by frequency, of its patches as they are or of unit length; raises as `as_map`."""
    h, w, dim = as_map(features).shape
    flat = centred(as_directions(features).reshape(-1, dim)) if normalise else as_centred(features)
    scale = square_scale(flat)
    channels = np.ascontiguousarray((flat if scale in (0, 1) else flat / scale).T).reshape(dim, h, w)
    waves = rfft2(channels)
    half = np.einsum("krc,krc->rc", waves.real, waves.real) + np.einsum("krc,krc->rc", waves.imag, waves.imag)
    known = half.shape[1]
    # A real map's energy at (-r, -c) is that at (r, c).
    mirrored = half[-np.arange(h) % h][:, w - np.arange(known, w)]
    radius = np.hypot(np.fft.fftfreq(h, 1 / h)[:, None], np.fft.fftfreq(w, 1 / w)[None, :])
    return MapEnergy(np.concatenate([half, mirrored], axis=1), radius)
