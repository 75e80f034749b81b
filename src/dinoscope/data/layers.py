"""LayerOutputs: what one forward pass returns. The only frozen value that holds torch tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

Batch = Float[Tensor, "b 3 H W"]
"""Normalised pixels."""

Layers = tuple[int, ...] | None
"""Absolute 0-based numbers; None for the last."""


@dataclass(frozen=True, slots=True)
class LayerOutputs:
    """Tokens of a batch, by absolute 0-based layer number.

    Attributes:
        patches: feature maps, channels last.
        cls: class tokens; empty where the backbone has none.
        registers: register tokens; ``r`` is 0 where there are none.
        final_norm: whether the backbone's final normalisation was applied to these tokens.
    """

    patches: Mapping[int, Float[Tensor, "b h w dim"]]
    cls: Mapping[int, Float[Tensor, "b dim"]]
    registers: Mapping[int, Float[Tensor, "b r dim"]]
    final_norm: bool = True
