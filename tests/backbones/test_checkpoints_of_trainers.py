"""Checkpoints as training scripts, hubs and browsers leave them: one network is found in each, or the file is
named for what it is and the message says what to do."""

from __future__ import annotations

import argparse
import collections
import datetime
import json
import pathlib
import pickle
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from dinoscope.backbones.checkpoints.checkpoint import read_weights, recognise
from dinoscope.backbones.checkpoints.files import flatten
from dinoscope.backbones.checkpoints.pickles import LEFT_OUT, MAPPINGS, LeftOut, read_pickle
from dinoscope.backbones.load import load_backbone
from dinoscope.errors import WeightsError

PARITY = Path(__file__).parent.parent / "data" / "parity"
NETWORKS = ("dinov2_reg.pth", "dinov3.pth", "dinov3_convnext.pth")
PREFIXES = (
    "pretrained",
    "encoder",
    "trunk",
    "net",
    "student",
    "vit",
    "visual",
    "dino",
    "dinov3",
    "ema_model",
    "image_encoder",
    "feature_extractor",
    "backbone.model",
    "model.encoder",
    "base_model.model",
    "model.backbone.vit",
    "teacher_backbone",
    "student_backbone",
    "backbone.dinov3",
    "_model_wrapper._model",
    "module.encoder",
    "wrapped_model._model",
    "target_encoder.backbone",
    "teacher_embedding_model.wrapped_model._model",
    "embeddings",
)


def tensors(name: str = "dinov3.pth") -> dict[str, Tensor]:
    return dict(read_weights(PARITY / name).tensors)


def under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in state.items()}


