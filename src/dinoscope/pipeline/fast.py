"""Faster arithmetic for a backbone: 16-bit products, or compiled blocks. Never chosen on its own."""

from __future__ import annotations

import threading
import warnings
import weakref
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.load import torch_dtype
from dinoscope.backbones.memory import out_of_memory
from dinoscope.backbones.networks import blocks
from dinoscope.backbones.projected import Projected
from dinoscope.backbones.wrapped import Wrapped
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.errors import DinoscopeError, InputError
from dinoscope.pipeline.int8 import Int8


class CompilationWarning(UserWarning):
    """``torch.compile`` was asked for and could not be had; the model runs as without it."""


def fast_dtype(device_type: str, capability: tuple[int, int] | None) -> torch.dtype:
    """The dtype a device computes fastest in without losing much: float32 on processors.

    Args:
        device_type: as torch names it.
        capability: of a CUDA device; None elsewhere.
    """
    if device_type == "cuda" and capability is not None:
        if capability >= (8, 0):
            return torch.bfloat16
        if capability >= (7, 0):
            return torch.float16
    return torch.float32


def check_dtype(dtype: torch.dtype, device_type: str, capability: tuple[int, int] | None) -> None:
    """Refuse a dtype that a GPU only pretends to have.

    Raises:
        InputError: bfloat16 on a CUDA device older than compute capability 8.0.
    """
    if dtype == torch.bfloat16 and device_type == "cuda" and capability is not None and capability < (8, 0):
        raise InputError(
            f"this GPU (compute capability {capability[0]}.{capability[1]}) has no bfloat16 arithmetic; "
            "use float16 or float32"
        )


def wanted_dtype(name: str, device: torch.device, *, autocast: bool = False) -> torch.dtype:
    """What is meant by a dtype's name on a device; float32 with ``autocast`` means the device's `fast_dtype`.

    Raises:
        InputError: not a floating-point dtype, or one that the GPU does not have.
    """
    dtype, able = torch_dtype(name), capability(device)
    if autocast and dtype == torch.float32:
        return fast_dtype(device.type, able)
    check_dtype(dtype, device.type, able)
    return dtype


