"""The catalog: exact names, exact architectures, honest spellings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from dinoscope.backbones import catalog, hub, licences
from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.listing import models
from dinoscope.errors import UnknownBackboneError
from dinoscope.shell.models_command import models_text
from tests.backbones.stand_in_hub import StandInHub, point_at

BUNDLED = {"mini", "mini-gram"}
NAMES = {
    *BUNDLED,
    *(f"dinov2-{size}" for size in ("small", "base", "large", "giant")),
    *(f"dinov2-reg-{size}" for size in ("small", "base", "large", "giant")),
    *(f"dinov3-{arch}" for arch in ("vits16", "vits16plus", "vitb16", "vitl16", "vith16plus", "vit7b16")),
    *(f"dinov3-{arch}-sat" for arch in ("vitl16", "vit7b16")),
    *(f"dinov3-convnext-{size}" for size in ("tiny", "small", "base", "large")),
}

PUBLISHED_MILLIONS = {
    "dinov2-small": 21,
    "dinov2-base": 86,
    "dinov2-large": 300,
    "dinov2-giant": 1100,
    "dinov3-vits16": 21,
    "dinov3-vits16plus": 29,
    "dinov3-vitb16": 86,
    "dinov3-vitl16": 300,
    "dinov3-vith16plus": 840,
    "dinov3-vit7b16": 6716,
    "dinov3-convnext-tiny": 29,
    "dinov3-convnext-small": 50,
    "dinov3-convnext-base": 89,
    "dinov3-convnext-large": 198,
}


def test_the_names_are_the_promised_ones() -> None:
    assert set(catalog.ENTRIES) == NAMES


def _on_meta(shape: Architecture) -> torch.nn.Module:
    """The network that `transformers` builds for these facts, without memory for its weights."""
    from transformers import (
        Dinov2Config,
        Dinov2Model,
        Dinov2WithRegistersConfig,
        Dinov2WithRegistersModel,
        DINOv3ConvNextConfig,
        DINOv3ConvNextModel,
        DINOv3ViTConfig,
        DINOv3ViTModel,
    )

    sizes = {
        "hidden_size": shape.dim,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.heads,
        "patch_size": shape.patch_size,
    }
    with torch.device("meta"):
        if shape.family == "dinov3-convnext":
            return DINOv3ConvNextModel(
                DINOv3ConvNextConfig(depths=list(shape.stage_depths), hidden_sizes=list(shape.stage_dims))
            )
        if shape.family == "dinov3":
            bias = shape.query_value_bias
            return DINOv3ViTModel(
                DINOv3ViTConfig(
                    **sizes,
                    intermediate_size=shape.hidden,
                    num_register_tokens=shape.registers,
                    use_gated_mlp=shape.mlp == "swiglu",
                    query_bias=bias,
                    key_bias=shape.key_bias,
                    value_bias=bias,
                )
            )
        facts = {**sizes, "image_size": 14 * shape.position_grid, "use_swiglu_ffn": shape.mlp == "swiglu"}
        if shape.registers:
            return Dinov2WithRegistersModel(
                Dinov2WithRegistersConfig(**facts, num_register_tokens=shape.registers)
            )
        return Dinov2Model(Dinov2Config(**facts))


@pytest.mark.parametrize(
    "name", ["dinov2-base", "dinov2-reg-giant", *sorted(n for n in NAMES if "dinov3" in n)]
)
def test_parameters_are_those_of_the_built_network(name: str) -> None:
    entry = catalog.find(name)
    assert sum(p.numel() for p in _on_meta(entry.architecture).parameters()) == entry.parameters


@pytest.mark.parametrize("name", sorted(PUBLISHED_MILLIONS))
def test_parameters_are_the_published_ones(name: str) -> None:
    """Published numbers are rounded, and of DINOv2's small model rounded down by a million."""
    assert catalog.find(name).parameters / 1e6 == pytest.approx(PUBLISHED_MILLIONS[name], rel=0.06)


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("dinov2-giant", 4096),
        ("dinov3-vits16plus", 1536),
        ("dinov3-vith16plus", 5120),
        ("dinov3-vit7b16", 8192),
    ],
)
def test_gated_mlps_have_the_published_width(name: str, hidden: int) -> None:
    shape = catalog.find(name).architecture
    assert (shape.mlp, shape.hidden) == ("swiglu", hidden)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("facebook/dinov3-vitb16-pretrain-lvd1689m", "dinov3-vitb16"),
        ("facebook/dinov3-vit7b16-pretrain-sat493m", "dinov3-vit7b16-sat"),
        ("facebook/dinov2-with-registers-base", "dinov2-reg-base"),
        ("facebook/dinov2-giant", "dinov2-giant"),
        ("dinov3_vitb16", "dinov3-vitb16"),
        ("dinov2_vitb14_reg", "dinov2-reg-base"),
        ("dinov2_vitg14", "dinov2-giant"),
        ("timm/vit_small_plus_patch16_dinov3.lvd1689m", "dinov3-vits16plus"),
        ("timm/vit_base_patch14_reg4_dinov2.lvd142m", "dinov2-reg-base"),
        ("timm/convnext_tiny.dinov3_lvd1689m", "dinov3-convnext-tiny"),
        ("DINOv3-ViTB16", "dinov3-vitb16"),
    ],
)
def test_other_spellings(spelling: str, name: str) -> None:
    assert catalog.find(spelling).name == name


