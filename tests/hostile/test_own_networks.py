"""``py:`` functions and checkpoints whose tensors are none: refused with a reason, without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from dinoscope.backbones.load import load_backbone
from dinoscope.errors import DinoscopeError, UnknownBackboneError, WeightsError
from tests.command_line import run
from tests.hostile.checkpoints import network
from tests.hostile.files import write_photographs

SOURCE = """
import torch

FACTS = dict(patch_size=16, prefix=1, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

def tokens(x, prefix=1, dim=8):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(len(x), prefix + x.shape[2] * x.shape[3] // 256, dim, generator=generator)

def made(function, **facts):
    return lambda: (function, {**FACTS, **facts})

def late(x):
    if x.shape[2] // 16 == 4:
        raise KeyError("only the grids of the probe")
    return tokens(x)

def ending():
    raise SystemExit(3)

good = made(tokens)
whole_numbers = made(lambda x: tokens(x).long())
complex_numbers = made(lambda x: tokens(x).to(torch.complex64))
eighths = made(lambda x: tokens(x).to(torch.float8_e4m3fn))
no_channels = made(lambda x: tokens(x, dim=0))
fewer = made(lambda x: tokens(x)[:0])
more = made(lambda x: tokens(x).repeat(2, 1, 1))
ends = made(lambda x: exit(3))
raises = made(lambda x: 1 / 0)
listed = made(lambda x: tokens(x).tolist())
swapped = made(lambda x: tokens(x).transpose(1, 2))
huge = made(tokens, patch_size=10**9)
only_the_probe = made(late)
gradients = made(lambda x: tokens(x).requires_grad_())
nothing_but_nan = made(lambda x: tokens(x) * float("nan"))
"""
REFUSED = {
    "whole_numbers": "must return floating-point features, not torch.int64",
    "complex_numbers": "must return floating-point features, not torch.complex64",
    "eighths": "must return floating-point features, not torch.float8",
    "no_channels": "of shape (1, 10, 0)",
    "fewer": "of shape (0, 10, 8)",
    "more": "of shape (2, 10, 8) of 1 photographs",
    "ends": "ends the program",
    "ending": "SystemExit: 3",
    "raises": "ZeroDivisionError",
    "listed": "must return b n dim or b dim h w, not list",
    "swapped": "do not fit a patch grid",
    "huge": "at most 1024",
    "none": "no attribute 'none'",
}


@pytest.fixture
def photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "hostile_networks.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "hostile_networks", raising=False)
    return write_photographs(tmp_path / "photos", ("a.png",)) / "a.png"


@pytest.mark.usefixtures("photo")
@pytest.mark.parametrize("function", sorted(REFUSED))
def test_functions_that_give_no_features(function: str) -> None:
    with pytest.raises(DinoscopeError) as caught:
        load_backbone(f"py:hostile_networks:{function}")
    assert REFUSED[function] in str(caught.value)
    assert f"py:hostile_networks:{function}" in str(caught.value)


@pytest.mark.parametrize(
    ("function", "code", "words"),
    [
        ("good", 0, ""),
        ("gradients", 0, ""),
        ("only_the_probe", 1, "does not take an input of 4x5 patches: KeyError"),
        ("nothing_but_nan", 1, "NaN or infinite features"),
    ],
)
def test_functions_that_fail_at_work(
    photo: Path, tmp_path: Path, function: str, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ("--model", f"py:hostile_networks:{function}")
    assert run("extract", photo, *model, "--grid", 4, "--out", tmp_path / "out") == code
    assert words in capsys.readouterr().err


def each(change: Callable[[torch.Tensor], torch.Tensor]) -> Mapping[str, torch.Tensor]:
    return {name: change(value) for name, value in network().items()}


ODD: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "sparse": (torch.Tensor.to_sparse, "to_dense"),
    "meta": (lambda t: t.to("meta"), "has no values"),
    "e4m3": (lambda t: t.to(torch.float8_e4m3fn), "8 bits a number"),
    "e5m2": (lambda t: t.to(torch.float8_e5m2), "8 bits a number"),
    "int8": (lambda t: t.to(torch.int8), "not floating-point"),
    "complex": (lambda t: t.to(torch.complex64), "not floating-point"),
    "quantised": (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "not floating-point"),
    "nan": (lambda t: t * float("nan"), "NaN or infinity"),
}


@pytest.mark.filterwarnings("ignore:.*deprecated")
@pytest.mark.parametrize("kind", sorted(ODD))
def test_tensors_that_are_no_weights(tmp_path: Path, kind: str) -> None:
    change, words = ODD[kind]
    torch.save(each(change), tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=words):
        load_backbone(weights=tmp_path / "x.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_archive_is_named(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "x.pth"))
    with pytest.raises(WeightsError, match=r"TorchScript archive[\s\S]*torch.jit.load"):
        load_backbone(weights=tmp_path / "x.pth")


def test_a_pipe_in_a_folder_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(WeightsError, match="holds none of"):
        load_backbone(weights=tmp_path)


def test_an_architecture_that_is_none_is_named_and_not_taken_for_a_path(tmp_path: Path) -> None:
    torch.save(network(), tmp_path / "x.pth")
    with pytest.raises(UnknownBackboneError, match="'mine'"):
        load_backbone(f"mine={tmp_path / 'x.pth'}")
    with pytest.raises(WeightsError, match=r"epoch=3\.pth"):
        load_backbone("epoch=3.pth")
