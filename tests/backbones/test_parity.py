"""The official implementations' own features, and those of the transformers models, are reproduced."""

from __future__ import annotations

import copy
import math
import pickle
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from dinoscope.backbones import networks
from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.checkpoint import read_weights, recognise
from dinoscope.backbones.families.dino import DinoBackbone, build, random_backbone, spec_for
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import WeightsOrigin
from dinoscope.errors import BackboneError, InputError, LayerError, ShapeError

PARITY = Path(__file__).parent.parent / "data" / "parity"
OFFICIAL = (
    "dinov2",
    "dinov2_reg",
    "dinov2_swiglu",
    "dinov3",
    "dinov3_rope_bf16",
    "dinov3_swiglu",
    "dinov3_convnext",
)
TIMM = ("timm_dinov3", "timm_dinov3_qkvb", "timm_dinov3_plus")
TOLERANCE = 1e-4

TINY = {
    "dinov2": Architecture("dinov2", 64, 3, 1, 14, 0, hidden=128, position_grid=5, key_bias=True),
    "dinov2-reg": Architecture(
        "dinov2", 64, 3, 2, 14, 4, "swiglu", hidden=88, position_grid=5, key_bias=True
    ),
    "dinov3": Architecture("dinov3", 64, 3, 2, 16, 4, hidden=100),
    "dinov3-plus": Architecture("dinov3", 64, 3, 1, 16, 0, "swiglu", hidden=96),
    "convnext": Architecture(
        "dinov3-convnext", 64, 4, 0, 32, 0, stage_depths=(1, 1, 2, 1), stage_dims=(8, 16, 32, 64)
    ),
}


def load(path: Path) -> DinoBackbone:
    weights = read_weights(path)
    found = recognise(weights.tensors, config=weights.config)
    origin = WeightsOrigin(weights.source, weights.digest, found.layout, found.notes)
    return build(found, spec_for(found.architecture, path.name), origin)


def tiny(kind: str, seed: int = 0) -> DinoBackbone:
    return random_backbone(TINY[kind], spec_for(TINY[kind], kind), seed)


def tokens(out: LayerOutputs, layer: int) -> Tensor:
    return torch.cat([out.cls[layer][:, None], out.registers[layer], out.patches[layer].flatten(1, 2)], dim=1)


def differs(a: Tensor, b: Tensor) -> float:
    assert a.shape == b.shape
    return float((a - b).abs().max()) if a.numel() else 0.0


