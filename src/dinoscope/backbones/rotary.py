"""Rotary positions of queries and keys, as a block's attention was given them."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.errors import BackboneError


def rotated(
    values: Float[Tensor, "t dim"], heads: int, rotary: Any, attention: nn.Module
) -> Float[Tensor, "t dim"]:
    """Queries or keys with their places turned in; tokens before the patches have none.

    Source: RoFormer (arXiv 2104.09864), eq. 34; which channels form pairs is the library's: halves in
    `transformers`, and in timm where its attention says ``rotate_half``; else neighbours.

    Args:
        values: of one photograph, heads side by side.
        heads: how many.
        rotary: ``(cos, sin)`` of the patches, or one tensor of sines and cosines side by side; None changes
            nothing.
        attention: that was given them.

    Raises:
        BackboneError: positions in a form that is not known.
    """
    if rotary is None:
        return values
    halves = True
    if isinstance(rotary, (tuple, list)) and len(rotary) == 2:
        cosine, sine = rotary
    elif isinstance(rotary, Tensor) and rotary.shape[-1] % 2 == 0:
        sine, cosine = rotary.chunk(2, dim=-1)
        halves = bool(getattr(attention, "rotate_half", False))
    else:
        raise BackboneError(f"{type(attention).__name__} is given positions as {type(rotary).__name__}")
    sine, cosine = (part.reshape(-1, part.shape[-1]).to(values.dtype) for part in (sine, cosine))
    split = values.unflatten(-1, (heads, -1))
    if len(sine) > len(split) or sine.shape[-1] != split.shape[-1]:
        raise BackboneError(f"{type(attention).__name__}: positions {tuple(sine.shape)} do not fit its heads")
    first = len(split) - len(sine)
    patches = split[first:]
    turned = patches * cosine[:, None] + _quarter_turn(patches, halves=halves) * sine[:, None]
    return torch.cat([split[:first], turned]).flatten(-2)


def _quarter_turn(values: Tensor, *, halves: bool) -> Tensor:
    """Each pair of channels (a, b) as (-b, a)."""
    if halves:
        a, b = values.chunk(2, dim=-1)
        return torch.cat([-b, a], dim=-1)
    return torch.stack([-values[..., 1::2], values[..., ::2]], dim=-1).flatten(-2)
