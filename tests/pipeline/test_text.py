"""Words and patches in one space: planted vectors, the model's own, and errors that say what can be done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

import dinoscope as ds
from dinoscope.backbones import hub
from dinoscope.backbones.text import ROUTES, text_tower
from dinoscope.errors import BackboneError, InputError, WeightsError
from tests.backbones.tiny_families import SIZES, TEXT

IMAGE = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
GRID = (4, 4)
WORDS = ["cat", "grass", "sky", "dog", "photo", "of", "a", "the", "."]
STATED = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "do_normalize": True}
LONGEST = 8


def tokenizer() -> Any:
    vocabulary = {word: k for k, word in enumerate(["<pad>", "<s>", "</s>", "<unk>", *WORDS])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>"
    )


def saved(kind: str, folder: Path) -> Path:
    names = {"tipsv2": "Tipsv2", "clip": "CLIP", "metaclip_2": "MetaClip2", "siglip": "Siglip"}
    name = names[kind]
    text = TEXT | {"max_position_embeddings": LONGEST}
    torch.manual_seed(0)
    config = getattr(hf, f"{name}Config")(text_config=text, vision_config=SIZES)
    model = getattr(hf, f"{name}Model")(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    (folder / hub.PREPROCESSOR).write_text(json.dumps(STATED))
    return folder


@pytest.fixture(params=list(ROUTES))
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return saved(request.param, tmp_path)


def test_order_of_words_is_the_order_of_maps_and_nothing_else(folder: Path) -> None:
    name = f"hf:{folder}"
    found = ds.text_map(IMAGE, name, ["cat", "grass", "cat"], grid=GRID)
    assert found.values.shape == (3, 4, 4)
    assert np.array_equal(found.values[0], found.values[2])
    turned = ds.text_map(IMAGE, name, ["grass", "cat"], grid=GRID)
    np.testing.assert_allclose(turned.values, found.values[[1, 0]], atol=1e-7)
    assert (np.abs(found.values) <= 1 + 1e-9).all()
    assert not np.allclose(found.values[0], found.values[1])
    np.testing.assert_allclose(found.shares().sum(axis=0), 1.0, atol=1e-12)
    assert found.route == ROUTES[json.loads((folder / "config.json").read_text())["model_type"]].words
    x, y = found.best(1)
    assert found.values[1][found.grid.patch_at(x, y)] == found.values[1].max()


def test_text_vectors_are_the_models_own(folder: Path) -> None:
    tower = text_tower(ds.load_backbone(f"hf:{folder}"))
    whole = hf.AutoModel.from_pretrained(folder).eval()
    fed = tokenizer()(["cat", "a dog"], padding=tower.route.padding, max_length=LONGEST, return_tensors="pt")
    fed.pop("token_type_ids", None)
    with torch.no_grad():
        want = whole.get_text_features(**fed).pooler_output
    torch.testing.assert_close(
        tower.encode(["cat", "a dog"]), torch.nn.functional.normalize(want, dim=-1), atol=1e-6, rtol=0
    )


def test_a_patch_alone_is_what_the_pooling_head_makes_of_many_like_it(tmp_path: Path) -> None:
    backbone = ds.load_backbone(f"hf:{saved('siglip', tmp_path)}")
    tower = text_tower(backbone)
    patch = torch.randn(1, 32, generator=torch.Generator().manual_seed(0))
    head = backbone.model.head
    with torch.no_grad():
        pooled = head(patch.expand(1, 9, 32).contiguous())
    torch.testing.assert_close(tower.align(patch, backbone), pooled, atol=1e-5, rtol=0)


def test_templates_are_averaged(folder: Path) -> None:
    name = f"hf:{folder}"
    tower = text_tower(ds.load_backbone(name))
    both = ds.text_map(IMAGE, name, ["cat"], grid=GRID, templates=["a {}", "the {}"])
    one, other = (ds.text_map(IMAGE, name, [t], grid=GRID).values[0] for t in ("a cat", "the cat"))
    length = tower.encode(["a cat", "the cat"]).double().mean(dim=0).norm()
    np.testing.assert_allclose(both.values[0], (one + other) / 2 / float(length), atol=1e-6)


def test_a_patch_planted_in_the_direction_of_a_text_has_cosine_one(tmp_path: Path) -> None:
    backbone = ds.load_backbone(f"hf:{saved('tipsv2', tmp_path)}")
    tower = text_tower(backbone)
    sky = tower.encode(["sky"])[0]
    aligned = tower.align(7.0 * sky[None], backbone)[0]
    assert float(torch.dot(aligned / aligned.norm(), sky)) == pytest.approx(1.0, abs=1e-6)


def test_what_cannot_be_asked(folder: Path, tmp_path: Path) -> None:
    name = f"hf:{folder}"
    with pytest.raises(BackboneError, match="tipsv2, clip, metaclip_2, siglip"):
        ds.text_map(IMAGE, "mini", ["cat"], grid=GRID)
    with pytest.raises(InputError, match="list of texts"):
        ds.text_map(IMAGE, name, "cat", grid=GRID)
    with pytest.raises(InputError, match="list of texts"):
        ds.text_map(IMAGE, name, [], grid=GRID)
    with pytest.raises(InputError, match="empty text"):
        ds.text_map(IMAGE, name, ["cat", "  "], grid=GRID)
    with pytest.raises(InputError, match=r"9 tokens, hf:.* reads 8 at most"):
        ds.text_map(IMAGE, name, ["cat " * 7], grid=GRID)
    with pytest.raises(InputError, match=r"no \{\} for the text"):
        ds.text_map(IMAGE, name, ["cat"], grid=GRID, templates=["a photo"])
    with pytest.raises(InputError, match="temperature"):
        ds.text_map(IMAGE, name, ["cat"], grid=GRID).shares(0.0)


def test_a_vision_tower_alone_and_a_missing_tokenizer(tmp_path: Path) -> None:
    vision, bare = tmp_path / "vision", tmp_path / "bare"
    hf.SiglipVisionModel(hf.SiglipVisionConfig(**SIZES)).save_pretrained(vision)
    config = hf.SiglipConfig(text_config=TEXT, vision_config=SIZES)
    hf.SiglipModel(config).save_pretrained(bare)
    for folder in (vision, bare):
        (folder / hub.PREPROCESSOR).write_text(json.dumps(STATED))
    with pytest.raises(BackboneError, match="reads no words"):
        ds.text_map(IMAGE, f"hf:{vision}", ["cat"], grid=GRID)
    with pytest.raises(WeightsError, match="text tower cannot be loaded"):
        ds.text_map(IMAGE, f"hf:{bare}", ["cat"], grid=GRID)


def test_what_reads_words_is_loaded_without_bars(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    ds.text_map(IMAGE, f"hf:{folder}", ["cat"], grid=GRID)
    assert capfd.readouterr().err == ""
