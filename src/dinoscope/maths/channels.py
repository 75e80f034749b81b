"""What is left of feature maps when no channel may weigh more than another?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from dinoscope.errors import InputError
from dinoscope.maths.patches import PatchMap, as_map


class Channels(NamedTuple):
    """Each channel's mean and standard deviation over all patches; 0 where it is constant."""

    mean: Float64[np.ndarray, " dim"]
    deviation: Float64[np.ndarray, " dim"]


def channels_of(maps: Sequence[PatchMap]) -> Channels:
    """Over the patches of several maps, which may be of different sizes.

    A deviation of less than a millionth of the channel's largest magnitude is rounding, and counts as none.

    Raises:
        InputError: no map, or as `as_map`.
    """
    if not maps:
        raise InputError("no maps: their channels have no mean")
    mean: Float64[np.ndarray, " dim"] = 0.0  # type: ignore[assignment]
    n, squares, largest = 0, 0.0, 0.0
    for one in maps:
        values = as_map(one)
        rows = values.reshape(-1, values.shape[-1])
        # Chan, Golub and LeVeque: squares about each part's own mean, and what lies between the means.
        own, step = rows.mean(axis=0), len(rows) / (n + len(rows))
        squares = squares + ((rows - own) ** 2).sum(axis=0) + (own - mean) ** 2 * n * step
        mean = mean + (own - mean) * step
        largest = np.maximum(largest, np.abs(rows).max(axis=0))
        n += len(rows)
    deviation = np.sqrt(squares / n)
    return Channels(np.asarray(mean), np.where(deviation <= 1e-6 * np.asarray(largest), 0.0, deviation))


def standardised(features: PatchMap, channels: Channels) -> Float64[np.ndarray, "h w dim"]:
    """Every channel less its mean, divided by its deviation; a constant one becomes 0. Raises as `as_map`."""
    constant = channels.deviation == 0
    scaled = (as_map(features) - channels.mean) / np.where(constant, 1.0, channels.deviation)
    return np.where(constant, 0.0, scaled)
