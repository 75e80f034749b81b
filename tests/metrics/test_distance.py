"""Cosine against distance is read off at the same value on every grid."""

from __future__ import annotations

import numpy as np
import pytest

from dinoscope.metrics.distance import CURVES, DISTANCES
from dinoscope.metrics.subject import Seen, Subject

WAVES = 1.2 * np.random.default_rng(0).normal(size=(300, 2))
"""Cycles per side, normal: the cosine of two places of the field falls as a Gaussian of their distance."""


def field(n: int) -> np.ndarray:
    x, y = np.meshgrid((np.arange(n) + 0.5) / n, (np.arange(n) + 0.5) / n)
    phase = 2 * np.pi * (x[..., None] * WAVES[:, 0] + y[..., None] * WAVES[:, 1])
    return np.concatenate([np.cos(phase), np.sin(phase)], axis=-1)


def read(n: int, at: float) -> float:
    line = CURVES[0].measure(Subject(field(n), Seen((n, n))))
    return float(np.interp(at, DISTANCES, line))


@pytest.mark.parametrize("at", [0.125, 0.175, 0.25, 0.5])
def test_one_field_reads_the_same_on_every_grid(at: float) -> None:
    truth = read(96, at)
    for n in (16, 24, 32, 37):
        assert read(n, at) == pytest.approx(truth, abs=0.012)


def test_nothing_is_read_off_below_the_nearest_pair_nor_beyond_the_farthest() -> None:
    line = CURVES[0].measure(Subject(field(16), Seen((16, 16))))
    assert (np.isnan(line) == ((DISTANCES < 1 / 16) | (np.hypot(15, 15) / 16 < DISTANCES))).mean() > 0.95
    assert np.isnan(line[0]) and np.isnan(line[-1])
