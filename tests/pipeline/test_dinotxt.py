"""dino.txt of shrunken random weights in Meta's layout, against its formulas written out in plain torch."""

from __future__ import annotations

import copy
import gzip
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tokenizers.pre_tokenizers import ByteLevel
from torch import Tensor

import dinoscope as ds
from dinoscope.backbones import catalog
from dinoscope.backbones.families.dinotxt_files import HEAD_FILE, VISION, VOCABULARY
from dinoscope.backbones.text import text_tower
from dinoscope.errors import BackboneError, InputError, WeightsError
from tests.backbones.shrunken import DEPTH, DIM, HEADS, hub_files, shrink_catalog
from tests.backbones.stand_in_hub import StandInHub, closed_port, point_at

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
GRID = (4, 6)
TEXT_DIM, TEXT_DEPTH, LONGEST = 128, 2, 12
MERGES = ["c a", "ca t</w>", "d o", "do g</w>"]
N_WORDS = 512 + len(MERGES) + 2


def tensors() -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)

    def some(*shape: int) -> Tensor:
        return 0.1 * torch.randn(shape, generator=draw)

    held = {"logit_scale": some(1), "visual_model.backbone.cls_token": some(1, 1, DIM)}  # neither is needed
    for k in range(2):
        at, hidden = f"visual_model.head.blocks.{k}.", 64
        held |= {f"{at}norm{j}.{leaf}": some(DIM) for j in (1, 2) for leaf in ("weight", "bias")}
        held |= {f"{at}attn.qkv.weight": some(3 * DIM, DIM), f"{at}attn.proj.weight": some(DIM, DIM)}
        held |= {f"{at}attn.proj.bias": some(DIM), f"{at}ls1.gamma": some(DIM), f"{at}ls2.gamma": some(DIM)}
        held |= {f"{at}mlp.w{j}.weight": some(hidden, DIM) for j in (1, 2)}
        held |= {f"{at}mlp.w{j}.bias": some(hidden) for j in (1, 2)}
        held |= {f"{at}mlp.w3.weight": some(DIM, hidden), f"{at}mlp.w3.bias": some(DIM)}
    held |= {f"visual_model.head.ln_final.{leaf}": some(DIM) for leaf in ("weight", "bias")}
    text = "text_model.backbone."
    held |= {f"{text}token_embedding.weight": some(N_WORDS, TEXT_DIM)}
    held |= {f"{text}positional_embedding": some(LONGEST, TEXT_DIM)}
    for k in range(TEXT_DEPTH):
        at = f"{text}blocks.{k}."
        for norm in ("attention_norm", "ffn_norm"):
            held |= {f"{at}{norm}.{leaf}": some(TEXT_DIM) for leaf in ("weight", "bias")}
        held |= {f"{at}attention.qkv.weight": some(3 * TEXT_DIM, TEXT_DIM)}
        held |= {
            f"{at}attention.proj.weight": some(TEXT_DIM, TEXT_DIM),
            f"{at}attention.proj.bias": some(TEXT_DIM),
        }
        held |= {f"{at}feed_forward.fc1.weight": some(256, TEXT_DIM), f"{at}feed_forward.fc1.bias": some(256)}
        held |= {
            f"{at}feed_forward.fc2.weight": some(TEXT_DIM, 256),
            f"{at}feed_forward.fc2.bias": some(TEXT_DIM),
        }
    held |= {f"{text}ln_final.{leaf}": some(TEXT_DIM) for leaf in ("weight", "bias")}
    return held | {"text_model.head.linear_projection.weight": some(2 * DIM, TEXT_DIM)}


@pytest.fixture(scope="module")
def held() -> dict[str, Tensor]:
    return tensors()


