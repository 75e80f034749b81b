"""Planted high-norm tokens move into the test-time register; a model without any comes back as it is."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from torch import nn

import dinoscope as ds
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.registers import RepairedBackbone, hidden_layer
from dinoscope.errors import BackboneError, InputError
from dinoscope.maths.norms import norm_outliers
from tests.backbones.test_parity import tiny

GRID = (6, 8)
DULL = [(1, 2), (4, 6)]
"""Patches without red, which the planted neuron looks for."""


def photograph(side: int) -> np.ndarray:
    image = np.random.default_rng(0).integers(0, 256, (6 * side, 8 * side, 3), dtype=np.uint8)
    for row, col in DULL:
        patch = image[row * side : (row + 1) * side, col * side : (col + 1) * side]
        patch[..., 0] //= 4
    return image


def planted(kind: str) -> tuple[DinoBackbone, DinoBackbone]:
    """A network, and a copy in whose second block one neuron writes a long vector for dull patches."""
    backbone = tiny(kind)
    side, first = backbone.spec.patch_size, 1 + backbone.spec.registers
    kept: list[torch.Tensor] = []
    handle = backbone.blocks[1].norm2.register_forward_hook(lambda _m, _a, out: kept.append(out[0, first:]))
    next(iter(ds.extract(photograph(side), backbone, grid=GRID)))
    handle.remove()
    places = [row * 8 + col for row, col in DULL]
    others = [k for k in range(48) if k not in places]
    towards = kept[0][places].mean(dim=0) - kept[0][others].mean(dim=0)
    along = kept[0] @ towards
    middle = (along[places].min() + along[others].max()) / 2
    assert along[places].min() > along[others].max()

    def plant(model: nn.Module) -> None:
        block = model.get_submodule("encoder.layer.1" if kind.startswith("dinov2") else "model.layer.1")
        mlp = block.mlp
        enter = [getattr(mlp, name) for name in ("fc1", "gate_proj", "up_proj") if hasattr(mlp, name)]
        gain = 40 / (along[places].min() - middle)
        with torch.no_grad():
            for linear in enter:
                linear.weight[7] = gain * towards
                linear.bias[7] = -gain * middle
            hidden_layer(block).weight[:, 7] = 0
            hidden_layer(block).weight[5, 7] = 100.0

    return backbone, backbone.altered(plant)


@pytest.mark.parametrize("kind", ["dinov2", "dinov3"])
def test_planted_tokens_are_healed_and_the_others_stay(kind: str) -> None:
    clean, sick = planted(kind)
    image = photograph(clean.spec.patch_size)

    def last(backbone: object) -> ds.PatchFeatures:
        return next(iter(ds.extract(image, backbone, grid=GRID, final_norm=False)))

    spots = norm_outliers([last(sick)])
    assert sorted(zip(*map(list, np.nonzero(spots.masks[0])), strict=True)) == DULL
    found = ds.repair(sick, image, grid=GRID, n_neurons=1)
    assert found.neurons == {1: (7,)}
    assert found.before == pytest.approx(2 / 48)
    assert found.after == 0.0
    want, healed = last(clean), last(found.backbone)
    assert healed.values.shape == want.values.shape
    assert healed.provenance.backbone == f"repaired:{kind}"
    spoiled = [np.linalg.norm(last(sick).values[p] - want.values[p]) for p in DULL]
    left = [np.linalg.norm(healed.values[p] - want.values[p]) for p in DULL]
    assert max(left) < 0.1 * min(spoiled)
    assert healed.cls is not None
    assert healed.cls.shape == want.cls.shape
    # The network that was repaired is itself as it was.
    assert np.array_equal(last(sick).values, last(planted(kind)[1]).values)


def test_a_repaired_model_survives_pickling() -> None:
    _, sick = planted("dinov2")
    repaired = ds.repair(sick, photograph(14), grid=GRID, n_neurons=1).backbone
    assert isinstance(repaired, RepairedBackbone)
    x = torch.randn(1, 3, 28, 42, generator=torch.Generator().manual_seed(0))
    want = RepairedBackbone(tiny("dinov2"), repaired.neurons)
    again = pickle.loads(pickle.dumps(want))
    assert torch.equal(want.forward(x).patches[2], again.forward(x).patches[2])
    half = repaired.to("cpu", torch.float64)
    assert half.dtype == torch.float64
    assert isinstance(half, RepairedBackbone)


def test_a_model_without_such_tokens_comes_back_as_it_is() -> None:
    backbone = tiny("dinov2")
    smooth = np.full((84, 112, 3), 90, np.uint8)
    found = ds.repair(backbone, smooth, grid=GRID)
    assert found.backbone is backbone
    assert (found.before, found.after, found.neurons) == (0.0, 0.0, {})


def test_a_register_that_nobody_writes_to_changes_little() -> None:
    """An extra zero token takes a share of the attention; without any neuron that is all."""
    backbone = tiny("dinov3")
    x = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    plain, beside = backbone.forward(x), RepairedBackbone(backbone, {}).forward(x)
    cosine = torch.nn.functional.cosine_similarity(plain.patches[2], beside.patches[2], dim=-1)
    assert cosine.min() > 0.98
    assert beside.registers[2].shape == plain.registers[2].shape


def test_what_cannot_be_repaired_says_so() -> None:
    with pytest.raises(BackboneError, match="DINOv2 and DINOv3 ViTs"):
        ds.repair("pixels", photograph(14))
    with pytest.raises(BackboneError, match="DINOv2 and DINOv3 ViTs"):
        ds.repair(tiny("convnext"), photograph(14))
    with pytest.raises(InputError, match="at least one photograph"):
        ds.repair(tiny("dinov2"), [])
    with pytest.raises(InputError, match="n_neurons"):
        ds.repair(tiny("dinov2"), photograph(14), n_neurons=0)