def shifted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Another network of the same shape."""
    return {key: value + 0.01 if value.is_floating_point() else value for key, value in state.items()}


def is_that(state: Any, plain: dict[str, Tensor]) -> bool:
    found, expected = recognise(state).state, recognise(plain).state
    return found.keys() == expected.keys() and all(torch.equal(found[key], expected[key]) for key in found)


def is_that_one(state: Any, inside: str, plain: dict[str, Tensor]) -> bool:
    """The final norm is enough to tell shifted networks apart."""
    found, expected = recognise(state, inside=inside).state, recognise(plain).state
    return torch.equal(found["norm.weight"], expected["norm.weight"])


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_any_prefix(name: str, prefix: str) -> None:
    plain = tensors(name)
    state = under(prefix, plain)
    assert is_that(state, plain)
    assert f"the network under {prefix!r}, the only one in the file" in recognise(state).notes


@pytest.mark.parametrize(
    ("prefixes", "taken"),
    [
        (("student.backbone", "teacher.backbone"), "teacher.backbone"),
        (("gram_teacher.vit", "model_ema.vit", "student.vit", "teacher.vit"), "teacher.vit"),
        (("gram_teacher", "student", "model_ema"), "model_ema"),
        (("model", "ema"), "ema"),
        (("student_model", "teacher_model"), "teacher_model"),
    ],
)  # fmt: skip
def test_of_several_the_teacher_or_else_the_average(prefixes: tuple[str, ...], taken: str) -> None:
    plain = tensors()
    state: dict[str, Tensor] = {}
    for prefix in prefixes:
        state |= under(prefix, plain if prefix == taken else shifted(plain))
    assert is_that(state, plain)
    note = recognise(state).notes[0]
    assert f"under {taken!r}; also in the file" in note
    assert all(repr(other) in note for other in prefixes if other != taken)


@pytest.mark.parametrize(
    "prefixes",
    [
        ("model", "backbone"),
        ("student", "gram_teacher"),
        ("a.teacher", "b.teacher"),
        ("encoder", "predictor"),
    ],
)
def test_several_with_nothing_to_choose_by_are_listed_and_chosen_by_name(
    prefixes: tuple[str, str], tmp_path: Path
) -> None:
    plain = tensors()
    torch.save(under(prefixes[0], plain) | under(prefixes[1], shifted(plain)), tmp_path / "two.pth")
    path = tmp_path / "two.pth"
    with pytest.raises(WeightsError, match="more than one network") as caught:
        load_backbone(str(path))
    assert caught.value.name == str(path)
    assert caught.value.steps == tuple(f"choose one: PATH#{prefix}" for prefix in sorted(prefixes))
    pixels = torch.zeros(1, 3, 32, 32)
    alone = load_backbone(weights=PARITY / "dinov3.pth").forward(pixels).patches[1]
    first, second = (load_backbone(f"{path}#{prefix}") for prefix in prefixes)
    assert torch.equal(first.forward(pixels).patches[1], alone)
    assert not torch.equal(second.forward(pixels).patches[1], alone)
    assert torch.equal(load_backbone(weights=f"{path}#{prefixes[0]}.").forward(pixels).patches[1], alone)
    with pytest.raises(WeightsError, match=f"there are '{min(prefixes)}'"):
        load_backbone(f"{path}#elsewhere")


def test_a_file_may_have_the_mark_in_its_name(tmp_path: Path) -> None:
    shutil.copy(PARITY / "dinov3.pth", tmp_path / "run#3.pth")
    assert load_backbone(str(tmp_path / "run#3.pth")).spec.name == "run#3"


def test_the_average_inside_of_what_it_averages() -> None:
    plain = tensors()
    assert is_that(under("model", shifted(plain)) | under("model.ema", plain), plain)
    assert is_that(shifted(plain) | under("teacher", plain), plain)
    assert is_that_one(shifted(plain) | under("teacher", plain), ".", shifted(plain))
    with pytest.raises(WeightsError, match=r"choose one: PATH#\.\n"):
        recognise(plain | under("other", plain))
    outer = recognise(under("a", plain) | under("a.b", shifted(plain)), inside="a")
    assert torch.equal(outer.state["norm.weight"], plain["norm.weight"])
    assert any("ignored beside the network: a.b (" in note for note in outer.notes)


@pytest.mark.parametrize(
    "head", ["depth_head.projects.0", "decode_head.conv_seg", "fc", "neck.0", "heads.dino.last_layer"]
)
def test_what_lies_beside_is_ignored_by_name(head: str) -> None:
    plain = tensors()
    found = recognise(
        under("backbone", plain) | {f"{head}.weight": torch.ones(2), f"{head}.bias": torch.ones(2)}
    )
    assert {f"{head}.weight", f"{head}.bias"} <= set(found.ignored)
    assert any(f"{head.partition('.')[0]} (2 tensors)" in note for note in found.notes)


@pytest.mark.parametrize("head", ["linear_head", "fc", "head", "classifier", "seg_head.0"])
def test_a_head_in_one_row_with_the_network(head: str) -> None:
    plain = tensors()
    found = recognise(plain | {f"{head}.weight": torch.ones(2, 2)})
    assert any(f"{head}.weight" in note for note in found.notes)
    for part in ("cls_norm.weight", "adapter.weight", "blocks.0.attn.q_norm.weight"):
        with pytest.raises(WeightsError, match=f"unknown: {re.escape(part)}"):
            recognise(plain | {part: torch.ones(2)})


@pytest.mark.parametrize("word", ["_checkpoint_wrapped_module", "_orig_mod", "_fsdp_wrapped_module"])
def test_wrapper_words_inside_names(word: str) -> None:
    plain = tensors()
    inside = {re.sub(r"^(blocks\.\d+)\.", rf"\1.{word}.", key): value for key, value in plain.items()}
    assert inside.keys() != plain.keys()
    assert is_that(inside, plain)
    assert is_that(under(f"teacher.backbone.{word}", inside), plain)
    with pytest.raises(WeightsError, match="two tensors would be"):
        recognise(plain | inside)


def test_single_numbers_beside(tmp_path: Path) -> None:
    plain = tensors()
    found = recognise(plain | {"iteration": torch.tensor(5), "epoch": torch.tensor(2)})
    assert {"iteration", "epoch"} <= set(found.ignored)
    with pytest.raises(WeightsError, match=r"unknown: blocks\.0\.scale"):
        recognise(plain | {"blocks.0.scale": torch.tensor(5.0)})


@pytest.mark.parametrize("ending", [".ckpt", ".pth.tar", ".pt.tar", ".bin", ".pkl", ".PTH"])
def test_endings(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"run{ending}"
    torch.save({"state_dict": under("module", tensors())}, path)
    assert load_backbone(str(path)).spec.name == "run"


BESIDE = {
    "a numpy number": np.float64(0.9),
    "a numpy array": np.arange(3.0),
    "an array of objects": np.array([None, "x"], dtype=object),
    "a Namespace": argparse.Namespace(arch="vit_small", nested=argparse.Namespace(lr=0.1)),
    "a path": Path("/data/x"),
    "a Windows path": pathlib.PureWindowsPath("C:/data"),
    "a time": datetime.datetime(2026, 1, 2, tzinfo=None),
    "a list of them": [np.float32(1), Path("x")],
    "a frozen set": frozenset({1}),
    "a dictionary with a default": collections.defaultdict(list, a=[1]),
    "a queue": collections.deque([1, 2]),
    "a version": torch.__version__,
    "a moment": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "a slice and a range": (slice(3), range(2)),
}


@pytest.mark.parametrize("what", BESIDE)
def test_objects_beside_the_tensors_are_left_out(what: str, tmp_path: Path) -> None:
    plain = tensors()
    torch.save({"model": plain, "extra": BESIDE[what], "args": {"inner": BESIDE[what]}}, tmp_path / "x.pth")
    weights = read_weights(tmp_path / "x.pth")
    assert is_that(weights.tensors, plain)
    named = {"a dictionary with a default": "args.inner.a, extra.a"}.get(what, "extra, args.inner")
    assert weights.notes == (f"left out, not tensors: {named}",)


def test_nothing_of_them_is_made(tmp_path: Path) -> None:
    before = torch.serialization.get_safe_globals()
    held = {"x": np.arange(3.0), "p": Path("x"), "n": argparse.Namespace(a=1)}
    torch.save(held, tmp_path / "x.pth")
    assert {type(value) for value in read_pickle(tmp_path / "x.pth").values()} == {LeftOut}  # type: ignore[attr-defined]
    more = set(torch.serialization.get_safe_globals()) - set(before)  # torch may import more of its own
    assert all(allowed.__module__.partition(".")[0] == "torch" for allowed in more)
    assert not any(
        re.match(r"(os|sys|posix|nt|subprocess|functools|operator|codecs)\.", name) for name in LEFT_OUT
    )
    names = {name.partition(".")[2] for name in LEFT_OUT if name.startswith("builtins.")}
    assert names == {"dict", "float", "frozenset", "int", "list", "range", "set", "slice"}, "no function"


@pytest.mark.parametrize(
    "holder", [collections.UserDict({"a": 1}), np.random.default_rng(0), torch.nn.Linear(2, 2)]
)
def test_other_objects_are_named_and_refused(holder: object, tmp_path: Path) -> None:
    torch.save({"model": tensors(), "x": holder}, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=r"Python objects or code \(\S+\)") as caught:
        read_weights(tmp_path / "x.pth")
    assert "safetensors" in caught.value.steps[0]


class _Calls:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.write_text, (self.mark, "ran")


def test_a_dictionary_whose_attributes_lie(tmp_path: Path) -> None:
    class Lies:
        def __reduce__(self) -> Any:
            return collections.OrderedDict, (), {"items": "no method"}, None, iter(tensors().items())

    torch.save({"model": Lies()}, tmp_path / "x.pth")
    assert is_that(read_weights(tmp_path / "x.pth").tensors, tensors())


CONFIGURATIONS = (
    "omegaconf.dictconfig.DictConfig",
    "pytorch_lightning.utilities.parsing.AttributeDict",
    "yacs.config.CfgNode",
    "mmengine.logging.history_buffer.HistoryBuffer",
)


@pytest.mark.parametrize(
    ("name", "base"), [(name, dict if name in MAPPINGS else object) for name in CONFIGURATIONS]
)
def test_configurations_of_packages_that_are_not_installed(
    name: str, base: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written where the package is, read where it is not."""
    module, _, short = name.rpartition(".")
    made = type(short, (base,), {"__module__": module})
    parts = module.split(".")
    for i in range(len(parts)):
        monkeypatch.setitem(sys.modules, ".".join(parts[: i + 1]), ModuleType(parts[i]))
    setattr(sys.modules[module], short, made)
    held = made()
    if base is dict:
        held["lr"] = 0.1
    held.lr = 0.1
    torch.save({"model": tensors(), "hyper_parameters": held}, tmp_path / "x.ckpt")
    for i in range(len(parts)):
        monkeypatch.delitem(sys.modules, ".".join(parts[: i + 1]))
    assert read_weights(tmp_path / "x.ckpt").notes == (
        f"left out, not tensors: hyper_parameters{'.lr' if base is dict else ''}",
    )


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_an_allowed_class_opens_no_door(protocol: int, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    payload = pickle.dumps({"p": Path("x"), "code": _Calls(mark)}, protocol=protocol)
    (tmp_path / "x.bin").write_bytes(payload)
    with pytest.raises(WeightsError):
        read_weights(tmp_path / "x.bin")
    assert not mark.exists()


def test_dictionaries_that_hold_themselves() -> None:
    ring: dict[str, Any] = {"x": torch.zeros(1)}
    ring |= {"a": ring, "b": ring}
    with pytest.raises(WeightsError, match="without end"):
        flatten(ring)
    shared = {"x": torch.zeros(1)}
    assert set(flatten({"a": shared, "b": shared})) == {"a.x", "b.x"}


def test_distributed_checkpoints_name_the_conversion(tmp_path: Path) -> None:
    (tmp_path / "__0_0.distcp").write_bytes(b"x")
    (tmp_path / ".metadata").write_bytes(b"x")
    for path in (tmp_path, tmp_path / "__0_0.distcp"):
        with pytest.raises(WeightsError, match="dcp_to_torch"):
            read_weights(path)
    flat = {
        f"teacher.backbone._fsdp_wrapped_module{part}._flat_param": torch.zeros(5)
        for part in ("", ".blocks.0")
    }
    with pytest.raises(WeightsError, match="FULL_STATE_DICT"):
        recognise(flat)


def test_lora() -> None:
    plain = tensors("dinov2.pth")
    assert is_that(under("base_model.model", plain), plain)
    unmerged: dict[str, Tensor] = {}
    for key, value in plain.items():
        name = f"base_model.model.{key}"
        if key.endswith("attn.qkv.weight"):
            stem = name.removesuffix(".weight")
            unmerged |= {
                f"{stem}.base_layer.weight": value,
                f"{stem}.lora_A.default.weight": torch.zeros(4, 128),
            }
        else:
            unmerged[name] = value
    adapter = {key: value for key, value in unmerged.items() if "lora" in key}
    wrapped = {key: value for key, value in unmerged.items() if "lora" not in key}
    other = plain | {"blocks.0.attn.qkv.lora_a": torch.zeros(4, 128)}
    for state in (unmerged, adapter, wrapped, other):
        with pytest.raises(WeightsError, match="LoRA adapter that is not merged") as caught:
            recognise(state)
        assert "merge_and_unload" in caught.value.steps[0]


def hub_files(folder: Path) -> dict[str, Tensor]:
    """`config.json` and tensors by Hugging Face's names."""
    found = recognise(tensors())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"model_type": "dinov3_vit", "num_attention_heads": 2}))
    return {key.removeprefix("model."): value.contiguous() for key, value in found.state.items()}