@pytest.fixture
def folder(held: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Meta's files; the vision backbone is on a stand-in for the hub."""
    shrink_catalog(monkeypatch)
    torch.save(held, tmp_path / HEAD_FILE)
    lines = ["#version", *MERGES, *("x y" for _ in range(5))]  # as published: more than are used
    (tmp_path / VOCABULARY).write_bytes(gzip.compress("\n".join(lines).encode()))
    entry = catalog.find(VISION)
    with StandInHub({entry.sources[0].repo: hub_files(entry.architecture)}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path / "home")
        yield tmp_path


def attended(x: Tensor, qkv: Tensor, heads: int, *, causal: bool) -> Tensor:
    n, dim = x.shape
    q, k, v = (part.reshape(n, heads, dim // heads).transpose(0, 1) for part in (x @ qkv.T).chunk(3, dim=1))
    scores = q @ k.transpose(1, 2) / (dim // heads) ** 0.5
    if causal:
        scores = scores.masked_fill(torch.ones(n, n).triu(1).bool(), -torch.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).reshape(n, dim)


def norm(x: Tensor, held: dict[str, Tensor], name: str) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], held[f"{name}.weight"], held[f"{name}.bias"], 1e-5)


def linear(x: Tensor, held: dict[str, Tensor], name: str) -> Tensor:
    return F.linear(x, held[f"{name}.weight"], held[f"{name}.bias"])


def by_hand_head(tokens: Tensor, held: dict[str, Tensor]) -> Tensor:
    for k in range(2):
        at = f"visual_model.head.blocks.{k}."
        mixed = attended(norm(tokens, held, f"{at}norm1"), held[f"{at}attn.qkv.weight"], HEADS, causal=False)
        tokens = tokens + held[f"{at}ls1.gamma"] * linear(mixed, held, f"{at}attn.proj")
        y = norm(tokens, held, f"{at}norm2")
        gated = F.silu(linear(y, held, f"{at}mlp.w1")) * linear(y, held, f"{at}mlp.w2")
        tokens = tokens + held[f"{at}ls2.gamma"] * linear(gated, held, f"{at}mlp.w3")
    return norm(tokens, held, "visual_model.head.ln_final")


def by_hand_text(ids: list[int], held: dict[str, Tensor]) -> Tensor:
    at = "text_model.backbone."
    x = held[f"{at}token_embedding.weight"][ids] + held[f"{at}positional_embedding"][: len(ids)]
    for k in range(TEXT_DEPTH):
        b = f"{at}blocks.{k}."
        y = attended(norm(x, held, f"{b}attention_norm"), held[f"{b}attention.qkv.weight"], 2, causal=True)
        x = x + linear(y, held, f"{b}attention.proj")
        y = F.gelu(linear(norm(x, held, f"{b}ffn_norm"), held, f"{b}feed_forward.fc1"))
        x = x + linear(y, held, f"{b}feed_forward.fc2")
    last = norm(x, held, f"{at}ln_final")[-1]
    return (held["text_model.head.linear_projection.weight"] @ last)[DIM:]


def ids_of(text: str) -> list[int]:
    """Every word is one of the merges."""
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(m.replace(" ", "") for m in MERGES)]
    return [N_WORDS - 2, *(words.index(f"{word}</w>") for word in text.split()), N_WORDS - 1]


def test_patches_and_words_are_what_the_formulas_give(folder: Path, held: dict[str, Tensor]) -> None:
    backbone = ds.load_backbone(f"dinotxt:{folder}")
    assert backbone.spec.depth == DEPTH + 2 and backbone.spec.dim == DIM
    pixels = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    found = backbone.forward(pixels, (0, DEPTH - 1, DEPTH + 1))
    below = ds.load_backbone(VISION).forward(pixels, (0, DEPTH - 1))
    for layer in (0, DEPTH - 1):
        assert torch.equal(found.patches[layer], below.patches[layer])
    last = DEPTH - 1
    for k in range(2):
        parts = (below.cls[last][k][None], below.registers[last][k], below.patches[last][k].flatten(0, 1))
        want = by_hand_head(torch.cat(parts), held)
        torch.testing.assert_close(found.cls[DEPTH + 1][k], want[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(found.registers[DEPTH + 1][k], want[1:5], atol=1e-5, rtol=0)
        torch.testing.assert_close(found.patches[DEPTH + 1][k].flatten(0, 1), want[5:], atol=1e-5, rtol=0)
    encoded = text_tower(backbone).encode(["cat", "Dog  cat"])
    for vector, text in zip(encoded, ["cat", "dog cat"], strict=True):
        want = by_hand_text(ids_of(text), held)
        torch.testing.assert_close(vector, F.normalize(want, dim=0), atol=1e-5, rtol=0)


def test_without_the_norm_the_head_still_gets_what_it_was_trained_on(
    folder: Path, held: dict[str, Tensor]
) -> None:
    backbone = ds.load_backbone(f"dinotxt:{folder}")
    pixels = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    raw = backbone.forward(pixels, (DEPTH - 1, DEPTH + 1), final_norm=False)
    normed = backbone.forward(pixels).patches[DEPTH + 1]
    torch.testing.assert_close(norm(raw.patches[DEPTH + 1], held, "visual_model.head.ln_final"), normed)
    below = ds.load_backbone(VISION).forward(pixels, final_norm=False)
    assert torch.equal(raw.patches[DEPTH - 1], below.patches[DEPTH - 1])


def test_maps_of_words_laws_and_search_by_name(folder: Path) -> None:
    name = f"dinotxt:{folder}"
    found = ds.text_map(IMAGE, name, ["cat", "dog"], grid=GRID)
    turned = ds.text_map(IMAGE, name, ["dog", "cat"], grid=GRID)
    np.testing.assert_allclose(turned.values, found.values[[1, 0]], atol=1e-7)
    np.testing.assert_allclose(found.shares().sum(axis=0), 1.0, atol=1e-12)
    assert found.values.shape == (2, *GRID) and "second" not in found.route
    with pytest.raises(InputError, match=f"reads {LONGEST} at most"):
        ds.text_map(IMAGE, name, ["cat " * LONGEST], grid=GRID)
    store = ds.embed([IMAGE], ds.load_backbone(name), folder / "store")
    (hit,) = ds.search_words(store, "cat", k=1).hits
    (features,) = ds.extract(IMAGE, name)
    mean = torch.from_numpy(features.values.reshape(-1, DIM).mean(axis=0))
    words = text_tower(ds.load_backbone(name)).encode(["cat"])[0]
    assert hit.score == pytest.approx(float(F.cosine_similarity(mean, words, dim=0)), abs=1e-4)


def test_it_is_looked_at_and_copied_as_any_backbone_is(folder: Path) -> None:
    backbone = ds.load_backbone(f"dinotxt:{folder}")
    pixels = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(0))
    want = backbone.forward(pixels).patches[DEPTH + 1]
    for again in (copy.deepcopy(backbone), pickle.loads(pickle.dumps(backbone))):
        assert torch.equal(again.forward(pixels).patches[DEPTH + 1], want)
    half = backbone.to("cpu", torch.bfloat16)
    assert half.dtype == torch.bfloat16 and backbone.dtype == torch.float32
    assert F.cosine_similarity(half.forward(pixels).patches[DEPTH + 1], want, dim=-1).min() > 0.98
    assert torch.equal(backbone.forward(pixels).patches[DEPTH + 1], want)
    keys = ds.load_backbone(f"key:dinotxt:{folder}").forward(pixels)
    assert keys.patches[DEPTH + 1].shape == (1, 2, 3, DIM)


def test_where_files_are_missing_or_others_it_says_what_to_do(
    folder: Path, held: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackboneError, match="and dinotxt"):
        ds.text_map(IMAGE, "mini", ["cat"], grid=GRID)
    monkeypatch.setenv("TORCH_HOME", str(folder / "nowhere"))
    with pytest.raises(
        WeightsError, match=r"(?s)checkpoints.*is not there.*ai\.meta\.com.*dinotxt:FOLDER.*tipsv2"
    ):
        ds.load_backbone("dinotxt")
    with monkeypatch.context() as offline:
        point_at(offline, closed_port(), folder / "empty")
        with pytest.raises(WeightsError, match=rf"put dinov3_vitl16_pretrain.*\.pth .*{folder.name}"):
            ds.load_backbone(f"dinotxt:{folder}")
    checkpoints = folder / "home2" / "hub" / "checkpoints"
    checkpoints.mkdir(parents=True)
    (folder / HEAD_FILE).rename(checkpoints / HEAD_FILE)
    monkeypatch.setenv("TORCH_HOME", str(folder / "home2"))
    backbone = ds.load_backbone("dinotxt")  # where torch.hub keeps downloads
    assert backbone.spec.name == "dinotxt"
    with pytest.raises(WeightsError, match=f"{VOCABULARY} is not there"):
        text_tower(backbone)
    short = folder / VOCABULARY
    short.write_bytes(gzip.compress(b"#version\nc a\n"))
    short.rename(checkpoints / VOCABULARY)
    with pytest.raises(WeightsError, match="515 words, and the text encoder has 518"):
        text_tower(backbone)
    torch.save({k: v for k, v in held.items() if "mlp.w3" not in k}, checkpoints / HEAD_FILE)
    with pytest.raises(WeightsError, match=r"not dino\.txt's head"):
        ds.load_backbone("dinotxt")
