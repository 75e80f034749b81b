"""ViTs of other families: prefix tokens are measured, normalisation is read, nothing is guessed.

`timm`'s ViTs are run in ``test_timm.py``; here a small fake module with its documented interface
(``is_model``, ``list_models``, ``get_pretrained_cfg``, ``create_model``, and models with
``forward_intermediates``) shows what is asked of it and what is said where it refuses.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from dinoscope.backbones import hub, licences
from dinoscope.backbones.families.foreign import ForeignBackbone, cut_tokens
from dinoscope.backbones.families.huggingface import load_huggingface
from dinoscope.backbones.families.timm import load_timm
from dinoscope.errors import (
    BackboneError,
    LayerError,
    MissingExtraError,
    ShapeError,
    UnknownBackboneError,
    WeightsError,
)
from tests.backbones.stand_in_hub import StandInHub, point_at
from tests.backbones.tiny_families import tiny

PATCH = 8
STATED = {"image_mean": [0.5, 0.4, 0.3], "image_std": [0.25, 0.2, 0.1], "do_normalize": True}


def _saved(family: str, folder: Path, **changes: Any) -> nn.Module:
    model: Any = tiny(family)
    model.save_pretrained(folder)
    (folder / hub.PREPROCESSOR).write_text(json.dumps({**STATED, **changes}))
    return model


def _pixels(h: int, w: int, b: int = 1) -> torch.Tensor:
    return torch.randn(b, 3, h * PATCH, w * PATCH, generator=torch.Generator().manual_seed(h + w))


def test_layers_are_blocks_and_the_norm_is_the_last_one(tmp_path: Path) -> None:
    model = _saved("vit", tmp_path)
    backbone = load_huggingface(str(tmp_path))
    network: Any = model
    with torch.no_grad():
        states = network(_pixels(4, 4), output_hidden_states=True).hidden_states
        for final_norm in (False, True):
            outputs = backbone.forward(_pixels(4, 4), layers=(2, 0), final_norm=final_norm)
            assert list(outputs.patches) == [2, 0]
            for layer in (0, 2):
                whole = network.layernorm(states[layer + 1]) if final_norm else states[layer + 1]
                torch.testing.assert_close(outputs.patches[layer].flatten(1, 2), whole[:, 1:])
                alone = backbone.forward(_pixels(4, 4), layers=(layer,), final_norm=final_norm)
                torch.testing.assert_close(alone.patches[layer], outputs.patches[layer])


def test_facts_are_read_not_guessed(tmp_path: Path) -> None:
    _saved("siglip", tmp_path)
    backbone = load_huggingface(str(tmp_path))
    assert backbone.spec.mean == (0.5, 0.4, 0.3)
    assert backbone.spec.std == (0.25, 0.2, 0.1)
    spec = backbone.spec
    assert (spec.patch_size, spec.dim, spec.depth, spec.heads) == (8, 32, 3, 2)
    assert len(backbone.origin.digest) == 64
    assert not backbone.spec.control
    _saved("siglip", tmp_path, do_normalize=False)
    assert load_huggingface(str(tmp_path)).spec.std == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_mean": None}, "no usable image_mean"),
        ({"image_std": [0.5]}, "no usable image_mean"),
        ({"rescale_factor": 1.0}, "scale colours"),
        ({"do_rescale": False}, "scale colours"),
    ],
)
def test_an_unclear_normalisation_is_refused(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    _saved("vit", tmp_path, **changes)
    with pytest.raises(WeightsError, match=reason):
        load_huggingface(str(tmp_path))


def test_no_preprocessor_config_is_refused(tmp_path: Path) -> None:
    _saved("vit", tmp_path)
    (tmp_path / hub.PREPROCESSOR).unlink()
    with pytest.raises(WeightsError, match="mean and std cannot be known") as caught:
        load_huggingface(str(tmp_path))
    assert "preprocessor_config.json" in caught.value.steps[0]


def test_random_weights_are_never_passed_off_as_loaded(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    _saved("vit", tmp_path)
    weights = load_file(tmp_path / hub.SINGLE)
    dropped = next(key for key in weights if ".1." in key)
    save_file({k: v for k, v in weights.items() if k != dropped}, tmp_path / hub.SINGLE, {"format": "pt"})
    with pytest.raises(WeightsError, match="lacks 1 tensors"):
        load_huggingface(str(tmp_path))


def test_an_unsupported_family_is_named(tmp_path: Path) -> None:
    from transformers import ResNetConfig, ResNetModel

    ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8], depths=[1])).save_pretrained(tmp_path)
    (tmp_path / hub.PREPROCESSOR).write_text(json.dumps(STATED))
    with pytest.raises(WeightsError, match="model_type 'resnet', which is not supported") as caught:
        load_huggingface(str(tmp_path))
    assert "py:MODULE:FUNCTION" in caught.value.steps[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_hidden_layers": 10**9}, "num_hidden_layers 1e\\+09, which no network has"),
        ({"hidden_size": 10**12}, "hidden_size 1e\\+12"),
        ({"layers": {"depth": [3, 10**6]}}, "depth 1e\\+06"),
        ({"hidden_size": 9_000_000, "intermediate_size": 9_000_000}, "parameters, its weights are only"),
        ({"hidden_size": 0}, "cannot be loaded"),
        ({"hidden_size": 48}, "another shape than its config.json describes"),
        ({"num_attention_heads": 5}, "cannot be loaded|does not take|another shape than its config.json"),
        ({"patch_size": "eight"}, "cannot be loaded"),
        ({"hidden_act": "nonsense"}, "cannot be loaded"),
        ({"model_type": ["vit"]}, "not supported"),
        ({"model_type": None}, "not supported"),
        ({"auto_map": {"AutoModel": "evil.Model"}, "model_type": "evil"}, "not supported"),
    ],
)
def test_absurd_settings_are_refused_before_anything_is_built(
    changes: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    _saved("vit", tmp_path)
    config = json.loads((tmp_path / hub.CONFIG).read_text())
    (tmp_path / hub.CONFIG).write_text(json.dumps(config | changes))
    with pytest.raises(WeightsError, match=reason) as caught:
        load_huggingface(str(tmp_path))
    assert caught.value.name == f"hf:{tmp_path}"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, None])
@pytest.mark.parametrize("file", [hub.CONFIG, hub.PREPROCESSOR])
def test_damaged_descriptions(content: bytes | None, file: str, tmp_path: Path) -> None:
    _saved("vit", tmp_path)
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_bytes(content)
    with pytest.raises(WeightsError, match=r"config\.json"):
        load_huggingface(str(tmp_path))


@pytest.mark.parametrize("file", [hub.PROCESSOR, hub.VIDEO_PREPROCESSOR])
def test_colours_stated_in_another_file(file: str, tmp_path: Path) -> None:
    _saved("vit", tmp_path)
    facts = {"image_mean": [0.1] * 3, "image_std": [0.2] * 3}
    (tmp_path / file).write_text(json.dumps({"image_processor": facts} if file == hub.PROCESSOR else facts))
    assert load_huggingface(str(tmp_path)).spec.mean == (0.5, 0.4, 0.3), "its own file goes first"
    (tmp_path / hub.PREPROCESSOR).unlink()
    assert load_huggingface(str(tmp_path)).spec.mean == (0.1, 0.1, 0.1)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n# A model", "mit"),
        ("---\nlicense: apache-2.0\n---\n", licences.APACHE),
        ("---\nlicense: other\nlicense_name: fair-noncommercial\n---\n", "fair-noncommercial"),
        ("---\nlicense: [mit, other]\n---\n", "not stated"),
        ("---\nlicense: {\n---\n", "not stated"),
        ("# A model without front matter", "not stated"),
        (None, "not stated"),
    ],
)
def test_the_licence_is_read_from_the_card(card: str | None, licence: str, tmp_path: Path) -> None:
    _saved("vit", tmp_path)
    if card is not None:
        (tmp_path / hub.CARD).write_text(card)
    assert load_huggingface(str(tmp_path)).spec.licence == licence


def test_a_variant_alone(tmp_path: Path) -> None:
    model: Any = tiny("vit")
    model.save_pretrained(tmp_path, variant="fp16")
    (tmp_path / hub.PREPROCESSOR).write_text(json.dumps(STATED))
    assert not (tmp_path / hub.SINGLE).exists()
    assert load_huggingface(str(tmp_path)).spec.dim == 32
    (tmp_path / "model.fp16.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"holds neither model\.safetensors nor") as caught:
        load_huggingface(str(tmp_path))
    assert "save_pretrained" in caught.value.steps[0]


def test_a_pointer_instead_of_weights(tmp_path: Path) -> None:
    _saved("vit", tmp_path)
    (tmp_path / hub.SINGLE).write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(WeightsError, match="pointer of Git LFS"):
        load_huggingface(str(tmp_path))


def test_folders_of_the_cache_and_of_the_trainer(tmp_path: Path) -> None:
    _saved("vit", tmp_path / "models--some--vit" / "snapshots" / "abc")
    backbone = load_huggingface(str(tmp_path / "models--some--vit"))
    assert backbone.origin.notes[0] == "revision abc of this cache of the hub"
    for step in (5, 10):
        _saved("vit", tmp_path / "run" / f"checkpoint-{step}")
    assert "checkpoint-10" in load_huggingface(str(tmp_path / "run")).origin.notes[0]


def test_from_the_hub_and_from_its_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _saved("vit", tmp_path / "made")
    files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    with StandInHub({"some/vit": files}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        first = load_huggingface("some/vit")
        assert sorted(stand_in.downloaded) == ["config.json", "model.safetensors", "preprocessor_config.json"]
        asked = len(stand_in.requests)
        again = load_huggingface("some/vit")
        assert len(stand_in.requests) == asked
    assert first.origin == again.origin
    assert first.origin.source.startswith("hub:some/vit@")


def test_a_hub_model_without_preprocessor_config_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with StandInHub(
        {"some/vit": {"config.json": b'{"model_type": "vit"}', "model.safetensors": b""}}
    ) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match="mean and std cannot be known"):
            load_huggingface("some/vit")


def test_the_licence_of_published_weights_goes_with_them(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    fake_timm: ModuleType,
) -> None:
    monkeypatch.setattr(licences, "_given", set())
    _saved("dinov2", tmp_path / "made")
    files = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    repo = "facebook/dinov3-vits16-pretrain-lvd1689m"
    with StandInHub({repo: files}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path / "other")
        assert load_huggingface(repo).spec.licence == licences.DINOV3
    assert "DINOv3 License" in capsys.readouterr().err
    monkeypatch.setattr(licences, "_given", set())
    fake_timm.made.pretrained_cfg["license"] = "dinov3-license"
    fake_timm.get_pretrained_cfg = lambda name: SimpleNamespace(hf_hub_id=repo)
    assert load_timm("vit_fake.tag").spec.licence == licences.DINOV3
    assert "DINOv3 License" in capsys.readouterr().err


def test_what_is_neither_folder_nor_repository() -> None:
    with pytest.raises(UnknownBackboneError):
        load_huggingface("nonsense")
    for reference in ("/no/such/folder", "./none", "~/none"):
        with pytest.raises(WeightsError, match="no such folder"):
            load_huggingface(reference)


def test_a_changed_dtype_leaves_the_old_one_alone(tmp_path: Path) -> None:
    _saved("vit", tmp_path)
    backbone = load_huggingface(str(tmp_path))
    before = backbone.forward(_pixels(2, 3)).patches[2]
    half = backbone.to("cpu", torch.bfloat16)
    assert isinstance(half, ForeignBackbone)
    assert (half.dtype, backbone.dtype) == (torch.bfloat16, torch.float32)
    rough = half.forward(_pixels(2, 3)).patches[2]
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, before, atol=0.1, rtol=0.1)
    assert torch.equal(backbone.forward(_pixels(2, 3)).patches[2], before)
    assert backbone.to("cpu") is backbone


def test_a_sequence_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ShapeError):
        cut_tokens({0: torch.zeros(1, 7, 4)}, 2, 3, n_prefix=0, has_cls=False, final_norm=True)


class FakeViT(nn.Module):
    """Blocks that add their number; tokens are patch means, so that every value can be foretold."""

    def __init__(self, n_prefix: int, n_registers: int) -> None:
        super().__init__()
        self.num_prefix_tokens = n_prefix
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 3)) if n_prefix > n_registers else None
        self.embed_dim = 3
        self.patch_embed = SimpleNamespace(patch_size=(PATCH, PATCH))
        self.blocks = nn.ModuleList(nn.Linear(1, 1) for _ in range(3))
        for block in self.blocks:
            block.attn = SimpleNamespace(num_heads=1)  # type: ignore[assignment]
        self.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6), "license": "apache-2.0"}

    def forward_intermediates(
        self,
        x: torch.Tensor,
        indices: list[int],
        return_prefix_tokens: bool = False,
        norm: bool = False,
        output_fmt: str = "NCHW",
        intermediates_only: bool = False,
    ) -> list[Any]:
        assert (output_fmt, intermediates_only) == ("NCHW", True)
        patches = nn.functional.avg_pool2d(x, PATCH)
        prefix = torch.arange(self.num_prefix_tokens).float()[None, :, None].expand(len(x), -1, 3)
        found = [(patches + i + 10 * norm, prefix + i) for i in range(3) if i in indices]
        return found if return_prefix_tokens else [pair[0] for pair in found]


@pytest.fixture
def fake_timm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """A `timm` with one model, whose weights lie in the local hub cache."""
    module = ModuleType("timm")
    module.calls = []  # type: ignore[attr-defined]
    module.made = FakeViT(5, 4)  # type: ignore[attr-defined]

    def create_model(name: str, **options: Any) -> nn.Module:
        module.calls.append((name, options))  # type: ignore[attr-defined]
        return module.made  # type: ignore[attr-defined, no-any-return]

    module.create_model = create_model  # type: ignore[attr-defined]
    module.is_model = lambda name: name.split(".")[0] == "vit_fake"  # type: ignore[attr-defined]
    module.list_models = lambda: ["vit_fake"]  # type: ignore[attr-defined]
    module.get_pretrained_cfg = lambda name: SimpleNamespace(hf_hub_id=f"timm/{name}")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", module)
    with StandInHub({"timm/vit_fake.tag": {"config.json": b"{}", "model.safetensors": b"w"}}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        yield module


def test_timm_states_the_facts(fake_timm: ModuleType) -> None:
    backbone = load_timm("vit_fake.tag")
    assert isinstance(backbone, ForeignBackbone)
    assert (backbone.spec.patch_size, backbone.spec.depth, backbone.spec.registers) == (8, 3, 4)
    assert (backbone.spec.mean, backbone.spec.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert backbone.spec.licence == licences.APACHE
    name, options = fake_timm.calls[0]
    assert name == "vit_fake.tag"
    assert (options["dynamic_img_size"], options["pretrained"], options["num_classes"]) == (True, True, 0)
    assert Path(options["pretrained_cfg_overlay"]["file"]).read_bytes() == b"w"


@pytest.mark.parametrize(("n_prefix", "n_registers"), [(5, 4), (1, 0), (0, 0), (4, 4)])
def test_timm_tokens(fake_timm: ModuleType, n_prefix: int, n_registers: int) -> None:
    fake_timm.made = FakeViT(n_prefix, n_registers)
    outputs = load_timm("vit_fake.tag").forward(_pixels(2, 5, b=2), layers=(2, 0), final_norm=False)
    means = nn.functional.avg_pool2d(_pixels(2, 5, b=2), PATCH).permute(0, 2, 3, 1)
    assert list(outputs.patches) == [2, 0]
    for layer in (0, 2):
        torch.testing.assert_close(outputs.patches[layer], means + layer)
        assert outputs.registers[layer].shape == (2, n_registers, 3)
    has_cls = n_prefix > n_registers
    assert set(outputs.cls) == ({0, 2} if has_cls else set())
    if has_cls:
        assert float(outputs.cls[2][0, 0]) == 2.0, "the first prefix token, after block 2"
    with pytest.raises(LayerError):
        load_timm("vit_fake.tag").forward(_pixels(2, 2), layers=(3,))
    with pytest.raises(ShapeError):
        load_timm("vit_fake.tag").forward(torch.zeros(1, 3, PATCH + 1, PATCH))


def test_an_unknown_timm_name(fake_timm: ModuleType) -> None:
    with pytest.raises(UnknownBackboneError, match="timm:vit_fake"):
        load_timm("vit_fak")


def test_a_timm_model_without_weights_on_the_hub(fake_timm: ModuleType) -> None:
    fake_timm.get_pretrained_cfg = lambda name: SimpleNamespace(hf_hub_id=None)
    with pytest.raises(WeightsError, match="no hub repository"):
        load_timm("vit_fake.tag")


def test_a_timm_model_that_is_no_vit(fake_timm: ModuleType) -> None:
    fake_timm.made = nn.Linear(1, 1)
    with pytest.raises(BackboneError, match="no ViT"):
        load_timm("vit_fake.tag")


def test_timm_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"dinoscope\[timm\]"):
        load_timm("vit_fake.tag")


def test_timm_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "timm.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(BackboneError, match="torchvision"):
        load_timm("vit_fake.tag")
