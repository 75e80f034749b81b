"""One contract over every name: the whole catalog (shrunk, random weights) and the controls."""

from __future__ import annotations

import functools

import pytest
import torch

from dinoscope.backbones import catalog
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.data.layers import LayerOutputs
from dinoscope.errors import InputError, LayerError, ShapeError
from tests.backbones.shrunken import shrink, shrink_catalog

NAMES = (
    *(f"random:{name}" for name in catalog.ENTRIES),
    "pixels",
    "blur:pixels",
    "blur:random:dinov2-reg-base",
    "blur:random:dinov3-convnext-tiny",
)


@functools.cache
def _loaded(name: str) -> Backbone:
    with pytest.MonkeyPatch.context() as patch:
        shrink_catalog(patch)
        return load_backbone(name, seed=3)


@pytest.fixture(params=NAMES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    return _loaded(request.param)


def _pixels(backbone: Backbone, h: int, w: int, b: int = 1, seed: int = 0) -> torch.Tensor:
    side = backbone.spec.patch_size
    return torch.randn(b, 3, h * side, w * side, generator=torch.Generator().manual_seed(seed))


def _assert_close(one: LayerOutputs, other: LayerOutputs, tolerance: float) -> None:
    assert set(one.patches) == set(other.patches)
    for kind in ("patches", "cls", "registers"):
        first, second = getattr(one, kind), getattr(other, kind)
        assert set(first) == set(second)
        for layer in first:
            torch.testing.assert_close(first[layer], second[layer], atol=tolerance, rtol=tolerance)


@pytest.mark.parametrize(("h", "w"), [(3, 3), (2, 5)])
def test_tokens_fill_the_grid(backbone: Backbone, h: int, w: int) -> None:
    spec = backbone.spec
    last = spec.depth - 1
    outputs = backbone.forward(_pixels(backbone, h, w, b=2))
    assert set(outputs.patches) == {last}
    assert outputs.patches[last].shape == (2, h, w, spec.dim)
    assert outputs.registers[last].shape == (2, spec.registers, spec.dim)
    assert all(token.shape == (2, spec.dim) for token in outputs.cls.values())
    for values in (*outputs.patches.values(), *outputs.cls.values(), *outputs.registers.values()):
        assert values.dtype == torch.float32
        assert torch.isfinite(values).all()
        assert not values.requires_grad
    assert outputs.final_norm


def test_the_spec_is_that_of_the_catalog(backbone: Backbone) -> None:
    spec = backbone.spec
    assert spec.control
    assert spec.name in NAMES
    name = spec.name.split(":")[-1]
    if name in catalog.ENTRIES:
        entry = catalog.find(name)
        small = entry.architecture if entry.bundled else shrink(entry.architecture)
        facts = (spec.dim, spec.depth, spec.heads, spec.patch_size, spec.registers)
        assert facts == (small.dim, small.depth, small.heads, small.patch_size, small.registers)
        assert (spec.mean, spec.std) == (entry.mean, entry.std)


def test_patches_are_where_they_belong(backbone: Backbone) -> None:
    """A change in one patch changes that patch's features more than it changes the others' on average."""
    pixels = _pixels(backbone, 4, 6)
    side = backbone.spec.patch_size
    changed = pixels.clone()
    changed[..., side : 2 * side, 4 * side : 5 * side] += 3.0
    last = backbone.spec.depth - 1
    before, after = backbone.forward(pixels).patches[last], backbone.forward(changed).patches[last]
    moved = (before - after).norm(dim=-1)[0]
    assert int(moved.argmax()) == 1 * 6 + 4


def test_the_same_input_gives_the_same_output(backbone: Backbone) -> None:
    pixels = _pixels(backbone, 2, 3)
    _assert_close(backbone.forward(pixels), backbone.forward(pixels.clone()), 0.0)


def test_an_image_alone_equals_itself_in_a_batch(backbone: Backbone) -> None:
    batch = _pixels(backbone, 3, 4, b=3)
    together = backbone.forward(batch)
    last = backbone.spec.depth - 1
    for i in range(3):
        alone = backbone.forward(batch[i : i + 1])
        torch.testing.assert_close(
            together.patches[last][i : i + 1], alone.patches[last], atol=1e-5, rtol=1e-5
        )
        for layer, token in alone.cls.items():
            torch.testing.assert_close(together.cls[layer][i : i + 1], token, atol=1e-5, rtol=1e-5)


def test_layers_at_once_equal_one_at_a_time(backbone: Backbone) -> None:
    pixels = _pixels(backbone, 2, 3)
    every = tuple(reversed(range(backbone.spec.depth)))
    for final_norm in (True, False):
        together = backbone.forward(pixels, every, final_norm=final_norm)
        assert set(together.patches) == set(every)
        assert together.final_norm is final_norm
        for layer in every:
            alone = backbone.forward(pixels, (layer,), final_norm=final_norm)
            torch.testing.assert_close(together.patches[layer], alone.patches[layer], atol=1e-6, rtol=1e-6)


def test_the_final_norm_matters(backbone: Backbone) -> None:
    pixels = _pixels(backbone, 2, 3)
    last = backbone.spec.depth - 1
    plain = backbone.forward(pixels, final_norm=False).patches[last]
    assert not torch.allclose(plain, backbone.forward(pixels).patches[last])


def test_bad_requests_are_refused(backbone: Backbone) -> None:
    side = backbone.spec.patch_size
    pixels = _pixels(backbone, 2, 2)
    for layer in (-1, backbone.spec.depth):
        with pytest.raises(LayerError):
            backbone.forward(pixels, (layer,))
    for layers in ((), (0, 0)):
        with pytest.raises(InputError):
            backbone.forward(pixels, layers)
    for shape in ((1, 3, side + 1, side), (1, 3, side, side - 1)):
        with pytest.raises(ShapeError):
            backbone.forward(torch.zeros(shape))
    for shape in ((1, 1, side, side), (3, side, side)):
        # TypeError: where annotations are checked too, they speak first.
        with pytest.raises((ShapeError, TypeError)):
            backbone.forward(torch.zeros(shape))


def test_dtypes_are_kept_apart(backbone: Backbone) -> None:
    pixels = _pixels(backbone, 2, 2)
    last = backbone.spec.depth - 1
    before = backbone.forward(pixels).patches[last]
    rough = backbone.to("cpu", torch.bfloat16)
    assert (rough.dtype, backbone.dtype) == (torch.bfloat16, torch.float32)
    values = rough.forward(pixels).patches[last]
    assert values.dtype == torch.float32
    assert not torch.equal(values, before)
    assert torch.equal(backbone.forward(pixels).patches[last], before)


@pytest.mark.parametrize(
    "name", ["random:dinov2-small", "random:dinov3-vits16", "random:dinov3-convnext-tiny"]
)
def test_the_seed_decides(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_catalog(monkeypatch)
    one, same, other = (load_backbone(name, seed=seed) for seed in (1, 1, 2))
    pixels = _pixels(one, 2, 2)
    state = torch.random.get_rng_state()
    _assert_close(one.forward(pixels), same.forward(pixels), 0.0)
    last = one.spec.depth - 1
    assert not torch.allclose(one.forward(pixels).patches[last], other.forward(pixels).patches[last])
    assert torch.equal(torch.random.get_rng_state(), state), "nobody else's random numbers are used up"
