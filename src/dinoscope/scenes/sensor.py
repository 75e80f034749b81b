"""Sensor: from linear light to an 8-bit photograph."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from dinoscope.scenes.fields import to_srgb
from dinoscope.scenes.layout import Light

SHOT, READ = 0.004, 0.010
"""At noise 1: variance per unit of linear light, and the standard deviation in the dark."""

_KNEE = 0.70


def develop(
    light: Float[np.ndarray, "H W 3"],
    conditions: Light,
    rng: np.random.Generator,
    *,
    lighting: float,
    noise: float,
) -> UInt8[np.ndarray, "H W 3"]:
    """Vignette, white balance, noise, a soft shoulder for highlights, sRGB encoding.

    The same normal deviates are drawn whatever ``noise`` is; it scales them.
    """
    h, w = light.shape[:2]
    y, x = (np.arange(h) + 0.5) / h - 0.5, (np.arange(w) + 0.5) / w - 0.5
    corner = 2.0 * (y[:, None] ** 2 + x[None, :] ** 2)
    light = light * (1.0 - lighting * conditions.falloff * corner * corner * 1.6)[..., None]
    light = light * np.exp(lighting * np.array(conditions.balance))
    deviates = rng.standard_normal(light.shape)
    if noise > 0:
        light = light + noise * deviates * (np.sqrt(SHOT * np.maximum(light, 0.0)) + READ)
    over = np.maximum(light - _KNEE, 0.0)
    room = 1.0 - _KNEE
    light = np.minimum(light, _KNEE) + room * over / (over + room)
    return np.rint(to_srgb(np.clip(light, 0.0, 1.0)) * 255.0).astype(np.uint8)
