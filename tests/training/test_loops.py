from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.loops import LOOPS, Classifier, Module


def trained(loop: str, weight: float | None, folder: Path) -> list[Tensor]:
    torch.manual_seed(0)
    model = Classifier()
    LOOPS[loop](model, weight, folder)
    return [value.detach().clone() for value in model.parameters()]


@pytest.mark.parametrize("loop", LOOPS)
def test_weight_0_leaves_training_bitwise_as_it_is(loop: str, tmp_path: Path) -> None:
    without, zero, anchored = (trained(loop, weight, tmp_path) for weight in (None, 0.0, 50.0))
    start = list(Classifier().vit.parameters())
    assert not torch.equal(without[0], start[0]), "the loop trains nothing"
    assert all(torch.equal(a, b) for a, b in zip(without, zero, strict=True))
    assert any(not torch.equal(a, b) for a, b in zip(without, anchored, strict=True))
    if loop == "lightning":
        saved = torch.load(tmp_path / "run.ckpt", weights_only=True)["state_dict"]
        resumed = Module(Classifier(), 50.0)
        resumed.load_state_dict(saved)
        assert resumed.anchor is not None and resumed.anchor.last_step == 2
