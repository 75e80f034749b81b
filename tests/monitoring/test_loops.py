from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import dinoscope as ds
from tests.monitoring.test_monitor import PHOTOS
from tests.training.loops import LOOPS, Classifier


@pytest.mark.parametrize("loop", LOOPS)
def test_a_training_is_bitwise_the_same_when_it_is_watched(loop: str, tmp_path: Path) -> None:
    def trained(*, watched: bool) -> tuple[list[Tensor], list[int]]:
        torch.manual_seed(0)
        model, monitor = Classifier(), ds.Monitor(PHOTOS, 2, grid=8)
        LOOPS[loop](model, None, tmp_path, *([monitor.update] if watched else []))
        return [value.detach().clone() for value in model.parameters()], [c.step for c in monitor.checks]

    (with_it, steps), (without, none) = trained(watched=True), trained(watched=False)
    assert steps == [2] and none == []
    assert all(torch.equal(a, b) for a, b in zip(with_it, without, strict=True))