def capability(device: torch.device) -> tuple[int, int] | None:
    """Compute capability of a CUDA device; None elsewhere."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else None


def autocast_backbone(backbone: Backbone, dtype: torch.dtype | None = None) -> Backbone:
    """A backbone with its matrix products in a 16-bit dtype and normalisation in float32.

    Args:
        backbone: in float32.
        dtype: bfloat16 or float16; None for the device's `fast_dtype`, which is no change on a processor.

    Raises:
        InputError: a dtype that this is not for, or that the GPU does not have.
    """
    device = backbone.device
    chosen = dtype or fast_dtype(device.type, capability(device))
    if chosen == torch.float32:
        return backbone
    if chosen not in (torch.bfloat16, torch.float16):
        raise InputError(f"autocast takes bfloat16 or float16, got {chosen}")
    check_dtype(chosen, device.type, capability(device))
    return _Autocast(backbone, chosen)


_compiled: weakref.WeakKeyDictionary[DinoBackbone, Backbone] = weakref.WeakKeyDictionary()
_said: set[str] = set()


def compiled_backbone(backbone: Backbone) -> Backbone:
    """A backbone with its blocks through ``torch.compile``: tens of seconds the first time it runs.

    A copy, kept for as long as ``backbone`` lives. Where the compiler fails, it runs uncompiled and one
    `CompilationWarning` says so. Only DINO backbones are compiled; others come back as they are, with that
    warning too.
    """
    if isinstance(backbone, _Compiled):
        return backbone
    if isinstance(backbone, _Autocast):
        return _Autocast(compiled_backbone(backbone.inner), backbone.dtype)
    if isinstance(backbone, Projected):
        return replace(backbone, inner=compiled_backbone(backbone.inner))
    if not isinstance(backbone, DinoBackbone):
        _say(f"{backbone.spec.name} is not compiled: only DINO models are")
        return backbone
    if backbone not in _compiled:
        _compiled[backbone] = _Compiled(backbone.altered(_compile_blocks))
    return _compiled[backbone]


def compilable(backbone: Backbone) -> bool:
    """Whether `compiled_backbone` compiles anything of it."""
    inner = backbone.inner if isinstance(backbone, _Autocast | Projected) else backbone
    return isinstance(inner, DinoBackbone) if inner is backbone else compilable(inner)


def exact_backbone(backbone: Backbone) -> Backbone | None:
    """A backbone of these weights in float32 and eager: itself where it computes so.

    None where its very weights are in 16 bits.
    """
    if isinstance(backbone, _Autocast):
        return exact_backbone(backbone.inner)
    if isinstance(backbone, _Compiled):
        return exact_backbone(backbone.uncompiled())
    if isinstance(backbone, Int8):
        return exact_backbone(backbone.inner)
    if isinstance(backbone, Projected):
        inner = exact_backbone(backbone.inner)
        if inner is None or inner is backbone.inner:
            return None if inner is None else backbone
        return replace(backbone, inner=inner)
    return None if backbone.dtype in (torch.bfloat16, torch.float16) else backbone


def is_autocast(backbone: Backbone) -> bool:
    """Whether its products alone are in another dtype than its weights."""
    inner = backbone.inner if isinstance(backbone, _Compiled | Projected) else None
    return isinstance(backbone, _Autocast) or (inner is not None and is_autocast(inner))


def runs_compiled(backbone: Backbone) -> bool:
    """Whether it goes through ``torch.compile``; no longer once the compiler has failed."""
    if isinstance(backbone, _Compiled):
        return not backbone.failed
    return isinstance(backbone, _Autocast | Projected) and runs_compiled(backbone.inner)


class _Autocast(Wrapped):
    def __init__(self, inner: Backbone, dtype: torch.dtype) -> None:
        self.inner = inner
        self._dtype = dtype

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        with torch.autocast(self.device.type, self._dtype):
            return self.inner.forward(pixels, layers, final_norm=final_norm)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        return autocast_backbone(self.inner.to(device), dtype or self._dtype)


class _Compiled(Wrapped):
    """A copy with compiled blocks; after a failure, with the blocks as they were, for good."""

    inner: DinoBackbone

    def __init__(self, inner: DinoBackbone) -> None:
        self.inner = inner
        self.failed = False
        self._lock = threading.Lock()

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        if self.failed:
            return self.inner.forward(pixels, layers, final_norm=final_norm)
        try:
            return self.inner.forward(pixels, layers, final_norm=final_norm)
        except DinoscopeError:
            raise
        except (RuntimeError, ImportError, OSError, TypeError, AttributeError) as error:
            if out_of_memory(error):
                raise
            lines = str(error).strip().splitlines() or [""]
            reason = f"{type(error).__name__}: {lines[0][:200]}"
        with self._lock:
            self.inner, self.failed = self.inner.altered(_restore_blocks), True
        _say(f"torch.compile failed ({reason}); going on without it")
        return self.inner.forward(pixels, layers, final_norm=final_norm)

    def uncompiled(self) -> DinoBackbone:
        """A copy as it was."""
        return self.inner.altered(_restore_blocks)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        return compiled_backbone(self.uncompiled().to(device, dtype))


def _compile_blocks(model: nn.Module) -> None:
    """One by one: equal blocks share the work, and listeners to a block's output stay outside."""
    for block in blocks(model):
        compiled: Any = torch.compile(block.forward)
        block.forward = compiled


def _restore_blocks(model: nn.Module) -> None:
    for block in blocks(model):
        vars(block).pop("forward", None)  # the class's own comes back


def _say(words: str) -> None:
    if words not in _said:
        _said.add(words)
        warnings.warn(words, CompilationWarning, stacklevel=3)
