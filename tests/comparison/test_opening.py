"""The small plane of the first screen: its labels keep off all marks and off each other."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dinoscope.comparison.report.opening import CHARACTER, HEIGHT, INCH, LINE, WIDTH, Spot, _labelled
from dinoscope.drawing.placement import Box


def column(label: str, *, control: bool = False) -> Any:
    return SimpleNamespace(label=label, control=control, person=False)


@pytest.mark.parametrize("seed", range(8))
def test_labels_keep_off_marks_and_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = 140 + 25 * rng.normal(size=3), 90 + 15 * rng.normal(size=3)  # close together
    spots = [
        Spot(column(name), float(a), float(b), (a - 30, a + 30), (b - 30, b + 30))
        for name, a, b in zip(("mini", "key:mini", "dinov3-vitb16"), x, y, strict=True)
    ]
    spots.append(Spot(column("pixels", control=True), 150.0, 95.0, None, None))
    found = _labelled(spots)
    assert [s.label is None for s in found] == [False, False, False, True]
    boxes = []
    for spot in found[:3]:
        left, base = spot.label or (0.0, 0.0)
        box = Box(left, base + 3 - LINE, left + CHARACTER * len(spot.named), base + 3)
        assert box.left >= 0 and box.right <= WIDTH and box.top >= 0 and box.bottom <= HEIGHT
        boxes.append(Box(*(v / INCH for v in box)))
    marks = [spot.mark for spot in found]
    assert max(box.overlap(mark) for box in boxes for mark in marks) < 1e-3
    assert max(a.overlap(b) for a, b in combinations(boxes, 2)) < 1e-3
