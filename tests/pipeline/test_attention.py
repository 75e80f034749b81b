"""One row of attention equals the eager matrix's, sums to 1, and reacts to what was planted in the heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import dinoscope as ds
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import BackboneError, InputError, LayerError
from dinoscope.pipeline import memory
from dinoscope.pipeline.memory import attention_bytes
from tests.backbones.test_facets import fused
from tests.backbones.test_parity import TINY, tiny

VITS = [kind for kind in TINY if kind != "convnext"]
IMAGE = np.random.default_rng(0).integers(0, 256, (60, 100, 3), dtype=np.uint8)
GRID = (3, 5)


def eager(backbone: object, at: int) -> list[Tensor]:
    """Rows of every block's attention matrix, "heads t", by `transformers` with its eager implementation."""
    seen: list[Tensor] = []
    handle = backbone.model.register_forward_pre_hook(lambda _m, a: seen.append(a[0]))
    next(iter(ds.extract(IMAGE, backbone, grid=GRID)))
    handle.remove()
    backbone.model.set_attn_implementation("eager")
    with torch.no_grad():
        found = backbone.model(seen[0].clone(), output_attentions=True).attentions
    return [matrix[0, :, at] for matrix in found]


@pytest.mark.parametrize("kind", VITS)
@pytest.mark.parametrize("at", ["cls", (0.5, 0.5), (0.95, 0.05)])
def test_a_row_is_the_eager_one_and_sums_to_one(kind: str, at: object) -> None:
    backbone = tiny(kind)
    prefix = 1 + backbone.spec.registers
    found = [ds.attention(IMAGE, backbone, at=at, layer=layer, grid=GRID) for layer in range(3)]
    query = 0 if at == "cls" else prefix + found[0].patch[0] * 5 + found[0].patch[1]
    want = eager(tiny(kind), query)
    for row, matrix in zip(found, want, strict=True):
        np.testing.assert_allclose(row.heads, matrix.numpy(), atol=1e-6)
        np.testing.assert_allclose(row.heads.sum(axis=1), 1.0, atol=1e-6)
        assert row.values.sum() + row.to_prefix.sum() == pytest.approx(1.0, abs=1e-6)
        np.testing.assert_allclose(
            np.concatenate([row.to_prefix, row.values.ravel()]), matrix.mean(dim=0).numpy(), atol=1e-6
        )
    one = ds.attention(IMAGE, backbone, at=at, layer=1, head=0, grid=GRID)
    np.testing.assert_allclose(one.values.ravel(), want[1][0, prefix:].numpy(), atol=1e-6)


def test_a_rollout_is_the_product_of_the_matrices() -> None:
    backbone = tiny("dinov3")
    got = ds.attention(IMAGE, backbone, at="cls", layer=2, grid=GRID, rollout=True)
    product = torch.eye(5 + 15, dtype=torch.float64)
    matrices = [
        torch.stack([eager(tiny("dinov3"), k)[layer] for k in range(20)]).mean(dim=1) for layer in range(3)
    ]
    for matrix in matrices:
        product = 0.5 * (matrix.double() + torch.eye(20)) @ product
    np.testing.assert_allclose(got.to_prefix, product[0, :5].numpy(), atol=1e-6)
    np.testing.assert_allclose(got.values.ravel(), product[0, 5:].numpy(), atol=1e-6)
    assert got.rollout
    assert "rollout" in repr(got)


def test_without_keys_everything_is_attended_alike() -> None:
    backbone = tiny("dinov2-reg")
    with torch.no_grad():
        layer = backbone.blocks[2].attention.k_proj
        layer.weight.zero_(), layer.bias.zero_()
    found = ds.attention(IMAGE, backbone, at=(0.3, 0.3), grid=GRID)
    np.testing.assert_allclose(found.values, 1 / 20, atol=1e-6)


def test_another_kind_of_attention_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = fused()
    found = ds.attention(IMAGE, backbone, at=(0.5, 0.5), grid=GRID)
    assert found.to_prefix.shape == (0,)
    assert found.values.sum() == pytest.approx(1.0, abs=1e-6)
    block = backbone.model.layers[1]
    monkeypatch.setattr(
        block, "forward", lambda t: block.attn.proj(block.attn.qkv(t).chunk(3, dim=-1)[2].sigmoid()) + t
    )
    with pytest.raises(BackboneError, match="not a softmax"):
        ds.attention(IMAGE, backbone, at=(0.5, 0.5), grid=GRID)


class Largest(TorchDispatchMode):
    """While it lasts, the bytes of the largest tensor that is made."""

    n_bytes = 0

    def __torch_dispatch__(self, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves(made) if isinstance(one, Tensor)]
        self.n_bytes = max([self.n_bytes, *(one.nbytes for one in tensors)])
        return made


@pytest.mark.parametrize("rollout", [False, True])
def test_no_matrix_of_all_with_all_is_made(rollout: bool) -> None:
    backbone, sizes = tiny("dinov3"), {}
    for side in (8, 24):
        with Largest() as largest:
            ds.attention(IMAGE, backbone, grid=(side, side), rollout=rollout)
        said = attention_bytes(
            backbone.spec,
            PatchGrid(side, side, 16, (100, 60)),
            3 if rollout else 1,
            rollout=rollout,
        )
        assert 0 < largest.n_bytes < said
        sizes[side] = (largest.n_bytes, said)
    assert sizes[24][0] < backbone.spec.heads * 24**4 * 4
    assert sizes[24][1] < 10 * sizes[8][1]  # of nine times as many tokens


def test_what_does_not_fit_is_refused_before_the_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available_bytes", lambda: 10_000)
    monkeypatch.setattr("dinoscope.pipeline.attention.extract", None)
    with pytest.raises(InputError, match="attention of array through dinov3 needs about"):
        ds.attention(IMAGE, tiny("dinov3"), grid=GRID)


def test_a_finer_grid_has_no_one_attention() -> None:
    with pytest.raises(BackboneError, match="finer2:mini is 4 passes, each with an attention of its own"):
        ds.attention(IMAGE, "finer2:mini", grid=GRID)


def test_what_cannot_be_asked_says_what_can() -> None:
    with pytest.raises(InputError, match="no class token"):
        ds.attention(IMAGE, fused(), grid=GRID)
    with pytest.raises(InputError, match="no head 2; dinov3 has 2"):
        ds.attention(IMAGE, tiny("dinov3"), head=2, grid=GRID)
    with pytest.raises(InputError, match="leave head out"):
        ds.attention(IMAGE, tiny("dinov3"), head=1, grid=GRID, rollout=True)
    with pytest.raises(LayerError):
        ds.attention(IMAGE, tiny("dinov3"), layer=3, grid=GRID)
    with pytest.raises(InputError, match=r"give \(x, y\) or 'cls'"):
        ds.attention(IMAGE, tiny("dinov3"), at="centre", grid=GRID)
    with pytest.raises(BackboneError, match="tokens alone"):
        ds.attention(IMAGE, tiny("convnext"), grid=(2, 3))
    with pytest.raises(BackboneError, match="no attention blocks"):
        ds.attention(IMAGE, "pixels", grid=GRID)


def test_a_blurred_model_has_no_attention_of_its_own() -> None:
    for blurred in ("blur:mini", "key:blur:mini"):
        with pytest.raises(BackboneError, match="its features alone are blurred"):
            ds.attention(IMAGE, blurred, grid=GRID)
