"""Layouts are told by their names, architectures by their shapes; what does not fit is refused by name."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.checkpoint import (
    check_architecture,
    read_weights,
    recognise,
    rope_periods,
)
from dinoscope.backbones.checkpoints.vit import heads_of
from dinoscope.errors import WeightsError

PARITY = Path(__file__).parent.parent / "data" / "parity"
VIT3 = Architecture("dinov3", 128, 2, 2, 16, 4, "gelu", 512)
VIT2 = Architecture("dinov2", 128, 2, 2, 14, 0, "gelu", 512, 37, key_bias=True)
EXPECTED = {
    "dinov2.pth": ("official", VIT2),
    "dinov2_reg.pth": ("official", replace(VIT2, registers=4)),
    "dinov2_swiglu.pth": ("official", replace(VIT2, mlp="swiglu", hidden=344)),
    "dinov3.pth": ("official", VIT3),
    "dinov3_rope_bf16.pth": ("official", VIT3),
    "dinov3_swiglu.pth": ("official", replace(VIT3, mlp="swiglu", hidden=512)),
    "dinov3_convnext.pth": (
        "official",
        Architecture(
            "dinov3-convnext", 192, 4, 0, 32, 0, stage_depths=(1, 1, 2, 1), stage_dims=(24, 48, 96, 192)
        ),
    ),
    "timm_dinov3.weights.safetensors": ("timm", replace(VIT3, query_value_bias=False)),
    "timm_dinov3_qkvb.weights.safetensors": ("timm", VIT3),
    "timm_dinov3_plus.weights.safetensors": ("timm", replace(VIT3, mlp="swiglu", query_value_bias=False)),
}


def tensors(name: str) -> dict[str, Tensor]:
    return dict(read_weights(PARITY / name).tensors)


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("name", EXPECTED)
def test_layout_and_architecture(name: str) -> None:
    found = recognise(tensors(name))
    assert (found.layout, found.architecture) == EXPECTED[name]
    assert found.norm_eps == (1e-5 if found.architecture.family == "dinov3" else 1e-6)


@pytest.mark.parametrize("name", ["dinov2_reg.pth", "dinov3_swiglu.pth", "dinov3_convnext.pth"])
@pytest.mark.parametrize(
    "prefix", ["backbone.", "teacher.", "module.", "teacher.backbone.", "module.backbone."]
)
def test_prefixes(name: str, prefix: str) -> None:
    plain = tensors(name)
    found = recognise({f"{prefix}{key}": value for key, value in plain.items()})
    assert same(found.state, recognise(plain).state)


@pytest.mark.parametrize("wrapper", ["teacher", "model", "state_dict"])
def test_wrapped_files(wrapper: str, tmp_path: Path) -> None:
    plain = tensors("dinov3.pth")
    torch.save({wrapper: {f"backbone.{k}": v for k, v in plain.items()}, "epoch": 7}, tmp_path / "x.pth")
    weights = read_weights(tmp_path / "x.pth")
    assert weights.notes == ("left out, not tensors: epoch",)
    assert same(recognise(weights.tensors).state, recognise(plain).state)
    assert same(recognise({wrapper: plain}).state, recognise(plain).state)


def test_the_teacher_is_taken_and_the_rest_of_a_training_state_named() -> None:
    plain = tensors("dinov3.pth")
    state = {f"model.teacher.backbone.{key}": value for key, value in plain.items()}
    state |= {f"model.student.backbone.{key}": value + 1 for key, value in plain.items()}
    state |= {
        "model.teacher.dino_head.mlp.0.weight": torch.zeros(2),
        "model.dino_loss.center": torch.zeros(2),
    }
    found = recognise(state)
    assert same(found.state, recognise(plain).state)
    assert "model.teacher.dino_head.mlp.0.weight" in found.ignored
    choice, beside, training = found.notes
    assert "the teacher, under 'model.teacher.backbone'" in choice
    assert "'model.student.backbone'" in choice
    assert "model.teacher.dino_head (1 tensor)" in beside
    assert "mask_token" in training


def test_two_networks_are_refused() -> None:
    plain = tensors("dinov3.pth")
    state = {f"{prefix}{key}": value for prefix in ("model.", "backbone.") for key, value in plain.items()}
    with pytest.raises(WeightsError, match="more than one network"):
        recognise(state)


@pytest.mark.parametrize("name", ["dinov2_reg.pth", "dinov3.pth"])
def test_chunked_blocks_keep_their_numbers(name: str) -> None:
    plain = tensors(name)
    chunked = {
        key.replace("blocks.0.", "blocks.0.0.").replace("blocks.1.", "blocks.1.1."): value
        for key, value in plain.items()
    }
    assert chunked.keys() != plain.keys()
    assert same(recognise(chunked).state, recognise(plain).state)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_missing_tensor_is_named(name: str) -> None:
    plain = tensors(name)
    # Without them these are other architectures that exist: no registers, no second name of the norm.
    optional = {
        "mask_token",
        "register_tokens",
        "storage_tokens",
        "norms.3.weight",
        "norms.3.bias",
    }
    for key in plain.keys() - optional:
        with pytest.raises(WeightsError, match=re.escape(key)):
            recognise({other: value for other, value in plain.items() if other != key})


@pytest.mark.parametrize("name", EXPECTED)
def test_every_wrong_shape_is_refused_with_a_name(name: str) -> None:
    plain = tensors(name)
    for key, value in plain.items():
        for damaged in (value[..., :-1], value[None]):
            with pytest.raises(WeightsError, match=r"expected|multiple of 64|square grid") as caught:
                recognise(plain | {key: damaged})
            assert re.search(r"\w+\.\w+|cls_token|pos_embed|_tokens?|channels", str(caught.value)), key


def test_expected_and_found_shapes_are_told() -> None:
    plain = tensors("dinov3.pth")
    with pytest.raises(
        WeightsError, match=r"blocks\.1\.mlp\.fc2\.weight \(expected \(128, 512\), found \(64, 512\)\)"
    ):
        recognise(plain | {"blocks.1.mlp.fc2.weight": plain["blocks.1.mlp.fc2.weight"][:64]})


@pytest.mark.parametrize("name", EXPECTED)
def test_unknown_tensors_are_named(name: str) -> None:
    for key in ("blocks.0.attn.extra", "cls_norm.weight", "something"):
        with pytest.raises(WeightsError, match=rf"unknown: {key} \(found \(3,\)\)"):
            recognise(tensors(name) | {key: torch.zeros(3)})


def test_a_hole_in_the_depth_is_named() -> None:
    plain = tensors("dinov3.pth")
    moved = {key.replace("blocks.1.", "blocks.2."): value for key, value in plain.items()}
    with pytest.raises(WeightsError, match=r"blocks\.1 is missing"):
        recognise(moved)


def test_numbers_that_are_no_weights_are_refused() -> None:
    plain = tensors("dinov3.pth")
    broken = plain["norm.weight"].clone()
    broken[3] = float("nan")
    with pytest.raises(WeightsError, match=r"NaN or infinity: norm\.weight"):
        recognise(plain | {"norm.weight": broken})
    with pytest.raises(WeightsError, match=r"not floating-point: norm\.weight"):
        recognise(plain | {"norm.weight": plain["norm.weight"].to(torch.int8)})
    with pytest.raises(WeightsError, match="periods"):
        recognise(plain | {"rope_embed.periods": torch.zeros(16)})


def test_other_networks_are_refused() -> None:
    with pytest.raises(WeightsError, match="none of the keys"):
        recognise({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.weight": torch.zeros(10, 64)})
    with pytest.raises(WeightsError):
        recognise({"cls_token": torch.zeros(1, 1, 64), "pos_embed": torch.zeros(1, 197, 64)})


def test_training_only_tensors_are_ignored_and_noted() -> None:
    plain = tensors("dinov3.pth")
    extra = {"local_cls_norm.weight": torch.ones(128), "local_cls_norm.bias": torch.zeros(128)}
    extra |= {"ibot_head.last_layer.weight": torch.zeros(5, 2)}
    found = recognise(plain | extra)
    assert set(found.ignored) == {"mask_token", *extra}
    assert all(name in found.notes[0] for name in found.ignored)
    assert same(found.state, recognise(plain).state)


@pytest.mark.parametrize("hidden", [0.0, float("nan")])
def test_masked_key_biases_are_zero(hidden: float) -> None:
    plain = tensors("dinov3.pth")
    loud = {key: value.clone() for key, value in plain.items()}
    for block in range(2):
        loud[f"blocks.{block}.attn.qkv.bias"][128:256] = 5.0
        mask = torch.ones(384)
        mask[128:256] = hidden
        loud[f"blocks.{block}.attn.qkv.bias_mask"] = mask
    found = recognise(loud)
    assert not found.architecture.key_bias
    assert same(found.state, recognise(plain).state)


def test_key_biases_without_a_mask_are_kept() -> None:
    plain = {key: value for key, value in tensors("dinov3.pth").items() if not key.endswith("bias_mask")}
    bias = torch.linspace(1, 2, 384)
    found = recognise(plain | {"blocks.1.attn.qkv.bias": bias})
    assert found.architecture.key_bias
    assert torch.equal(found.state["model.layer.1.attention.k_proj.bias"], bias[128:256])


def _as_timm_dinov2(official: dict[str, Tensor]) -> dict[str, Tensor]:
    state = {k.replace("mlp.w12", "mlp.fc1").replace("mlp.w3", "mlp.fc2"): v for k, v in official.items()}
    del state["mask_token"]
    if "register_tokens" in state:
        state["reg_token"] = state.pop("register_tokens")
        state["cls_token"] = state["cls_token"] + state["pos_embed"][:, :1]
        state["pos_embed"] = state["pos_embed"][:, 1:]
    return state


@pytest.mark.parametrize("name", ["dinov2.pth", "dinov2_reg.pth", "dinov2_swiglu.pth"])
def test_dinov2_in_timm_names(name: str) -> None:
    official = recognise(tensors(name))
    timm = recognise(_as_timm_dinov2(tensors(name)))
    assert timm.layout == "timm"
    assert timm.architecture == official.architecture
    for key in official.state:
        if key not in ("embeddings.cls_token", "embeddings.position_embeddings"):
            assert torch.equal(timm.state[key], official.state[key]), key
    first = [found.state["embeddings.cls_token"] + found.state["embeddings.position_embeddings"][:, :1]
             for found in (timm, official)]  # fmt: skip
    assert torch.equal(*first)
    assert torch.equal(*(found.state["embeddings.position_embeddings"][:, 1:] for found in (timm, official)))


def test_biases_of_queries_and_values_alone() -> None:
    """As BEiT and EVA have them: no bias of the keys, which is one of 0."""
    plain, split = tensors("dinov2.pth"), {}
    for key, value in tensors("dinov2.pth").items():
        if key.endswith(".qkv.bias"):
            query, keys, values = value.chunk(3)
            plain[key] = torch.cat([query, torch.zeros_like(keys), values])
            split[key.replace("qkv.bias", "q_bias")], split[key.replace("qkv.bias", "v_bias")] = query, values
        else:
            split[key] = value
    wanted, found = recognise(plain), recognise(split)
    assert found.architecture == wanted.architecture and found.state.keys() == wanted.state.keys()
    assert all(torch.equal(found.state[key], value) for key, value in wanted.state.items())


def test_another_rotary_vit_of_timm_is_not_taken_for_dinov3() -> None:
    plain = tensors("timm_dinov3.weights.safetensors")
    with pytest.raises(WeightsError, match="reg_token"):
        recognise({key: value for key, value in plain.items() if key != "reg_token"})


def test_a_dinov3_without_registers_is_noted() -> None:
    plain = tensors("dinov3.pth")
    bare = recognise({key: value for key, value in plain.items() if key != "storage_tokens"})
    assert any("no register tokens" in note for note in bare.notes)
    assert not any("no register tokens" in note for note in recognise(plain).notes)


def test_convnext_in_timm_names() -> None:
    official = tensors("dinov3_convnext.pth")
    timm = {}
    for key, value in official.items():
        parts = key.split(".")
        if parts[0] == "downsample_layers":
            stage = ["stem"] if parts[1] == "0" else ["stages", parts[1], "downsample"]
            parts = [*stage, *parts[2:]]
        elif parts[0] == "stages":
            inner = {"dwconv": "conv_dw", "pwconv1": "mlp.fc1", "pwconv2": "mlp.fc2"}
            parts = [*parts[:2], "blocks", parts[2], *(inner.get(part, part) for part in parts[3:])]
        elif parts[0] == "norm":
            parts = ["head", *parts]
        else:
            continue
        timm[".".join(parts)] = value
    found = recognise(timm)
    assert found.layout == "timm"
    assert same(found.state, recognise(official).state)


def test_the_norm_stored_twice_must_be_one() -> None:
    plain = tensors("dinov3_convnext.pth")
    with pytest.raises(WeightsError, match=r"norms\.3\.bias"):
        recognise(plain | {"norms.3.bias": plain["norms.3.bias"] + 1})


def test_heads() -> None:
    assert [heads_of(dim) for dim in (384, 1536, 4096)] == [6, 24, 32]
    with pytest.raises(WeightsError, match="multiple of 64"):
        heads_of(100)


def test_stored_periods_are_kept() -> None:
    found = recognise(tensors("dinov3_rope_bf16.pth"))
    stored = tensors("dinov3_rope_bf16.pth")["rope_embed.periods"]
    assert found.rope_periods is not None
    assert torch.equal(found.rope_periods, stored)
    assert not torch.equal(found.rope_periods, rope_periods(128, 2))


def test_another_architecture_is_refused_with_the_differing_facts() -> None:
    found = recognise(tensors("dinov3.pth")).architecture
    check_architecture(found, replace(found, key_bias=True, query_value_bias=False), "same")
    demanded = replace(found, dim=768, heads=12, hidden=3072, depth=12)
    with pytest.raises(WeightsError, match="dim is 128 where dinov3-vitb16 has 768; depth is 2 where"):
        check_architecture(found, demanded, "dinov3-vitb16")


def test_digest_is_of_the_bytes() -> None:
    for name in ("dinov3.pth", "timm_dinov3.weights.safetensors"):
        assert read_weights(PARITY / name).digest == hashlib.sha256((PARITY / name).read_bytes()).hexdigest()


@pytest.mark.parametrize("name", ["dinov3.pth", "timm_dinov3.weights.safetensors"])
def test_truncated_files(name: str, tmp_path: Path) -> None:
    whole = (PARITY / name).read_bytes()
    target = tmp_path / f"x{Path(name).suffix}"
    for size in (0, 1, 7, 100, 5000, len(whole) // 2, len(whole) - 1):
        target.write_bytes(whole[:size])
        with pytest.raises(WeightsError, match=r"empty|damaged|not a whole"):
            read_weights(target)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_files_of_another_kind(suffix: str, tmp_path: Path) -> None:
    target = tmp_path / f"x{suffix}"
    for content in (b"<html>not found</html>", bytes(range(256)) * 20, b"hello world", b"\x80\x04N."):
        target.write_bytes(content)
        with pytest.raises(WeightsError):
            read_weights(target)
    (tmp_path / "x.zip").write_bytes(b"PK")
    with pytest.raises(WeightsError, match="ends in one of"):
        read_weights(tmp_path / "x.zip")
    with pytest.raises(WeightsError, match="no such file"):
        read_weights(tmp_path / "absent.pth")


class _Code:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_pickles_holding_code_are_not_opened(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    payload = tensors("dinov3.pth") | {"x": _Code(mark)}
    torch.save(payload, tmp_path / "new.pth")
    with pytest.raises(WeightsError, match="code"):
        read_weights(tmp_path / "new.pth")
    (tmp_path / "raw.bin").write_bytes(pickle.dumps(payload, protocol=2))
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "raw.bin")
    assert not mark.exists()


@pytest.mark.parametrize("content", [torch.zeros(3), [torch.zeros(3)], {}, {"epoch": 3}])
def test_files_without_named_tensors(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(WeightsError, match=r"dictionary of tensors|no tensors"):
        read_weights(tmp_path / "x.pt")


def _hub_folder(folder: Path) -> dict[str, Tensor]:
    found = recognise(tensors("dinov3.pth"))
    state = {key.removeprefix("model."): value.contiguous() for key, value in found.state.items()}
    state["embeddings.mask_token"] = torch.zeros(1, 1, 128)
    folder.mkdir()
    save_file(state, folder / "model.safetensors")
    config = {
        "model_type": "dinov3_vit",
        "num_attention_heads": 2,
        "hidden_size": 128,
        "layer_norm_eps": 1e-5,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return state


def test_hugging_face_folders(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    _hub_folder(folder)
    weights = read_weights(folder)
    found = recognise(weights.tensors, config=weights.config)
    official = recognise(tensors("dinov3.pth"))
    assert (found.layout, found.architecture) == ("huggingface", official.architecture)
    assert same(found.state, official.state)
    assert read_weights(folder / "model.safetensors").config == weights.config
    assert weights.digest == hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert same(recognise({f"model.{k}": v for k, v in weights.tensors.items()}).state, official.state)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"model_type": "vit"}, "model_type"),
        ({"num_attention_heads": 3}, "cannot share"),
        ({"num_attention_heads": "two"}, "must be a number"),
        ({"hidden_size": 384}, "hidden_size 384"),
        ({"hidden_act": 3}, "knows no hidden_act 3"),
        ({"rope_theta": -1}, "rope_theta"),
    ],
)
def test_configurations_that_contradict_the_tensors(
    config: dict[str, object], reason: str, tmp_path: Path
) -> None:
    state = _hub_folder(tmp_path / "hub")
    with pytest.raises(WeightsError, match=reason):
        recognise(state, config=config)


def test_damaged_folders(tmp_path: Path) -> None:
    folder = tmp_path / "hub"
    _hub_folder(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(WeightsError, match="not JSON"):
        read_weights(folder)
    (folder / "config.json").unlink()
    assert "no config.json" in recognise(read_weights(folder).tensors).notes[0]
    whole = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    with pytest.raises(WeightsError, match="holds none of"):
        read_weights(folder)
    index = folder / "model.safetensors.index.json"
    names = dict.fromkeys(whole, "model-00001-of-00002.safetensors")
    for table, reason in [
        (names | {"norm.bias": "model-00002-of-00002.safetensors"}, "which is missing"),
        (names | {"absent": "model-00001-of-00002.safetensors"}, "in none of its files"),
        ({"norm.bias": "../hub/model-00001-of-00002.safetensors"}, "no file of this folder"),
        ({}, "no table"),
    ]:
        index.write_text(json.dumps({"weight_map": table}))
        with pytest.raises(WeightsError, match=reason):
            read_weights(folder)
    index.write_text(json.dumps({"weight_map": names}))
    assert same(dict(read_weights(folder).tensors), whole)
