"""What every foreign ViT needs: token sequences cut into prefix and feature map, never by guessing."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.data.layers import LayerOutputs
from dinoscope.errors import ShapeError


def cut_tokens(
    tokens: Mapping[int, Float[Tensor, "b t dim"]],
    h: int,
    w: int,
    *,
    n_prefix: int,
    has_cls: bool,
    final_norm: bool,
) -> LayerOutputs:
    """Sequences of prefix tokens and ``h * w`` patches, row by row, cut apart; float32.

    The first prefix token is the class token where there is one; the others count as registers.

    Raises:
        ShapeError: not ``n_prefix + h * w`` tokens.
    """
    patches: dict[int, Tensor] = {}
    cls: dict[int, Tensor] = {}
    registers: dict[int, Tensor] = {}
    for layer, sequence in tokens.items():
        if sequence.ndim != 3 or sequence.shape[1] != n_prefix + h * w:
            raise ShapeError(
                f"tokens of layer {layer}", expected=f"b {n_prefix}+{h}*{w} dim", actual=sequence.shape
            )
        values = sequence.float()
        patches[layer] = values[:, n_prefix:].reshape(len(values), h, w, -1)
        if has_cls:
            cls[layer] = values[:, 0]
        registers[layer] = values[:, int(has_cls) : n_prefix]
    return LayerOutputs(patches, cls, registers, final_norm=final_norm)


def moved(model: nn.Module, device: torch.device | str, dtype: torch.dtype | None) -> nn.Module:
    """The model there: itself if it moves to another device, a copy if only its dtype changes."""
    parameter = next(model.parameters())
    target = torch.device(device)
    stays = target.type == parameter.device.type and target.index in (None, parameter.device.index)
    if stays and dtype in (None, parameter.dtype):
        return model
    return (copy.deepcopy(model) if stays else model).to(device=target, dtype=dtype or parameter.dtype)


def weights_digest(folder: Path) -> str:
    """sha256 over the safetensors files of a folder, in the order of their names."""
    total = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return total.hexdigest()
