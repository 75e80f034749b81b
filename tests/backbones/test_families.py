"""Every family of `transformers` gives the numbers that its own library gives, cut where the tokens are."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
import torch
from torch import nn

from dinoscope.backbones import hub
from dinoscope.backbones.families.foreign import ForeignBackbone
from dinoscope.backbones.families.huggingface import load_huggingface
from dinoscope.backbones.families.trunks.registry import BY_TYPE, TRUNKS
from tests.backbones.convolutions import precisions
from tests.backbones.tiny_families import FAMILIES, tiny

STATED = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.2, 0.1], "do_normalize": True}


def save(model: Any, folder: Path) -> Path:
    """As somebody's folder."""
    folder.mkdir(exist_ok=True, parents=True)
    model.save_pretrained(folder)
    (folder / hub.PREPROCESSOR).write_text(json.dumps(STATED))
    return folder


@functools.cache
def loaded(name: str) -> tuple[nn.Module, ForeignBackbone]:
    model = tiny(name)
    return model, load_huggingface(str(save(model, Path(mkdtemp()))))


def pixels_for(name: str, h: int, w: int, b: int = 2) -> torch.Tensor:
    side = FAMILIES[name].patch
    return torch.rand(b, 3, h * side, w * side, generator=torch.Generator().manual_seed(h + w))


@pytest.mark.parametrize("name", FAMILIES)
def test_tokens_are_those_of_the_library(name: str) -> None:
    facts = FAMILIES[name]
    model, backbone = loaded(name)
    last = backbone.spec.depth - 1
    for h, w in facts.grids:
        pixels = pixels_for(name, h, w)
        with precisions() as seen:
            outputs = backbone.forward(pixels, final_norm=facts.final_norm)
        assert seen <= {"ieee"}
        with torch.no_grad():
            expected = facts.expected(model, pixels)
        if expected.ndim == 3:
            assert expected.shape[1] == facts.n_prefix + h * w
            if facts.has_cls:
                torch.testing.assert_close(outputs.cls[last], expected[:, 0], atol=2e-5, rtol=2e-5)
            registers = expected[:, int(facts.has_cls) : facts.n_prefix]
            torch.testing.assert_close(outputs.registers[last], registers, atol=2e-5, rtol=2e-5)
            expected = expected[:, facts.n_prefix :].unflatten(1, (h, w))
        torch.testing.assert_close(outputs.patches[last], expected, atol=2e-5, rtol=2e-5)
        assert set(outputs.cls) == ({last} if facts.has_cls else set())
        assert outputs.final_norm == (facts.final_norm and facts.has_norm)


@pytest.mark.parametrize("name", FAMILIES)
def test_facts(name: str) -> None:
    facts = FAMILIES[name]
    _, backbone = loaded(name)
    spec = backbone.spec
    assert (spec.patch_size, spec.registers) == (facts.patch, facts.n_prefix - int(facts.has_cls))
    assert spec.final_norm == facts.has_norm
    assert ("it has no final norm for patches" in backbone.origin.notes) == (not facts.has_norm)
    assert spec.dim == 64 if name in ("swin", "swinv2", "hiera") else spec.dim == 32
    assert spec.heads == (0 if name.startswith("convnext") else 2)
    assert spec.mean == ((0.0, 0.0, 0.0) if name == "radio" else (0.5, 0.4, 0.3))
    assert spec.licence == "not stated"


@pytest.mark.parametrize("name", FAMILIES)
def test_grids_in_any_order_of_any_shape(name: str) -> None:
    """Rows before columns on every grid, also on those that the library itself does not take; and what was
    asked before changes nothing.
    """
    _, backbone = loaded(name)
    last = backbone.spec.depth - 1
    for h, w in ((3, 5), (1, 2), (5, 3)):
        backbone.forward(pixels_for(name, h, w, b=1))
    first = backbone.forward(pixels_for(name, 3, 5, b=1)).patches[last]
    fresh = load_huggingface(str(save(tiny(name), Path(mkdtemp()))))
    assert torch.equal(fresh.forward(pixels_for(name, 3, 5, b=1)).patches[last], first)
    assert first.shape[1:3] == (3, 5)
    pixels = pixels_for(name, 4, 6, b=1)
    side = backbone.spec.patch_size
    changed = pixels.clone()
    inner = slice(2, side - 2)  # ViTPose's patches begin 2 pixels early
    changed[..., side : 2 * side, 4 * side : 5 * side][..., inner, inner] += 3.0
    moved = (backbone.forward(pixels).patches[last] - backbone.forward(changed).patches[last]).norm(dim=-1)[0]
    assert int(moved.argmax()) == 1 * 6 + 4


@pytest.mark.parametrize("name", FAMILIES)
def test_layers(name: str) -> None:
    _, backbone = loaded(name)
    pixels = pixels_for(name, 4, 4, b=1)
    every = tuple(reversed(range(backbone.spec.depth)))
    together = backbone.forward(pixels, every)
    assert tuple(together.patches) == every
    for layer in every:
        alone = backbone.forward(pixels, (layer,))
        assert torch.equal(together.patches[layer], alone.patches[layer])
        if not backbone.spec.staged:
            assert together.patches[layer].shape == (1, 4, 4, backbone.spec.dim)
    if backbone.spec.staged:
        sides = [together.patches[layer].shape[1] for layer in sorted(every)]
        assert sides == [32, 16, 8, 4]
        assert torch.equal(
            together.patches[0], backbone.forward(pixels, (0,), final_norm=False).patches[0]
        ), "the final norm is the last stage's"


@pytest.mark.parametrize("name", FAMILIES)
def test_another_dtype_is_a_copy(name: str) -> None:
    _, backbone = loaded(name)
    pixels = pixels_for(name, 3, 4, b=1)
    last = backbone.spec.depth - 1
    before = backbone.forward(pixels).patches[last]
    half = backbone.to("cpu", torch.bfloat16)
    rough = half.forward(pixels).patches[last]
    assert (half.dtype, rough.dtype, backbone.dtype) == (torch.bfloat16, torch.float32, torch.float32)
    assert not torch.equal(rough, before)
    assert float(nn.functional.cosine_similarity(rough, before, dim=-1).min()) > 0.9
    assert torch.equal(backbone.forward(pixels).patches[last], before)


def test_every_family_has_a_fixture() -> None:
    tried = {tiny(name).config.model_type for name in FAMILIES}  # type: ignore[union-attr]
    for trunk in TRUNKS:
        assert tried & set(trunk.model_types), trunk.model_types
    assert len(BY_TYPE) == sum(len(trunk.model_types) for trunk in TRUNKS), "no type twice"
