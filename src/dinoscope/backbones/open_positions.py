"""DINOv2's learned positions as a product with two small matrices, which a traced graph keeps for every size.

The two official ways of resizing the table are torch's bicubic interpolation, which no ONNX operator repeats
in full. Written as matrices of weights that are computed from the grid, they are the same numbers.
"""

from __future__ import annotations

import math
import types
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

OFFSET = 0.1
"""Patches by which the models without registers stretch their table. Source: as `backbones.networks`."""


def keep_sizes_open(network: nn.Module) -> None:
    """Exchanges the resizing of positions, in place; models without a table stay as they are."""
    embeddings: Any = getattr(network, "embeddings", None)
    if hasattr(embeddings, "position_embeddings"):
        embeddings.interpolate_pos_encoding = types.MethodType(_positions, embeddings)


def _positions(self: Any, embeddings: Tensor, height: Any, width: Any) -> Tensor:
    table: Tensor = self.position_embeddings.float()
    side, px = math.isqrt(table.shape[1] - 1), self.config.patch_size
    h, w = (torch.as_tensor(length, device=table.device) // px for length in (height, width))
    grid = table[0, 1:].reshape(side, side, -1)
    antialias = hasattr(self, "register_tokens")
    down, across = (resize_weights(n, side, antialias=antialias) for n in (h, w))
    resized = torch.einsum("hi,ijd,wj->hwd", down, grid, across).flatten(0, 1)
    if not antialias:  # a grid of the table's own size takes it as it is
        same = (h == side) & (w == side)
        own = grid.flatten(0, 1)
        # Both have the same rows where they are chosen between; elsewhere the table's are not read.
        rows = torch.arange(resized.shape[0], device=table.device).clamp(max=side * side - 1)
        resized = torch.where(same, own[rows], resized)
    return torch.cat([table[:, :1], resized[None]], dim=1).to(self.position_embeddings.dtype)


def resize_weights(n: Tensor, side: int, *, antialias: bool) -> Float[Tensor, "n side"]:
    """Weights by which ``n`` places are taken from ``side``, along one axis.

    Source: aten/src/ATen/native/UpSampleBicubic2d.cpp of PyTorch: Keys' kernel with a = -0.75 and repeated
    borders; antialiased with a = -0.5 over a support that widens with the reduction, and weights that add up
    to 1.
    """
    places = torch.arange(n, device=n.device, dtype=torch.float32) + 0.5  # type: ignore[call-overload]
    columns = torch.arange(side, device=n.device, dtype=torch.float32)
    if antialias:
        ratio = side / n.float()
        wide = ratio.clamp(min=1.0)
        weights = _kernel((columns[None] + 0.5 - places[:, None] * ratio) / wide, -0.5)
        return weights / weights.sum(dim=1, keepdim=True)
    at = places * (side / (n.float() + OFFSET)) - 0.5
    first = at.floor()
    total = torch.zeros_like(at[:, None] * columns[None])
    for tap in (-1, 0, 1, 2):
        index = (first + tap).clamp(0, side - 1)
        weight = _kernel(at - first - tap, -0.75)
        total = total + weight[:, None] * (columns[None] == index[:, None]).float()
    return total


def _kernel(x: Tensor, a: float) -> Tensor:
    """Keys' cubic convolution kernel. Source: R. Keys (1981), eq. 4."""
    x = x.abs()
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return torch.where(x <= 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