def test_no_spelling_means_two_models() -> None:
    spelled = [
        spelling.lower()
        for entry in catalog.ENTRIES.values()
        for spelling in (entry.name, *entry.spellings, *(source.repo for source in entry.sources))
    ]
    assert len(spelled) == len(set(spelled))


def test_a_hub_id_asks_for_that_source_first() -> None:
    ungated = catalog.find("timm/vit_base_patch16_dinov3.lvd1689m")
    assert [source.gated for source in ungated.sources] == [False, True]
    assert [source.gated for source in catalog.find("dinov3-vitb16").sources] == [True, False]


def test_an_unknown_name_offers_near_ones() -> None:
    with pytest.raises(UnknownBackboneError) as caught:
        catalog.find("dinov3-vitb")
    assert caught.value.nearest[0] == "dinov3-vitb16"
    assert catalog.nearest("pixel") == ("pixels",)
    assert catalog.nearest("qqqqqqqq") == ()


def test_only_satellite_models_have_their_own_statistics() -> None:
    for entry in catalog.ENTRIES.values():
        satellite = (entry.mean, entry.std) == ((0.430, 0.411, 0.296), (0.213, 0.156, 0.143))
        imagenet = (entry.mean, entry.std) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        assert satellite == entry.name.endswith("-sat")
        assert imagenet != satellite


def test_dinov3_is_gated_and_has_an_ungated_source_under_the_same_licence() -> None:
    for entry in catalog.ENTRIES.values():
        assert entry.gated == entry.name.startswith("dinov3")
        assert entry.licence == (licences.DINOV3 if entry.gated else licences.APACHE)
        assert entry.bundled or any(not source.gated for source in entry.sources)


def test_official_files_are_recognised_by_name_and_by_hash() -> None:
    file = "dinov3_vitl16_pretrain_sat493m-eadcf0ff.pth"
    assert catalog.official(file, "0" * 64).name == "dinov3-vitl16-sat"  # type: ignore[union-attr]
    assert catalog.official("mine.pth", "8aa4cbdd" + "0" * 56).name == "dinov3-vitl16"  # type: ignore[union-attr]
    assert catalog.official("mine.pth", "0" * 64) is None
    assert catalog.official("mine.pth", "") is None


def test_the_list_of_models_asks_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    repo = "timm/vit_small_patch16_dinov3.lvd1689m"
    with StandInHub({repo: {"config.json": b"{}", "model.safetensors": b"x"}}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        hub.locate("model", (catalog.HubSource(repo),), ())
        asked = len(stand_in.requests)
        rows = {row.name: row for row in models()}
        assert len(stand_in.requests) == asked
    assert [name for name, row in rows.items() if row.cached] == ["mini", "mini-gram", "dinov3-vits16"]
    assert rows["dinov3-vits16"].size_bytes == 4 * 21_596_544
    assert {"pixels", "random:NAME", "blur:NAME", "timm:NAME", "hf:ORG/NAME"} <= set(rows)
    assert not NAMES - set(rows)


def test_the_table_of_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point_at(monkeypatch, "http://127.0.0.1:9", tmp_path, offline=True)
    text = models_text(models())
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip() and line[0] != " "}
    assert max(map(len, text.splitlines())) <= 80
    assert set(lines) == {"NAME", *NAMES, *catalog.CONTROLS, *catalog.PREFIXES}
    assert lines["dinov3-vit7b16"].split()[1:5] == ["6.72", "G", "26.9", "GB"]
    assert lines["dinov3-vits16"].endswith("facebook (gated), timm")
    assert "gated" not in lines["dinov2-base"]
    assert lines["mini"].split()[3:] == ["2.43", "MB", "yes", "Apache-2.0", "bundled", "toy"]
    assert catalog.CONTROLS["pixels"] in " ".join(text.split())
    full = models_text(models(), full=True)
    assert all(repo in full for row in models() for repo in row.sources)
    assert models_text([]) == "no model's name fits"


def test_the_catalog_imports_neither_torch_nor_transformers() -> None:
    code = (
        "import sys; from dinoscope.backbones import catalog, listing, references; "
        "sys.exit(bool({'torch', 'transformers', 'huggingface_hub'} & set(sys.modules)))"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_a_notice_is_given_once_and_on_stderr(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licences, "_given", set())
    licences.notice(licences.DINOV3_NOTICE)
    licences.notice(licences.DINOV3_NOTICE)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.count("DINOv3 License") == 1
