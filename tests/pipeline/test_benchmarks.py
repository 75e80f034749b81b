from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.__main__ import ratio
from benchmarks.baseline import changes, read_baseline, write_baseline
from benchmarks.curves import exponent


def test_ratios_are_of_the_same_round() -> None:
    found = ratio([2, 4, 6, 8, 50], [1, 2, 3, 4, 10])
    assert found == {"median": 2.0, "spread": 0.0}
    assert ratio([1, 2, 3, 4, 5], [1, 1, 1, 1, 1]) == {"median": 3.0, "spread": 1.0}


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power(power: float) -> None:
    assert exponent([8, 32, 128], [3 * n**power for n in (8, 32, 128)]) == pytest.approx(power)


def test_what_changed_since_the_baseline(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert read_baseline("cpu", path) == {}
    committed = {
        "a": {"median": 1.0, "spread": 0.1},
        "b": {"median": 1.0, "spread": 0.1},
        "c": {"median": 2.0, "spread": 0.1},
    }
    write_baseline("cpu", committed, path)
    write_baseline("cuda", {}, path)
    now = {
        "a": {"median": 1.39, "spread": 0.1},
        "b": {"median": 0.5, "spread": 0.1},
        "d": {"median": 3.0, "spread": 0.1},
    }
    a, b, c, d = changes(now, read_baseline("cpu", path))
    assert a.endswith("as it was") and b.endswith("changed by -0.500")
    assert "gone" in c and d.endswith("new")
