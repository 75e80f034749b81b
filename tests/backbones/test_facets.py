"""Facets are the block's own projections, where a family has them; the others say that they have none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dinoscope as ds
from dinoscope.backbones import hub
from dinoscope.backbones.facets import FACETS, facet_of
from dinoscope.backbones.families.foreign import ForeignBackbone
from dinoscope.backbones.families.huggingface import load_huggingface
from dinoscope.backbones.projected import Projected
from dinoscope.backbones.projections import projections
from dinoscope.backbones.rotary import rotated
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.errors import BackboneError, InputError, LayerError
from tests.backbones.test_parity import TINY, tiny
from tests.backbones.tiny_families import FAMILIES

VITS = [kind for kind in TINY if kind != "convnext"]


def pixels(patch: int, h: int = 3, w: int = 5) -> Tensor:
    return torch.randn(2, 3, patch * h, patch * w, generator=torch.Generator().manual_seed(0))


def called(module: nn.Module, run) -> Tensor:
    """What a module gives while something runs, caught by a hook of the test's own."""
    kept: list[Tensor] = []
    handle = module.register_forward_hook(lambda _m, _a, out: kept.append(out.detach().clone()))
    run()
    handle.remove()
    return kept[-1]


@pytest.mark.parametrize("kind", VITS)
@pytest.mark.parametrize("part", ["query", "key", "value"])
def test_a_facet_is_the_projection_itself_in_one_pass(kind: str, part: str) -> None:
    backbone = tiny(kind)
    x = pixels(backbone.spec.patch_size)
    facet = facet_of(backbone, part)
    passes: list[int] = []
    handle = backbone.model.register_forward_pre_hook(lambda _m, _a: passes.append(1))
    out = facet.forward(x, (0, 2))
    handle.remove()
    assert len(passes) == 1
    for layer in (0, 2):
        linear = getattr(
            backbone.blocks[layer].attention, {"query": "q_proj", "key": "k_proj", "value": "v_proj"}[part]
        )
        want = called(linear, lambda: backbone.forward(x))
        first = 1 + backbone.spec.registers
        assert torch.equal(out.patches[layer], want[:, first:].unflatten(1, (3, 5)))
        assert torch.equal(out.cls[layer], want[:, 0])
        assert torch.equal(out.registers[layer], want[:, 1:first])
    assert not out.final_norm
    assert facet.spec.name == f"{part}:{kind}"
    assert facet.spec.dim == 64


def test_rotated_keys_are_what_the_attention_multiplies() -> None:
    backbone = tiny("dinov3")
    x = pixels(16)
    plain, turned = (facet_of(backbone, name).forward(x).patches[2] for name in ("key", "rotated-key"))
    assert not torch.equal(plain, turned)
    # A rotation: lengths of each head's keys stay.
    heads = [values.unflatten(-1, (2, -1)).norm(dim=-1) for values in (plain, turned)]
    torch.testing.assert_close(*heads)
    assert torch.equal(
        *(facet_of(tiny("dinov2"), name).forward(pixels(14)).patches[2] for name in ("key", "rotated-key"))
    )


