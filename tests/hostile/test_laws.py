"""Grids and maths hold to their laws, whatever hypothesis thinks of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import settings

from benchmarks import laws


@pytest.mark.parametrize("name", sorted(laws.LAWS))
def test_the_law_holds(name: str) -> None:
    settings(max_examples=40, derandomize=True, deadline=None)(laws.LAWS[name])()


def test_bytes_drive_every_law() -> None:
    held = list(laws.LAWS)
    assert len(held) >= 15
    rng = np.random.default_rng(0)
    for number in range(len(held)):
        for _ in range(3):
            laws.fuzzed(bytes([number]) + rng.bytes(2000))
    laws.fuzzed(b"")


def test_a_broken_law_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(laws, "mean_pool", lambda rows: rows.max(axis=0).astype(np.float64))
    number = list(laws.LAWS).index("pools_stay_between_the_extremes")
    rng = np.random.default_rng(0)

    def drive() -> None:
        for _ in range(200):
            laws.fuzzed(bytes([number]) + rng.bytes(2000))

    with pytest.raises(AssertionError):
        drive()
