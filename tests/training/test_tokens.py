from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dinoscope.backbones.load import load_backbone
from dinoscope.errors import InputError, ShapeError
from dinoscope.training.tokens import bare, snapshot, tokens_of
from tests.training.small_models import Official, Timm, dinov3, pixels

INNER = dinov3()


def patches_alone(x: torch.Tensor) -> torch.Tensor:
    return INNER(x).last_hidden_state[:, 3:]


@pytest.mark.parametrize(
    "model",
    [
        INNER,
        Official(INNER),
        Timm(INNER),
        patches_alone,
        lambda x: patches_alone(x).unflatten(1, (4, 6)),
        lambda x: {"patches": patches_alone(x), "cls": INNER(x).last_hidden_state[:, 0]},
        torch.compile(INNER, backend="eager"),
        torch.nn.DataParallel(INNER),
    ],
    ids=["transformers", "official", "timm", "function", "map", "dictionary", "compiled", "parallel"],
)
def test_every_form_of_a_model_gives_the_same_patches(model: Any) -> None:
    hidden = INNER(pixels()).last_hidden_state
    found = tokens_of(model, pixels())
    assert torch.equal(found.patches, hidden[:, 3:]) and found.grid == (4, 6)
    assert found.cls is None or torch.equal(found.cls, hidden[:, 0])


def test_our_own_backbones() -> None:
    mini = load_backbone("mini")
    side = mini.spec.patch_size
    found = tokens_of(mini, pixels(1, 2 * side, 3 * side))
    want = mini.forward(pixels(1, 2 * side, 3 * side))
    assert found.grid == (2, 3) and found.cls is not None
    (layer,) = want.patches
    assert torch.equal(found.patches, want.patches[layer].flatten(1, 2))


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(16 * 24 * 3, 5)), r"a tensor \(2, 5\)"),
        (lambda x: [x], "a list"),
    ],
    ids=["classifier", "list"],
)
def test_a_model_without_patch_tokens_is_named(model: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"no patch tokens.*{said}"):
        tokens_of(model, pixels())


def test_a_map_with_channels_first_is_not_taken_for_patches() -> None:
    with pytest.raises(ShapeError, match="b h w dim"):
        tokens_of(lambda x: x[:, :, ::4, ::4], pixels())


def test_tokens_of_no_grid_are_refused() -> None:
    with pytest.raises(ShapeError, match="over 16x24 pixels"):
        tokens_of(lambda x: patches_alone(x)[:, :-1], pixels())
    with pytest.raises(ShapeError, match="b=2"):
        tokens_of(lambda x: patches_alone(x)[:1], pixels())


def test_a_snapshot_is_frozen_and_its_own() -> None:
    model = dinov3().train()
    copied = snapshot(torch.compile(model, backend="eager"))
    assert not copied.training and model.training and not any(p.requires_grad for p in copied.parameters())
    assert all(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
    assert not torch.equal(next(copied.parameters()), next(model.parameters()))
    assert bare(torch.nn.DataParallel(model)) is model
