"""What every network from elsewhere is here: layers read from it, tokens cut into prefix and feature map."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from dinoscope.backbones.checkpoints.files import sha256_of
from dinoscope.backbones.memory import out_of_memory
from dinoscope.backbones.pixels import check_pixels
from dinoscope.backbones.precision import exact_convolutions
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers
from dinoscope.errors import DinoscopeError, InputError, ShapeError, WeightsError

PROBES = ((3, 3), (2, 5))
"""Grids on which the number of prefix tokens is measured; they must agree."""


@runtime_checkable
class Read(Protocol):
    """How the layers of a network are had."""

    def __call__(
        self, model: Any, pixels: Tensor, layers: tuple[int, ...], /, *, final_norm: bool
    ) -> Mapping[int, Tensor]:
        """By layer: sequences ``b t dim`` of prefix tokens and patches, row by row; or maps ``b h w dim``."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class ForeignBackbone:
    """Somebody else's network; keeps the contract of ``backbones.base.Backbone``.

    The final norm, where there is one, is applied to all tokens of a layer, also where the network itself
    applies it to a class token only, so that ``final_norm`` means one thing. In a network of stages it
    belongs to the last stage.

    Attributes:
        model: the network.
        read: how its layers are had.
        n_prefix: tokens before the patches.
        has_cls: whether the first of them is a class token.
    """

    model: nn.Module
    read: Read
    spec: BackboneSpec
    origin: WeightsOrigin
    n_prefix: int = 0
    has_cls: bool = False
    _lock: Any = field(default_factory=threading.Lock, repr=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return _place(self.model)[0]

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and arithmetic."""
        return _place(self.model)[1]

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """See `Backbone.forward`. Calls from several threads wait for each other.

        Raises:
            InputError: the network does not take this input; with its words.
        """
        h, w = check_pixels(pixels, self.spec.patch_size)
        wanted = check_layers(layers, self.spec.depth)
        applied = final_norm and self.spec.final_norm
        with self._lock, torch.no_grad(), exact_convolutions():
            try:
                found = self.read(self.model, pixels.to(self.device, self.dtype), wanted, final_norm=applied)
            except Exception as error:  # whatever somebody else's network has to say of an input
                if isinstance(error, DinoscopeError) or out_of_memory(error):
                    raise
                raise InputError(
                    f"{self.spec.name} does not take an input of {h}x{w} patches: {_gist(error)}"
                ) from error
        tokens = {layer: found[layer] for layer in wanted}
        return cut_tokens(tokens, h, w, n_prefix=self.n_prefix, has_cls=self.has_cls, final_norm=applied)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> ForeignBackbone:
        """See `Backbone.to`."""
        model = moved(self.model, device, dtype)
        return self if model is self.model else replace(self, model=model, _lock=threading.Lock())


def cut_tokens(
    tokens: Mapping[int, Tensor], h: int, w: int, *, n_prefix: int, has_cls: bool, final_norm: bool
) -> LayerOutputs:
    """Sequences of prefix tokens and ``h * w`` patches, row by row, cut apart; maps as they are; float32.

    The first prefix token is the class token where there is one; the others count as registers.

    Raises:
        ShapeError: not ``n_prefix + h * w`` tokens.
    """
    patches: dict[int, Tensor] = {}
    cls: dict[int, Tensor] = {}
    registers: dict[int, Tensor] = {}
    for layer, given in tokens.items():
        values = given.float()
        if values.ndim == 4:
            patches[layer], registers[layer] = values, values.new_zeros(len(values), 0, values.shape[-1])
            continue
        if values.ndim != 3 or values.shape[1] != n_prefix + h * w:
            raise ShapeError(
                f"tokens of layer {layer}", expected=f"b {n_prefix}+{h}*{w} dim", actual=values.shape
            )
        patches[layer] = values[:, n_prefix:].reshape(len(values), h, w, -1)
        if has_cls:
            cls[layer] = values[:, 0]
        registers[layer] = values[:, int(has_cls) : n_prefix]
    return LayerOutputs(patches, cls, registers, final_norm=final_norm)


def measured_prefix(name: str, model: nn.Module, read: Read, patch_size: int, depth: int) -> int:
    """How many tokens stand before the patches: counted on two grids, one of them not square.

    Raises:
        WeightsError: it does not take these grids, or its tokens do not fit them.
    """
    counts = []
    for h, w in PROBES:
        device, dtype = _place(model)
        pixels = torch.zeros(1, 3, h * patch_size, w * patch_size, device=device, dtype=dtype)
        try:
            with torch.no_grad():
                found = read(model, pixels, (depth - 1,), final_norm=False)[depth - 1]
        except InputError as error:
            raise WeightsError(name, str(error)) from error
        except Exception as error:  # whatever somebody else's network has to say of a size it does not take
            reason = f"it does not take inputs of {h}x{w} patches of {patch_size} pixels: {_gist(error)}"
            raise WeightsError(name, reason) from error
        if found.ndim == 4:
            counts.append(0 if found.shape[1:3] == (h, w) else -1)
        else:
            counts.append(found.shape[1] - h * w if found.ndim == 3 else -1)
    if len(set(counts)) != 1 or counts[0] < 0:
        raise WeightsError(
            name, f"its tokens do not fit a patch grid: {counts} beside the patches of {PROBES}"
        )
    return counts[0]


def moved(model: nn.Module, device: torch.device | str, dtype: torch.dtype | None) -> nn.Module:
    """The model there: itself if it moves to another device, a copy if only its dtype changes."""
    here, kind = _place(model)
    target = torch.device(device)
    stays = target.type == here.type and target.index in (None, here.index)
    if stays and dtype in (None, kind):
        return model
    return (copy.deepcopy(model) if stays else model).to(device=target, dtype=dtype or kind)


def weights_digest(folder: Path) -> str:
    """sha256 over the safetensors files of a folder, in the order of their names."""
    return sha256_of(sorted(folder.glob("*.safetensors")))


def _place(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    parameter = next(model.parameters(), torch.zeros(()))
    return parameter.device, parameter.dtype


def _gist(error: Exception) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first[:200]}"
