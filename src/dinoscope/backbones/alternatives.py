"""Weights put to use otherwise: another attention path, and positions put in as others have done.

Only to find out what went wrong somewhere: nothing else in dinoscope uses these.
"""

from __future__ import annotations

import math
import types
from typing import Any

import torch
from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.errors import InputError

ATTENTION = ("sdpa", "eager")
"""``sdpa``: torch's fused function; ``eager``: matrix product, softmax, matrix product."""

POSITIONS = {
    "dinov2": {
        "by-size": "learned positions resized to the grid itself, bicubic, without the official 0.1 offset "
        "and without antialiasing",
        "offset": "learned positions resized with the 0.1 offset of the models without registers",
        "antialiased": "learned positions resized with antialiasing, as for the models with registers",
        "bilinear": "learned positions resized with a bilinear filter",
        "cut": "learned positions cut to the grid instead of resized",
    },
    "dinov3": {
        "interleaved": "RoPE turns neighbouring channels instead of the two halves of a head",
        "exchanged": "RoPE with rows and columns exchanged",
        "longest": "RoPE coordinates divided by the longer side of the grid on both axes",
    },
}
"""By family: other ways of putting positions in, with what they mean. ``official`` is always there."""


def with_attention(backbone: Backbone, path: str) -> Backbone:
    """The backbone with another attention path of `ATTENTION`; itself for ``sdpa``.

    Raises:
        InputError: no such path, or not a ViT of the DINO families.
    """
    if path not in ATTENTION:
        raise InputError(f"no attention path {path!r}; there are {', '.join(ATTENTION)}")
    if path == "sdpa":
        return backbone
    return _dino(backbone, "attention").altered(_eager)


def with_positions(backbone: Backbone, way: str) -> Backbone:
    """The backbone with positions put in another `POSITIONS` way; itself for ``official``.

    Raises:
        InputError: this family has no such way.
    """
    if way == "official":
        return backbone
    dino = _dino(backbone, "positions")
    ways = POSITIONS[dino.spec.family]
    if way not in ways:
        raise InputError(f"positions={way}: {dino.spec.family} has official, {', '.join(ways)}")
    if dino.spec.family == "dinov2":
        return dino.altered(lambda model: _learned(model, way))
    return dino.altered(_interleave if way == "interleaved" else lambda model: _turned(model, way))


def varies(backbone: Backbone) -> bool:
    """Whether attention and positions of this backbone can be varied."""
    return isinstance(backbone, DinoBackbone) and backbone.spec.family in POSITIONS


def _dino(backbone: Backbone, what: str) -> DinoBackbone:
    if isinstance(backbone, DinoBackbone) and backbone.spec.family in POSITIONS:
        return backbone
    raise InputError(f"{what} can be varied only in ViTs of DINOv2 and DINOv3, not in {backbone.spec.name}")


def _eager(model: nn.Module) -> None:
    network: Any = model
    network.set_attn_implementation("eager")


def _learned(model: nn.Module, way: str) -> None:
    embeddings: Any = model.get_submodule("embeddings")

    def positions(self: Any, tokens: Tensor, height: int, width: int) -> Tensor:
        table: Tensor = self.position_embeddings
        side = math.isqrt(table.shape[1] - 1)
        h, w = height // self.config.patch_size, width // self.config.patch_size
        grid = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
        resized = _resized(grid, h, w, way).permute(0, 2, 3, 1).flatten(1, 2).to(table.dtype)
        return torch.cat([table[:, :1], resized], dim=1)

    embeddings.interpolate_pos_encoding = types.MethodType(positions, embeddings)


def _resized(grid: Tensor, h: int, w: int, way: str) -> Tensor:
    side = grid.shape[-1]
    if way == "cut":
        if max(h, w) > side:
            raise InputError(f"positions=cut: a grid of {h}x{w} is larger than the table of {side}x{side}")
        return grid[..., :h, :w]
    if way == "offset":
        scale = ((h + 0.1) / side, (w + 0.1) / side)
        return nn.functional.interpolate(grid, scale_factor=scale, mode="bicubic")
    mode = "bilinear" if way == "bilinear" else "bicubic"
    return nn.functional.interpolate(grid, size=(h, w), mode=mode, antialias=way == "antialiased")


def _turned(model: nn.Module, way: str) -> None:
    rope: Any = model.get_submodule("rope_embeddings")

    def angles(self: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
        h, w = (side // self.config.patch_size for side in pixels.shape[-2:])
        longest = max(h, w)
        # Patch centres in [-1, 1] on each axis, as the official model has them, or on the longer one's scale.
        rows = (2 * torch.arange(h) + 1 - h) / (longest if way == "longest" else h)
        columns = (2 * torch.arange(w) + 1 - w) / (longest if way == "longest" else w)
        places = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).reshape(h * w, 2)
        if way == "exchanged":
            places = places.flip(1)
        turns = 2 * math.pi * places.to(pixels.device)[:, :, None] * self.inv_freq[None, None, :]
        turns = turns.flatten(1).tile(2)
        return turns.cos().to(pixels.dtype), turns.sin().to(pixels.dtype)

    rope.forward = types.MethodType(angles, rope)


def _interleave(model: nn.Module) -> None:
    """Turning neighbouring channels is turning halves after those of q and k are rearranged alike."""
    network: Any = model
    heads = network.config.num_attention_heads
    for module in model.modules():
        for name in ("q_proj", "k_proj"):
            linear = getattr(module, name, None)
            if not isinstance(linear, nn.Linear):
                continue
            order = torch.arange(linear.out_features).reshape(heads, -1)
            order = torch.cat([order[:, 0::2], order[:, 1::2]], dim=1).flatten().to(linear.weight.device)
            linear.weight = nn.Parameter(linear.weight[order], requires_grad=False)
            if linear.bias is not None:
                linear.bias = nn.Parameter(linear.bias[order], requires_grad=False)
