from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.content_free import position_basis, without_position
from dinoscope.data.layers import LayerOutputs
from dinoscope.errors import InputError
from dinoscope.maths.position import position_fit
from dinoscope.pipeline.extract import extract
from tests.fakes import FakeBackbone

PLACE = torch.tensor([[0.0] * 10 + [3.0, 0.0], [0.0] * 10 + [0.0, 3.0]])


@dataclass
class Leaky(FakeBackbone):
    """The fake plus its row and column, along two fixed directions."""

    def forward(
        self, pixels: Tensor, layers: tuple[int, ...] | None = None, *, final_norm: bool = True
    ) -> LayerOutputs:
        outputs = FakeBackbone.forward(self, pixels, layers, final_norm=final_norm)
        moved = {}
        for layer, values in outputs.patches.items():
            h, w = values.shape[1:3]
            rows = torch.linspace(0, 1, h)[:, None, None] * PLACE[0]
            cols = torch.linspace(0, 1, w)[None, :, None] * PLACE[1]
            moved[layer] = values + rows + cols
        return replace(outputs, patches=moved)


def photographs(n: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (48, 48, 3)).astype(np.uint8) for _ in range(n)]


def test_the_planted_place_is_found_and_taken_away() -> None:
    leaky = Leaky()
    basis = position_basis(leaky, 6)
    assert len(basis) == 2
    inside = np.linalg.norm(PLACE.numpy() @ basis.T, axis=1) / 3
    np.testing.assert_allclose(inside, 1, atol=1e-5)
    before = position_fit(list(extract(photographs(), leaky, grid=6))).mean
    clean = without_position(leaky, 2, 6)
    after = position_fit(list(extract(photographs(), clean, grid=6))).mean
    assert before > 0.9 and after < 0.1
    assert clean.spec.name == "fake minus position(2)" and "position(2)" in clean.origin.notes[-1]


def test_projected_patches_have_nothing_left_in_the_basis_and_tokens_stay() -> None:
    leaky = Leaky()
    clean = without_position(leaky, 2, 6)
    pixels = torch.randn(1, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    before, after = leaky.forward(pixels), clean.forward(pixels)
    assert (after.patches[1] @ torch.from_numpy(clean.basis).float().T).abs().max() < 1e-3
    assert torch.equal(before.cls[1], after.cls[1])
    assert clean.to("cpu").what == clean.what


def test_features_without_place_have_no_direction_to_remove() -> None:
    with pytest.raises(InputError, match="vary in 0"):
        without_position(load_backbone("pixels"), 2, 4)
    with pytest.raises(InputError, match="at least 1"):
        without_position(Leaky(), 0, 4)
