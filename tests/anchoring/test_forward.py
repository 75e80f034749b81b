from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import dinoscope.anchoring.forward as forward
from dinoscope.anchoring.forward import can_compile, every_token, some_tokens
from dinoscope.anchoring.network import build_backbone
from tests.anchoring.small_runs import NETWORK

RANDOM = torch.Generator().manual_seed(0)
PIXELS = torch.randn(6, 3, 19, 24, generator=RANDOM)
MASKS = torch.rand(6, 24, generator=RANDOM) < 0.3
WANTED = torch.rand(6, 24, generator=RANDOM) < 0.4
REAL = pytest.mark.skipif(not can_compile({}), reason="no C++ compiler: blocks cannot be compiled here")


@pytest.fixture
def backbone() -> Any:
    """Where every scale, shift and bias matters."""
    torch.manual_seed(0)
    made = build_backbone(replace(NETWORK, depth=3), image_px=16).eval()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return made


def theirs(backbone: Any, pixels: Tensor, masks: Tensor | None) -> Tensor:
    """The model's own forward pass."""
    return backbone(pixels[:, :, :16], bool_masked_pos=masks).last_hidden_state


def gradients(backbone: Any, tokens: Tensor) -> list[Tensor]:
    weights = torch.linspace(-1, 1, tokens.numel(), dtype=tokens.dtype).view_as(tokens)
    found = torch.autograd.grad((tokens * weights).sum(), list(backbone.parameters()), allow_unused=True)
    return [torch.zeros(1) if g is None else g for g in found]


@pytest.mark.parametrize("masks", [None, MASKS])
@pytest.mark.parametrize("rows", [1, 60, 10_000])  # crops in groups of one, two, and all of them
def test_tokens_and_gradients_are_the_models_own(
    backbone: Any, masks: Tensor | None, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forward, "ROWS", rows)
    backbone.double()
    pixels = PIXELS.double()
    wanted = theirs(backbone, pixels, masks)
    found = every_token(backbone, pixels, masks)
    assert torch.allclose(found.cls, wanted[:, 0], atol=1e-7)
    assert torch.allclose(found.patches, wanted[:, 3:], atol=1e-7)
    both = torch.cat([found.cls[:, None], found.patches], 1)
    own = gradients(backbone, torch.cat([wanted[:, :1], wanted[:, 3:]], 1))
    for a, b in zip(gradients(backbone, both), own, strict=True):
        assert torch.allclose(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("wanted", [None, WANTED])
def test_some_tokens_are_some_of_all(backbone: Any, wanted: Tensor | None) -> None:
    backbone.double()
    every = every_token(backbone, PIXELS.double(), MASKS)
    some = some_tokens(backbone, PIXELS.double(), wanted, MASKS)
    chosen = every.patches[torch.zeros_like(WANTED) if wanted is None else wanted]
    assert torch.allclose(some.cls, every.cls, atol=1e-9)
    assert torch.allclose(some.patches, chosen, atol=1e-9)
    left = gradients(backbone, torch.cat([some.cls, some.patches]))
    right = gradients(backbone, torch.cat([every.cls, chosen]))
    assert all(torch.allclose(a, b, atol=1e-9) for a, b in zip(left, right, strict=True))


def test_positions_are_augmented_in_training_as_the_model_does(backbone: Any) -> None:
    backbone.train()
    torch.manual_seed(3)
    wanted = theirs(backbone, PIXELS, None)
    torch.manual_seed(3)
    assert torch.allclose(every_token(backbone, PIXELS).patches, wanted[:, 3:], atol=1e-5)
    assert not torch.allclose(every_token(backbone, PIXELS).patches, wanted[:, 3:], atol=1e-3)


@REAL
def test_compiled_runs_learn_the_same_and_resume_exactly(tmp_path: Path) -> None:
    """In a process of its own: the compiler does not go through the type checks of the tests."""
    command = [sys.executable, "-m", "tests.anchoring.compiled_runs", str(tmp_path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    eager, compiled, resumed = (
        [json.loads(line) for line in (tmp_path / name / "losses.jsonl").read_text().splitlines()]
        for name in ("eager", "compiled", "resumed")
    )
    assert compiled == resumed and compiled != eager
    for one, other in zip(eager, compiled, strict=True):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-5)
    ends = [
        (tmp_path / name / "teacher" / "model.safetensors").read_bytes() for name in ("compiled", "resumed")
    ]
    assert ends[0] == ends[1]


def test_without_a_compiler_nothing_is_compiled() -> None:
    assert not can_compile({"CXX": "no-such-compiler"})