class Fused(nn.Module):
    """A block as timm writes one: queries, keys and values by one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.attn = nn.Module()
        self.attn.qkv, self.attn.proj = nn.Linear(8, 24), nn.Linear(8, 8)
        self.mlp = nn.Module()
        self.mlp.fc1, self.mlp.fc2 = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, tokens: Tensor) -> Tensor:
        q, k, v = self.attn.qkv(tokens).chunk(3, dim=-1)
        mixed = (q @ k.mT / 8**0.5).softmax(dim=-1) @ v
        tokens = tokens + self.attn.proj(mixed)
        return tokens + self.mlp.fc2(self.mlp.fc1(tokens))


class FusedNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, 8, 4, 4)
        self.layers = nn.ModuleList([Fused(), Fused()])

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.embed(x).flatten(2).mT
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens


def fused() -> ForeignBackbone:
    torch.manual_seed(0)
    net = FusedNet().requires_grad_(False)
    spec = BackboneSpec("fused", "hf", 4, 8, 2, 1, 0, (0.5,) * 3, (0.5,) * 3, "none")

    def read(model, x, layers, *, final_norm):
        tokens, found = model.embed(x).flatten(2).mT, {}
        for k, layer in enumerate(model.layers):
            found[k] = tokens = layer(tokens)
        return {k: found[k] for k in layers}

    return ForeignBackbone(net, read, spec, WeightsOrigin("test"), 0, False)


def test_a_fused_projection_is_cut_in_three() -> None:
    backbone = fused()
    x = pixels(4)
    whole = called(backbone.model.layers[1].attn.qkv, lambda: backbone.forward(x))
    for place, part in enumerate(("query", "key", "value")):
        facet = facet_of(backbone, part)
        assert facet.spec.dim == 8
        got = facet.forward(x).patches[1]
        assert torch.equal(got, whole[..., 8 * place : 8 * place + 8].unflatten(1, (3, 5)))


def test_extract_and_compare_take_facets() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    backbone = ds.load_backbone("mini")
    (found,) = ds.extract(image, backbone, grid=8, facet="key")
    (want,) = ds.extract(image, facet_of(backbone, "key"), grid=8)
    assert np.array_equal(found.values, want.values)
    assert found.provenance.backbone == "key:mini"
    assert found.cls is not None
    assert not found.provenance.final_norm
    compared = ds.compare([image], [backbone, facet_of(backbone, "value")], grid=8, controls=False)
    assert compared.measurements.models == ("mini", "value:mini")


def test_a_store_of_keys_is_searched_by_a_photograph_that_is_not_in_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    paths = [tmp_path / "photos" / f"{i}.png" for i in range(3)]
    for path in (*paths, tmp_path / "new.png"):
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    store = ds.embed(tmp_path / "photos", ds.load_backbone("key:mini"), tmp_path / "store", grid=4)
    hits = ds.search(store, tmp_path / "new.png", k=3)
    assert len(hits.hits) == 3
    assert not store.table().settings.final_norm


def test_what_has_no_facet_says_so() -> None:
    with pytest.raises(BackboneError, match="tokens alone"):
        facet_of(tiny("convnext"), "key")
    with pytest.raises(BackboneError, match="no attention blocks"):
        facet_of(ds.load_backbone("pixels"), "key")
    with pytest.raises(InputError, match="rotated-query"):
        facet_of(tiny("dinov2"), "keys")
    with pytest.raises(LayerError):
        facet_of(tiny("dinov2"), "key").forward(pixels(14), (7,))
    assert facet_of(tiny("dinov2"), "token").spec.name == "dinov2"
    assert len(FACETS) == 6


@pytest.mark.parametrize("way", ["blur", "finer2"])
def test_a_facet_of_a_blurred_or_finer_model_is_blurred_or_finer(way: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    found, want, plain = (
        next(ds.extract(image, ds.load_backbone(name), grid=4))
        for name in (f"key:{way}:mini", f"{way}:key:mini", "key:mini")
    )
    assert found.provenance.backbone == f"{way}:key:mini"
    assert np.array_equal(found.values, want.values)
    assert found.values.shape != plain.values.shape or not np.allclose(found.values, plain.values)


def test_a_facet_of_a_facet_and_of_what_was_projected_is_refused() -> None:
    with pytest.raises(InputError, match="key:dinov2 is looked at by its key already"):
        facet_of(facet_of(tiny("dinov2"), "key"), "value")
    backbone = tiny("dinov2")
    projected = Projected(backbone, np.eye(backbone.spec.dim)[:1], "one direction")
    with pytest.raises(BackboneError, match="take the facet first"):
        facet_of(projected, "key")


def test_rotary_positions_of_both_kinds() -> None:
    values = torch.randn(5, 8, generator=torch.Generator().manual_seed(0))
    angles = torch.rand(4, 4, generator=torch.Generator().manual_seed(1))
    halves = (torch.cat([angles.cos()[:, :2]] * 2, -1), torch.cat([angles.sin()[:, :2]] * 2, -1))
    got = rotated(values, 2, halves, nn.Identity())
    assert torch.equal(got[0], values[0])
    turn = torch.complex(halves[0][:, :2], halves[1][:, :2])
    for head in range(2):
        one = values[1:, 4 * head : 4 * head + 4]
        want = torch.complex(one[:, :2], one[:, 2:]) * turn
        torch.testing.assert_close(got[1:, 4 * head : 4 * head + 4], torch.cat([want.real, want.imag], -1))
    pairs = torch.cat(
        [angles.sin()[:, :2].repeat_interleave(2, -1), angles.cos()[:, :2].repeat_interleave(2, -1)], -1
    )
    got = rotated(values, 2, pairs, nn.Identity())
    turn = torch.complex(angles.cos()[:, :2], angles.sin()[:, :2])
    for head in range(2):
        one = values[1:, 4 * head : 4 * head + 4]
        want = torch.complex(one[:, ::2], one[:, 1::2]) * turn
        torch.testing.assert_close(
            got[1:, 4 * head : 4 * head + 4], torch.stack([want.real, want.imag], -1).flatten(-2)
        )
    with pytest.raises(BackboneError, match="given positions as"):
        rotated(values, 2, {1: 2}, nn.Identity())


def test_a_block_whose_layers_have_other_names_is_refused() -> None:
    block = nn.Module()
    block.attn = nn.Module()
    block.attn.wq = nn.Linear(4, 4)
    with pytest.raises(BackboneError, match="q_proj, query, qkv"):
        projections(block, "odd")


WITHOUT_FACETS = {"sam", "eomt", "eomt_dinov3", "convnext", "convnextv2", "swin", "swinv2", "hiera"}
"""Windows, queries among the tokens, or no attention at all."""

WITHOUT_ATTENTION = WITHOUT_FACETS | {"mlcd", "vjepa2"}
"""And those that mix photographs first, or turn each axis of places on its own."""


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_facets_or_says_why_not(family: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    FAMILIES[family].build().save_pretrained(tmp_path)
    stated = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": True}
    (tmp_path / hub.PREPROCESSOR).write_text(json.dumps(stated))
    backbone = load_huggingface(str(tmp_path))
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    grid = (4, 4)

    def key() -> object:
        return next(iter(ds.extract(image, backbone, grid=grid, facet="key")))

    def row() -> object:
        return ds.attention(image, backbone, at=(0.6, 0.4), grid=grid)

    for asked, without in ((key, WITHOUT_FACETS), (row, WITHOUT_ATTENTION)):
        if family in without:
            with pytest.raises(BackboneError, match=r"tokens alone|not a softmax"):
                asked()
        else:
            found = asked()
            assert found.values.shape[:2] == (4, 4)