def test_folders_of_the_hub_cache(tmp_path: Path) -> None:
    cache = tmp_path / "models--facebook--some"
    for revision in ("aaa", "bbb"):
        state = hub_files(cache / "snapshots" / revision)
        save_file(
            state if revision == "bbb" else shifted(state),
            cache / "snapshots" / revision / "model.safetensors",
        )
    with pytest.raises(WeightsError, match="2 revisions") as caught:
        read_weights(cache)
    assert str(cache / "snapshots" / "aaa") in caught.value.steps[0]
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text("bbb\n")
    weights = read_weights(cache)
    assert is_that(weights.tensors, tensors())
    assert weights.config is not None
    assert weights.notes == ("revision bbb, main, of this cache of the hub",)
    shutil.rmtree(cache / "refs")
    shutil.rmtree(cache / "snapshots" / "aaa")
    assert is_that(read_weights(cache).tensors, tensors())


@pytest.mark.parametrize(
    ("index", "shard"),
    [
        ("model.safetensors.index.json", "model-0000{}-of-00002.safetensors"),
        ("pytorch_model.bin.index.json", "pytorch_model-0000{}-of-00002.bin"),
    ],
)
def test_sharded_folders(index: str, shard: str, tmp_path: Path) -> None:
    state = hub_files(tmp_path)
    table = {key: shard.format(1 + i % 2) for i, key in enumerate(state)}
    for file in set(table.values()):
        part = {key: value for key, value in state.items() if table[key] == file}
        (save_file if file.endswith("safetensors") else torch.save)(part, tmp_path / file)
    (tmp_path / index).write_text(json.dumps({"weight_map": table}))
    assert is_that(read_weights(tmp_path).tensors, tensors())
    (tmp_path / shard.format(2)).unlink()
    with pytest.raises(WeightsError, match="which is missing"):
        read_weights(tmp_path)