@pytest.mark.parametrize("name", [*OFFICIAL, *TIMM])
def test_features_of_the_official_code(name: str) -> None:
    backbone = load(PARITY / (f"{name}.pth" if name in OFFICIAL else f"{name}.weights.safetensors"))
    expected = load_file(PARITY / f"{name}.safetensors")
    sizes = {key.partition("/")[0] for key in expected}
    assert len(sizes) == 2
    last = backbone.spec.depth - 1
    for size in sizes:
        image = expected[f"{size}/image"][None]
        out = backbone.forward(image)
        h, w = (side // backbone.spec.patch_size for side in image.shape[2:])
        assert out.patches[last].shape == (1, h, w, backbone.spec.dim)
        assert differs(out.patches[last].flatten(0, 2), expected[f"{size}/patch"]) < TOLERANCE
        assert differs(out.cls[last][0], expected[f"{size}/cls"]) < TOLERANCE
        assert differs(out.registers[last][0], expected[f"{size}/registers"]) < TOLERANCE
        if f"{size}/prenorm" in expected:
            before = tokens(backbone.forward(image, final_norm=False), last)[0]
            without_cls = before[1:] if name == "dinov3_convnext" else before
            assert differs(without_cls, expected[f"{size}/prenorm"]) < TOLERANCE


def test_stored_periods_decide() -> None:
    # The two files differ only in the RoPE periods; published ones must not be put in their place.
    image = load_file(PARITY / "dinov3_rope_bf16.safetensors")["96x160/image"][None]
    stored = load(PARITY / "dinov3_rope_bf16.pth").forward(image).patches[1]
    exact = load(PARITY / "dinov3.pth").forward(image).patches[1]
    assert differs(stored, exact) > 10 * TOLERANCE


def _bicubic_reference(line: int, out: int, scale: float) -> Tensor:
    """(out, line) weights of Keys' cubic, a = -0.75, edges repeated, no antialiasing, in float64."""
    weights = torch.zeros(out, line, dtype=torch.float64)
    for i in range(out):
        centre = (i + 0.5) / scale - 0.5
        for tap in range(math.floor(centre) - 1, math.floor(centre) + 3):
            x, a = abs(centre - tap), -0.75
            value = (a + 2) * x**3 - (a + 3) * x**2 + 1 if x <= 1 else a * (x**3 - 5 * x**2 + 8 * x - 4)
            weights[i, min(max(tap, 0), line - 1)] += value
    return weights


@pytest.mark.parametrize(("h", "w"), [(2, 3), (9, 4), (1, 25)])
def test_positions_without_registers_carry_the_offset(h: int, w: int) -> None:
    backbone = tiny("dinov2")
    embeddings = backbone.model.get_submodule("embeddings")
    table = embeddings.position_embeddings
    grid = table[0, 1:].double().reshape(5, 5, -1)
    rows = _bicubic_reference(5, h, (h + 0.1) / 5)
    columns = _bicubic_reference(5, w, (w + 0.1) / 5)
    expected = torch.einsum("hi,wj,ijd->hwd", rows, columns, grid).reshape(h * w, -1)
    got = networks._positions(embeddings, torch.empty(0), 14 * h, 14 * w)
    assert differs(got[0, 1:].double(), expected) < 1e-6
    assert torch.equal(got[0, 0], table[0, 0])


def test_positions_at_the_training_size_are_the_stored_ones() -> None:
    for kind in ("dinov2", "dinov2-reg"):
        embeddings = tiny(kind).model.get_submodule("embeddings")
        assert networks._positions(embeddings, torch.empty(0), 70, 70) is embeddings.position_embeddings


def _shaken(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every parameter random, so that a swapped or forgotten one shows."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
        parameter.data = centre + 0.15 * torch.randn(parameter.shape, generator=generator)
    return model.eval().requires_grad_(False)


def _saved(kind: str, folder: Path, **sharding: str) -> nn.Module:
    import transformers

    vit = {"hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 3}
    settings: dict[str, tuple[str, dict[str, object]]] = {
        "dinov2": ("Dinov2", {**vit, "image_size": 70, "patch_size": 14, "layer_norm_eps": 1e-3}),
        "dinov2-swiglu": ("Dinov2", {**vit, "image_size": 70, "patch_size": 14, "use_swiglu_ffn": True}),
        "dinov2-reg": (
            "Dinov2WithRegisters",
            {**vit, "image_size": 42, "patch_size": 14, "num_register_tokens": 5},
        ),
        "dinov3": (
            "DINOv3ViT",
            {**vit, "intermediate_size": 70, "num_register_tokens": 4, "rope_theta": 30.0},
        ),
        "dinov3-key": ("DINOv3ViT", {**vit, "intermediate_size": 70, "key_bias": True, "hidden_act": "relu"}),
        "dinov3-gated": (
            "DINOv3ViT",
            {
                **vit,
                "intermediate_size": 70,
                "num_register_tokens": 4,
                "use_gated_mlp": True,
                "hidden_act": "silu",
            },
        ),
        "dinov3-geglu": (
            "DINOv3ViT",
            {**vit, "intermediate_size": 70, "use_gated_mlp": True, "hidden_act": "gelu"},
        ),
        "convnext": ("DINOv3ConvNext", {"hidden_sizes": [8, 16, 24, 40], "depths": [1, 2, 1, 1]}),
    }
    name, arguments = settings[kind]
    config = getattr(transformers, f"{name}Config")(**arguments)
    model: nn.Module = _shaken(getattr(transformers, f"{name}Model")(config))
    model.save_pretrained(folder, **sharding)
    return model


@pytest.mark.parametrize(
    "kind",
    [
        "dinov2",
        "dinov2-swiglu",
        "dinov2-reg",
        "dinov3",
        "dinov3-key",
        "dinov3-gated",
        "dinov3-geglu",
        "convnext",
    ],
)
def test_round_trip_through_a_hugging_face_folder(kind: str, tmp_path: Path) -> None:
    model = _saved(kind, tmp_path)
    backbone = load(tmp_path)
    assert backbone.origin.layout == "huggingface"
    side = 42 if kind == "dinov2-reg" else 70 if kind.startswith("dinov2") else 64
    image = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = model(image).last_hidden_state
    last = backbone.spec.depth - 1
    assert differs(tokens(backbone.forward(image), last), expected) < TOLERANCE


def test_shards_and_current_names_are_one_network(tmp_path: Path) -> None:
    _saved("dinov3", tmp_path / "one")
    model = _saved("dinov3", tmp_path / "many", max_shard_size="30KB")
    assert (tmp_path / "many" / "model.safetensors.index.json").exists()
    config = read_weights(tmp_path / "one").config
    one, many = load(tmp_path / "one"), load(tmp_path / "many")
    named = recognise(dict(model.state_dict()), config=config)
    current = build(named, spec_for(named.architecture, "current"), WeightsOrigin("memory"))
    image = torch.randn(1, 3, 48, 32, generator=torch.Generator().manual_seed(2))
    expected = one.forward(image).patches[2]
    assert torch.equal(many.forward(image).patches[2], expected)
    assert torch.equal(current.forward(image).patches[2], expected)


@pytest.mark.parametrize("kind", TINY)
def test_contract_with_random_weights(kind: str) -> None:
    backbone = tiny(kind)
    spec, p = backbone.spec, backbone.spec.patch_size
    image = torch.randn(2, 3, 3 * p, 2 * p, generator=torch.Generator().manual_seed(3))
    out = backbone.forward(image)
    last = spec.depth - 1
    assert set(out.patches) == {last}
    assert out.patches[last].shape == (2, 3, 2, spec.dim)
    assert out.cls[last].shape == (2, spec.dim)
    assert out.registers[last].shape == (2, spec.registers, spec.dim)
    flat = nn.functional.normalize(out.patches[last].flatten(1, 2), dim=2)
    assert float((flat @ flat.mT).min()) < 0.98, "patches of noise must not all look the same"
    assert not torch.is_inference(out.patches[last])
    assert not out.patches[last].requires_grad
    with pytest.raises(ShapeError):
        backbone.forward(image[:, :, :-1])
    with pytest.raises(LayerError):
        backbone.forward(image, (spec.depth,))
    with pytest.raises(InputError):
        backbone.forward(image, (0, 0))


@pytest.mark.parametrize("kind", TINY)
def test_layers_of_one_pass_are_the_layers_of_their_own(kind: str) -> None:
    backbone = tiny(kind)
    p, depth = backbone.spec.patch_size, backbone.spec.depth
    image = torch.randn(1, 3, 2 * p, 3 * p, generator=torch.Generator().manual_seed(4))
    every = tuple(reversed(range(depth)))
    for final_norm in (True, False):
        together = backbone.forward(image, every, final_norm=final_norm)
        assert together.final_norm is final_norm
        for layer in every:
            alone = backbone.forward(image, (layer,), final_norm=final_norm)
            assert torch.equal(tokens(together, layer), tokens(alone, layer))
    assert differs(tokens(together, 0)[:, :1, :8], tokens(together, depth - 1)[:, :1, :8]) > 1e-3


def test_final_norm_is_applied_to_every_block() -> None:
    for kind in ("dinov2-reg", "dinov3"):
        backbone = tiny(kind)
        norm = networks.final_norm(backbone.model)
        norm.weight.data = torch.linspace(0.5, 2.0, 64)
        norm.bias.data = torch.linspace(-1.0, 1.0, 64)
        p = backbone.spec.patch_size
        image = torch.randn(1, 3, 2 * p, 2 * p, generator=torch.Generator().manual_seed(5))
        raw = backbone.forward(image, (0, 2), final_norm=False)
        out = backbone.forward(image, (0, 2))
        for layer in (0, 2):
            x = tokens(raw, layer).double()
            scaled = (x - x.mean(-1, keepdim=True)) / (
                x.var(-1, keepdim=True, correction=0) + norm.eps
            ).sqrt()
            assert (
                differs(tokens(out, layer).double(), scaled * norm.weight.double() + norm.bias.double())
                < 1e-5
            )


def test_convnext_layers_are_stages_and_only_the_last_is_normalised() -> None:
    backbone = tiny("convnext")
    image = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(6))
    out = backbone.forward(image, (0, 1, 2, 3))
    raw = backbone.forward(image, (0, 1, 2, 3), final_norm=False)
    for layer, (stride, dim) in enumerate(zip((4, 8, 16, 32), (8, 16, 32, 64), strict=True)):
        assert out.patches[layer].shape == (1, 64 // stride, 96 // stride, dim)
        assert differs(raw.cls[layer], raw.patches[layer].mean(dim=(1, 2))) < 1e-6
        assert torch.equal(out.patches[layer], raw.patches[layer]) == (layer < 3)


def test_random_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(11)
    state = torch.get_rng_state()
    first = tiny("dinov3", seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(5)
    second, other = tiny("dinov3", seed=7), tiny("dinov3", seed=8)
    image = torch.randn(1, 3, 32, 32)
    assert torch.equal(first.forward(image).patches[2], second.forward(image).patches[2])
    assert differs(first.forward(image).patches[2], other.forward(image).patches[2]) > 0.1


@pytest.mark.parametrize("kind", ["dinov2", "dinov3", "convnext"])
def test_another_dtype_is_a_copy(kind: str) -> None:
    backbone = tiny(kind)
    p = backbone.spec.patch_size
    last = backbone.spec.depth - 1
    image = torch.randn(1, 3, 3 * p, 2 * p, generator=torch.Generator().manual_seed(8))
    before = backbone.forward(image).patches[last]
    half, double = backbone.to("cpu", torch.bfloat16), backbone.to("cpu", torch.float64)
    assert (half.dtype, backbone.dtype) == (torch.bfloat16, torch.float32)
    assert half.forward(image).patches[last].dtype == torch.float32
    assert 0 < differs(half.forward(image).patches[last], before) < 0.5
    assert differs(double.forward(image).patches[last], before) < TOLERANCE
    assert torch.equal(backbone.forward(image).patches[last], before)
    assert backbone.to("cpu") is backbone


def test_rope_frequencies_stay_float32() -> None:
    backbone = tiny("dinov3").to("cpu", torch.bfloat16)
    frequencies = backbone.model.get_submodule("rope_embeddings").inv_freq
    assert frequencies.dtype == torch.float32
    expected = torch.tensor([100.0 ** -(i / 8) for i in range(8)])
    assert differs(frequencies, expected) < 1e-6


@pytest.mark.parametrize("kind", ["dinov2", "dinov3"])
def test_copies_and_pickles_see_the_same(kind: str) -> None:
    backbone = tiny(kind)
    p = backbone.spec.patch_size
    image = torch.randn(1, 3, 3 * p, 2 * p, generator=torch.Generator().manual_seed(9))
    expected = backbone.forward(image).patches[2]
    for again in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        assert torch.equal(again.forward(image).patches[2], expected)


def test_threads_do_not_mix_their_images() -> None:
    backbone = tiny("dinov3")
    images = torch.randn(12, 1, 3, 192, 192, generator=torch.Generator().manual_seed(10))
    alone = [backbone.forward(image).patches[2] for image in images]
    with ThreadPoolExecutor(4) as pool:
        outs = list(pool.map(backbone.forward, images))
    assert all(torch.equal(out.patches[2], expected) for out, expected in zip(outs, alone, strict=True))


def test_transformers_classes_stay_as_they_are() -> None:
    from transformers.models.dinov2.modeling_dinov2 import Dinov2Embeddings

    before = Dinov2Embeddings.interpolate_pos_encoding
    tiny("dinov2")
    assert Dinov2Embeddings.interpolate_pos_encoding is before


class _Broken(types.ModuleType):
    def __getattr__(self, name: str) -> object:
        raise ModuleNotFoundError(f"Could not import module {name!r}")


def test_the_broken_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "transformers", _Broken("transformers"))
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(BackboneError, match="reinstall"):
        tiny("dinov3")
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.delitem(sys.modules, "torchvision")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackboneError, match="torchvision does not fit the installed torch"):
        tiny("dinov3")
