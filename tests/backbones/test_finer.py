"""A finer grid is made of whole passes over moved inputs, and of nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import dinoscope as ds
from dinoscope.backbones.finer import finer_of, moved_pixels
from dinoscope.errors import InputError
from tests.backbones.test_parity import TINY, tiny


@pytest.mark.parametrize("kind", TINY)
def test_every_phase_is_a_pass_over_the_moved_input(kind: str) -> None:
    backbone = tiny(kind)
    side = backbone.spec.patch_size
    x = torch.randn(2, 3, 3 * side, 4 * side, generator=torch.Generator().manual_seed(0))
    finer = finer_of(backbone, 2)
    found, plain = finer.forward(x), backbone.forward(x)
    layer = backbone.spec.depth - 1
    assert torch.equal(found.patches[layer][:, ::2, ::2], plain.patches[layer])
    assert torch.equal(found.cls[layer], plain.cls[layer])
    rows = torch.clamp(torch.arange(3 * side) + side // 2, max=3 * side - 1)
    moved = backbone.forward(x[:, :, rows]).patches[layer]
    assert torch.equal(found.patches[layer][:, 1::2, ::2], moved)
    assert finer.spec.name == f"finer2:{kind}"


def test_pixels_on_half_a_pitch_are_the_statistics_of_those_windows() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    (found,) = ds.extract(image, "pixels", grid=(4, 6), finer=4)
    assert found.grid.shape == (16, 24)
    assert found.grid.patch_size == 4
    window = image[5 * 4 : 5 * 4 + 16, 9 * 4 : 9 * 4 + 16].astype(np.float64) / 255
    (alone,) = ds.extract(image[20:36, 36:52], "pixels", grid=(1, 1))
    np.testing.assert_allclose(found.values[5, 9, :6], alone.values[0, 0, :6], atol=1e-5)
    assert window.shape == (16, 16, 3)


def test_as_many_passes_as_places_in_a_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = tiny("dinov3")
    passes: list[int] = []
    backbone.model.register_forward_pre_hook(lambda _m, _a: passes.append(1))
    finer_of(backbone, 4).forward(torch.zeros(1, 3, 32, 32))
    assert len(passes) == 16


def test_edges_are_repeated() -> None:
    x = torch.arange(12.0).reshape(1, 1, 3, 4).expand(1, 3, 3, 4)
    want = torch.tensor([[6.0, 7.0, 7.0, 7.0], [10.0, 11.0, 11.0, 11.0], [10.0, 11.0, 11.0, 11.0]])
    assert torch.equal(moved_pixels(x, 1, 2)[0, 0], want)


def test_a_factor_that_does_not_fit_names_those_that_do() -> None:
    with pytest.raises(InputError, match="14 px; these do: 2, 7, 14"):
        finer_of(tiny("dinov2"), 4)
    with pytest.raises(InputError, match="16 px; these do: 2, 4, 8, 16"):
        finer_of(tiny("dinov3"), 0)
    assert finer_of(tiny("dinov3"), 1).spec.name == "dinov3"