@pytest.mark.parametrize(
    "file", ["model.fp16.safetensors", "pytorch_model.fp16.bin", "teacher_checkpoint.pth"]
)
def test_folders_with_one_file_of_another_name(file: str, tmp_path: Path) -> None:
    state = hub_files(tmp_path)
    (save_file if file.endswith("safetensors") else torch.save)(state, tmp_path / file)
    weights = read_weights(tmp_path)
    assert is_that(weights.tensors, tensors())
    assert weights.config is not None
    assert f"the file {file} of this folder" in weights.notes
    if file != "teacher_checkpoint.pth":
        assert read_weights(tmp_path / file).config == weights.config
    torch.save(state, tmp_path / "model.bf16.bin")
    if file != "teacher_checkpoint.pth":
        with pytest.raises(WeightsError, match="2 weights files"):
            read_weights(tmp_path)


def test_folders_of_the_trainer(tmp_path: Path) -> None:
    for step in (5, 40, 100):
        state = under("dinov3", hub_files(tmp_path / f"checkpoint-{step}"))
        state["classifier.weight"] = torch.zeros(3, 128)
        save_file(
            state if step == 100 else shifted(state), tmp_path / f"checkpoint-{step}" / "model.safetensors"
        )
        torch.save({"state": {}}, tmp_path / f"checkpoint-{step}" / "optimizer.pt")
        torch.save(argparse.Namespace(), tmp_path / f"checkpoint-{step}" / "training_args.bin")
    weights = read_weights(tmp_path)
    assert is_that(weights.tensors, tensors())
    assert weights.notes == ("checkpoint-100, the last of 3 checkpoints of this training run",)
    assert is_that(read_weights(tmp_path / "checkpoint-100").tensors, tensors())
    assert not is_that(read_weights(tmp_path / "checkpoint-5").tensors, tensors())


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "pointer of Git LFS"),
        (b"<!DOCTYPE html>\n<html><body>Log in</body></html>", r"web page \(HTML\)"),
        (b"\xef\xbb\xbf\r\n  <HTML><head>", r"web page \(HTML\)"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "XML document"),
        (b'{"error": "Access to model is restricted"}', "JSON text"),
    ],
)
@pytest.mark.parametrize("ending", ["pth", "safetensors", "bin"])
def test_impostors_are_named(content: bytes, named: str, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"dinov3.{ending}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=named) as caught:
        load_backbone(str(path))
    assert caught.value.name == str(path)
    assert caught.value.steps


def timm_folder(folder: Path, **config: Any) -> Path:
    """A folder as timm's repositories are; the network has 128 channels and no stored periods."""
    plain = tensors("dinov2.pth")
    del plain["mask_token"]
    save_file(plain, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "vit_small_patch14_dinov2"} | config))
    return folder


