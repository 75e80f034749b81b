"""Products in 8 bits: the graph is the model's own, and what is computed by it stays near."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import skimage.data
import torch

from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.projected import Projected
from dinoscope.backbones.traced import open_network
from dinoscope.errors import InputError, LayerError, ShapeError
from dinoscope.pipeline import int8
from dinoscope.pipeline.certificate import checked_way, way_of
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.fast import autocast_backbone, exact_backbone
from dinoscope.pipeline.int8 import int8_backbone
from dinoscope.pipeline.int8_graph import int8_graph, write_blocks
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.way_times import INT8, PLAIN, machine_key, time_ways, ways_of
from tests.fakes import FakeBackbone

DATA = Path(__file__).parents[1] / "data" / "parity"
MINI = load_backbone("mini")
LAST = MINI.spec.depth - 1
PIXELS = torch.randn(2, 3, 48, 80, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ["dinov2", "dinov2_reg", "dinov2_swiglu", "dinov3", "dinov3_swiglu"])
def test_what_is_quantised_is_every_block_of_the_model(name: str, tmp_path: Path) -> None:
    backbone: Any = load_backbone(weights=DATA / f"{name}.pth")
    spec = backbone.spec
    write_blocks(open_network(backbone), spec.heads, spec.patch_size, tmp_path / "blocks.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "blocks.onnx")
    every = tuple(range(spec.depth))
    for b, h, w in ((2, 5, 8), (1, 3, 3)):
        pixels = torch.randn(
            b, 3, h * spec.patch_size, w * spec.patch_size, generator=torch.Generator().manual_seed(h)
        )
        want = backbone.forward(pixels, every, final_norm=False)
        found = session.run(None, {"pixels": pixels.numpy()})
        assert len(found) == spec.depth
        for layer, tokens in enumerate(found):
            first = 1 + spec.registers
            np.testing.assert_allclose(tokens[:, first:], want.patches[layer].flatten(1, 2), atol=2e-4)
            np.testing.assert_allclose(tokens[:, 0], want.cls[layer], atol=2e-4)
            np.testing.assert_allclose(tokens[:, 1:first], want.registers[layer], atol=2e-4)


def test_linear_layers_multiply_in_8_bits_and_attention_holds_no_square() -> None:
    graph = int8_graph(MINI)
    kinds = [node.op_type for node in onnx.load_from_string(graph).graph.node]
    assert kinds.count("MatMulInteger") == 6 * MINI.spec.depth
    assert kinds.count("MultiHeadAttention") == MINI.spec.depth
    assert "Softmax" not in kinds and "ConvInteger" not in kinds
    exact = sum(p.numel() * 4 for p in open_network(MINI).parameters())
    assert len(graph) < 0.5 * exact


def test_its_features_are_near_in_every_layer_and_not_the_same() -> None:
    fast = int8_backbone(MINI)
    assert (fast.dtype, fast.spec, fast.origin, fast.device) == (
        torch.int8,
        MINI.spec,
        MINI.origin,
        MINI.device,
    )
    every = tuple(range(MINI.spec.depth))
    photograph = skimage.data.astronaut()
    for layer in every:
        proof = checked_way(fast, MINI, photograph, Run((8, 9)).at(layer))
        assert 0.99 < proof.mean < 1 and proof.way == "int8"  # older processors saturate: 0.9999 with VNNI
    for final_norm in (True, False):
        near = fast.forward(PIXELS, every, final_norm=final_norm)
        want = MINI.forward(PIXELS, every, final_norm=final_norm)
        assert near.final_norm == final_norm and list(near.patches) == list(every)
        for parts, exact in (
            (near.patches, want.patches),
            (near.cls, want.cls),
            (near.registers, want.registers),
        ):
            for layer in every:
                assert parts[layer].shape == exact[layer].shape and parts[layer].dtype == torch.float32
                apart = (parts[layer] - exact[layer]).norm() / exact[layer].norm().clamp(min=1e-9)
                assert apart < 0.3
                assert parts[layer].numel() == 0 or apart > 0
    (f,) = extract(photograph, fast, grid=4)
    assert f.provenance.dtype == "int8"


def test_it_keeps_the_contract_of_a_backbone() -> None:
    fast = int8_backbone(MINI)
    with pytest.raises(ShapeError):
        fast.forward(torch.zeros(1, 3, 17, 16))
    with pytest.raises(LayerError):
        fast.forward(PIXELS, (99,))
    assert fast.to("cpu").dtype == torch.int8 == fast.to("cpu", torch.int8).dtype
    assert fast.to("cpu", torch.float32) is MINI
    assert exact_backbone(fast) is MINI and way_of(fast) == INT8


def test_a_backbone_is_quantised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(int8, "int8_graph", lambda backbone: made.append(backbone) or int8_graph(backbone))
    backbone: Any = load_backbone("mini")
    basis = np.eye(1, backbone.spec.dim)
    one = int8_backbone(backbone)
    without = int8_backbone(Projected(backbone, basis, "the first channel"))
    assert len(made) == 1
    patches, fewer = (model.forward(PIXELS).patches[LAST] for model in (one, without))
    assert (fewer[..., 0] == 0).all() and torch.equal(fewer[..., 1:], patches[..., 1:])


def test_what_has_no_8_bits() -> None:
    with pytest.raises(InputError, match="only ViTs of DINOv2 and DINOv3 have it, not fake"):
        int8_backbone(FakeBackbone())
    with pytest.raises(InputError, match="only ViTs"):
        int8_backbone(load_backbone(weights=DATA / "dinov3_convnext.pth"))
    with pytest.raises(InputError, match="of float32"):
        int8_backbone(load_backbone("mini").to("cpu", torch.bfloat16))
    with pytest.raises(InputError, match="only ViTs"):
        int8_backbone(autocast_backbone(MINI, torch.bfloat16))


def test_without_the_extra_it_is_left_out_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone("mini")
    monkeypatch.setattr(
        "dinoscope.pipeline.way_times.ways_of",
        lambda model: {way: made for way, made in ways_of(model).items() if way in (PLAIN, INT8)},
    )
    pixels = PIXELS[:1]
    ticks = iter(range(1000))
    found = time_ways(backbone, pixels, rounds=1, clock=lambda: float(next(ticks)))
    assert [t.way for t in found.times] == [PLAIN, INT8] and not found.missing
    have = machine_key(backbone, (48, 80), 1)

    def gone(name: str, *more: Any) -> Any:
        if name.startswith("onnxruntime"):
            raise ImportError(name)
        return importlib.import_module(name, *more)

    monkeypatch.setattr("dinoscope.extras.import_module", gone)
    found = time_ways(load_backbone("mini"), pixels, rounds=1, clock=lambda: float(next(ticks)))
    assert [t.way for t in found.times] == [PLAIN]
    assert "int8 cannot be run: computing in 8 bits needs the extra [onnx]: pip install" in found.words

    def unknown(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", unknown)
    assert machine_key(backbone, (48, 80), 1) != have  # once it is installed, times are measured anew
