"""float16 as float32 by moving bits, beside numpy's own conversion."""

from __future__ import annotations

import numpy as np

from dinoscope.maths.halves import LARGEST, widen


def widened(values: np.ndarray) -> np.ndarray:
    out = np.full(values.shape, 7, np.float32)
    widen(values, out)
    return out


def test_every_finite_number_becomes_the_same_bits_as_numpys() -> None:
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)].reshape(-1, 32)
    assert finite.size == 65536 - 2048
    assert np.array_equal(widened(finite).view(np.uint32), finite.astype(np.float32).view(np.uint32))


def test_what_is_not_finite_becomes_larger_than_all_that_is() -> None:
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    rest = every[~np.isfinite(every)].reshape(-1, 32)
    assert np.abs(widened(rest)).min() > LARGEST == np.finfo(np.float16).max


def test_rows_that_do_not_lie_together_and_other_types() -> None:
    values = np.random.default_rng(0).standard_normal((20, 8))
    halves = values.astype(np.float16)[::2]
    assert np.array_equal(widened(halves), halves.astype(np.float32))
    assert np.array_equal(widened(values), values.astype(np.float32))