def test_what_timm_states_goes_before_guesses(tmp_path: Path) -> None:
    cfg = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.1]}
    timm_folder(tmp_path, model_args={"num_heads": 4}, pretrained_cfg=cfg)
    stated = load_backbone(str(tmp_path))
    assert stated.spec.heads == 4
    assert (stated.spec.mean, stated.spec.std) == ((0.5, 0.4, 0.3), (0.2, 0.2, 0.1))
    assert stated.origin.statistics == "stated"
    assert "mean and std as its config.json states them" in stated.origin.notes
    assert not any("assumed" in note for note in stated.origin.notes)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.1] * 3, "image_std": [0.3] * 3})
    )
    assert load_backbone(str(tmp_path)).spec.mean == (0.1, 0.1, 0.1)
    timm_folder(tmp_path, num_heads=1, mean=[0.2] * 3, std=[0.2] * 3)
    (tmp_path / "preprocessor_config.json").unlink()
    old = load_backbone(str(tmp_path))
    assert (old.spec.heads, old.spec.mean) == (1, (0.2, 0.2, 0.2))
    for heads in (3, 0, -1, 1e999, "two", True, None):
        timm_folder(tmp_path, model_args={"num_heads": heads})
        with pytest.raises(WeightsError, match=r"attention heads|must be a number"):
            load_backbone(str(tmp_path))


