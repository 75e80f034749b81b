"""The two small models in the package: there, small, described, and what their cards say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from dinoscope.backbones import bundled, catalog
from dinoscope.backbones.load import load_backbone
from dinoscope.errors import WeightsError
from dinoscope.io.images import photograph_from_array
from dinoscope.maths.gram import gram_distance
from dinoscope.pipeline.extract import extract

NAMES = ("mini", "mini-gram")


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_model_loads_without_the_hub_and_says_what_it_is(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dinoscope.backbones.hub.locate", lambda *_: pytest.fail("the hub was asked"))
    backbone = load_backbone(name)
    assert backbone.spec.name == name and not backbone.spec.control
    assert "says nothing of DINOv3" in backbone.spec.description
    out = backbone.forward(torch.zeros(1, 3, 32, 48))
    assert out.patches[5].shape == (1, 4, 6, 128) and out.patches[5].dtype == torch.float32
    assert torch.isfinite(out.patches[5]).all()


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_small_half_precision_and_come_with_a_card(name: str) -> None:
    folder = bundled.folder(name)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 8_000_000
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.float16}
    said = (folder / "README.md").read_text()
    for needed in ("Data", "Training", "Command", "Machine", "What it is not", "not trained on"):
        assert needed in said
    settings = json.loads((folder / "training.json").read_text())
    assert settings["second_stage"]["anchor"] == ("gram" if name == "mini-gram" else "none")


def test_both_share_a_trunk_and_differ() -> None:
    first, second = (load_file(bundled.folder(name) / "model.safetensors") for name in NAMES)
    assert first.keys() == second.keys()
    assert any(not torch.equal(first[key], second[key]) for key in first)
    settings = [json.loads((bundled.folder(name) / "training.json").read_text()) for name in NAMES]
    stages = [s.pop("second_stage") for s in settings]
    assert settings[0] == settings[1] and stages[0]["start"] == stages[1]["start"]


def test_trained_features_are_not_those_of_random_weights() -> None:
    rng = np.random.default_rng(0)
    pixels = np.kron(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), np.ones((32, 32, 1), np.uint8))
    photograph = photograph_from_array(pixels, name="blocks")
    mini, other = (next(extract([photograph], load_backbone(n), grid=16)) for n in ("mini", "random:mini"))
    assert gram_distance(mini, other) > 0.001


def test_a_package_without_the_weights_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("dinoscope.backbones.bundled.files", lambda _: tmp_path)
    with pytest.raises(WeightsError, match="install dinoscope again"):
        load_backbone("mini")


def test_they_are_toys_and_what_is_made_of_them_to_compare_with_is_a_control() -> None:
    assert [load_backbone(name).spec.kind for name in NAMES] == ["toy", "toy"]
    assert load_backbone("mini").spec.toy and load_backbone("key:mini").spec.kind == "toy"
    assert [load_backbone(name).spec.kind for name in ("random:mini", "blur:mini", "pixels")] == [
        "control"
    ] * 3


def test_the_catalog_knows_them_as_bundled() -> None:
    for name in NAMES:
        entry = catalog.find(name)
        assert entry.bundled and not entry.sources and not entry.gated
        assert catalog.official("", "") is None
