from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.data.spec import BackboneSpec
from dinoscope.errors import InputError, ShapeError
from dinoscope.pipeline import fast
from dinoscope.pipeline.extract import extract
from dinoscope.pipeline.fast import (
    CompilationWarning,
    autocast_backbone,
    capability,
    check_dtype,
    compiled_backbone,
    fast_dtype,
)
from tests.fakes import FakeBackbone

PIXELS = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mini() -> Backbone:
    fast._said.clear()
    return load_backbone("mini")


def last(backbone: Backbone) -> torch.Tensor:
    (patches,) = backbone.forward(PIXELS).patches.values()
    return patches


def test_the_fast_dtype_of_a_device() -> None:
    assert fast_dtype("cpu", None) == torch.float32
    assert fast_dtype("mps", None) == torch.float32
    assert fast_dtype("cuda", (9, 0)) == torch.bfloat16
    assert fast_dtype("cuda", (8, 0)) == torch.bfloat16
    assert fast_dtype("cuda", (7, 5)) == torch.float16
    assert fast_dtype("cuda", (6, 1)) == torch.float32
    assert capability(torch.device("cpu")) is None


def test_a_gpu_without_bfloat16_is_told() -> None:
    with pytest.raises(InputError, match=r"7\.5.*no bfloat16"):
        check_dtype(torch.bfloat16, "cuda", (7, 5))
    check_dtype(torch.bfloat16, "cuda", (8, 0))
    check_dtype(torch.float16, "cuda", (7, 5))
    check_dtype(torch.bfloat16, "cpu", None)


def test_autocast_computes_products_in_16_bits_with_the_same_weights(mini: Backbone) -> None:
    cast = autocast_backbone(mini, torch.bfloat16)
    assert (cast.dtype, mini.dtype, cast.spec, cast.origin) == (
        torch.bfloat16,
        torch.float32,
        mini.spec,
        mini.origin,
    )
    near, exact = last(cast), last(mini)
    assert near.dtype == torch.float32
    assert not torch.equal(near, exact)
    assert torch.cosine_similarity(near, exact, dim=-1).mean() > 0.99
    torch.testing.assert_close(last(mini), exact)
    assert autocast_backbone(mini) is mini  # a processor's own choice is float32
    with pytest.raises(InputError, match="bfloat16 or float16"):
        autocast_backbone(mini, torch.float64)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    (f,) = extract(image, cast, grid=4)
    assert f.provenance.dtype == "bfloat16"


def counting(calls: list[str]) -> Callable[[Any], Any]:
    def compiler(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            calls.append("block")
            return function(*args, **kwargs)

        return run

    return compiler


def test_each_block_of_a_copy_is_compiled(mini: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    monkeypatch.setattr(torch, "compile", counting(calls))
    exact = last(mini)
    compiled = compiled_backbone(mini)
    torch.testing.assert_close(last(compiled), exact)
    assert len(calls) == mini.spec.depth
    last(mini)
    assert len(calls) == mini.spec.depth  # the original is left as it was
    assert compiled_backbone(mini) is compiled
    assert compiled_backbone(compiled) is compiled
    moved = compiled.to("cpu", torch.bfloat16)
    assert moved.dtype == torch.bfloat16
    last(moved)
    assert len(calls) == 2 * mini.spec.depth
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    list(extract(image, mini, grid=4, compiled=True))
    assert len(calls) == 3 * mini.spec.depth


def test_a_compiler_that_fails_is_told_once_and_done_without(
    mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def broken(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            calls.append("tried")
            raise RuntimeError("no C++ compiler\nand a page of advice")

        return run

    exact = last(mini)
    monkeypatch.setattr(torch, "compile", broken)
    compiled = compiled_backbone(mini)
    with pytest.warns(CompilationWarning, match="no C\\+\\+ compiler") as told:
        torch.testing.assert_close(last(compiled), exact)
    assert len(told) == 1 and "advice" not in str(told[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(last(compiled), exact)
    assert calls == ["tried"]


def test_bad_input_and_lack_of_memory_are_not_the_compilers_fault(
    mini: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(function: Any) -> Any:
        def run(*args: Any, **kwargs: Any) -> Any:
            raise torch.OutOfMemoryError("CUDA out of memory")

        return run

    monkeypatch.setattr(torch, "compile", full)
    compiled = compiled_backbone(mini)
    with pytest.raises(ShapeError):
        compiled.forward(PIXELS[:, :, :-1])
    with pytest.raises(torch.OutOfMemoryError):
        last(compiled)


def test_other_models_are_not_compiled_and_it_is_said() -> None:
    fast._said.clear()
    model = FakeBackbone()
    assert isinstance(model.spec, BackboneSpec)
    with pytest.warns(CompilationWarning, match="fake is not compiled"):
        assert compiled_backbone(model) is model