def test_a_guess_is_noted(tmp_path: Path) -> None:
    guess = "2 attention heads assumed, 64 channels each, as published models have"
    assert guess in load_backbone(weights=PARITY / "dinov2.pth").origin.notes
    assert not any("heads assumed" in n for n in load_backbone(weights=PARITY / "dinov3.pth").origin.notes)
    timm_folder(tmp_path)
    notes = load_backbone(str(tmp_path)).origin.notes
    assert guess in notes
    assert any("normalisation assumed" in note for note in notes)


def test_a_name_tells_the_heads_of_a_network_of_its_width() -> None:
    plain = tensors("dinov2.pth")
    named = replace(recognise(plain).architecture, heads=4)
    found = recognise(plain, named=named)
    assert found.architecture.heads == 4
    assert not any("assumed" in note for note in found.notes)
    wider = recognise(plain, named=replace(named, dim=768, heads=12))
    assert wider.architecture.heads == 2, "so that it is the widths that differ, in the message too"
    assert recognise(plain, {"num_attention_heads": 1}, named=named).architecture.heads == 1


def test_heads_follow_from_stored_periods() -> None:
    plain = tensors("dinov3.pth")
    fewer = plain | {"rope_embed.periods": plain["rope_embed.periods"][:8].contiguous()}
    assert recognise(fewer).architecture.heads == 4


def test_places_of_registers_in_the_position_table() -> None:
    official = tensors("dinov2_reg.pth")
    places = torch.randn(1, 5, 128, generator=torch.Generator().manual_seed(0))
    timm = {key: value for key, value in official.items() if key not in ("mask_token", "register_tokens")}
    timm["reg_token"] = official["register_tokens"] - places[:, 1:]
    timm["cls_token"] = official["cls_token"] + official["pos_embed"][:, :1] - places[:, :1]
    timm["pos_embed"] = torch.cat([places, official["pos_embed"][:, 1:]], dim=1)
    found, expected = recognise(timm), recognise(official)
    assert found.architecture == expected.architecture
    first, second = dict(found.state), dict(expected.state)
    for state in (first, second):
        table = state.pop("embeddings.position_embeddings")
        state["embeddings.cls_token"] = state["embeddings.cls_token"] + table[:, :1]
        state["patches"] = table[:, 1:]
    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(value, second[key], atol=1e-6, rtol=0)


def test_a_plain_vit_has_scales_of_one() -> None:
    official = tensors("dinov2.pth")
    plain = {key: value for key, value in official.items() if ".ls" not in key}
    ones = {key: torch.ones_like(value) if ".ls" in key else value for key, value in official.items()}
    assert is_that(plain, ones)
    assert any("no layer scales" in note for note in recognise(plain).notes)
    with pytest.raises(WeightsError, match=r"missing: blocks\.0\.ls1\.gamma"):
        recognise({key: value for key, value in official.items() if key != "blocks.0.ls1.gamma"})


@pytest.mark.parametrize("channels", [1, 4])
def test_other_channels_than_rgb(channels: int) -> None:
    plain = tensors()
    with pytest.raises(WeightsError, match=f"3 channels .* found {channels}"):
        recognise(plain | {"patch_embed.proj.weight": torch.zeros(128, channels, 16, 16)})


def test_a_name_that_no_file_system_has() -> None:
    with pytest.raises(WeightsError):
        load_backbone("n" * 5000 + ".pth")


def test_names_of_any_length_and_letters(tmp_path: Path) -> None:
    odd = "\x1b[31m" + "x" * 5000
    torch.save({odd: tensors(), f"{odd}!": torch.zeros(2), f"{odd}?": 3}, tmp_path / "x.pth")
    notes = load_backbone(str(tmp_path / "x.pth")).origin.notes
    assert all(len(note) < 300 and note.isprintable() for note in notes), notes
    with pytest.raises(WeightsError) as caught:
        recognise({f"{odd}_flat_param": torch.zeros(2)})
    assert len(str(caught.value)) < 600
