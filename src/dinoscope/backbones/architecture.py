"""Architecture: the shape of a network, without its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["dinov2", "dinov3", "dinov3-convnext"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """Everything needed to build a DINO network with `transformers` model classes.

    Attributes:
        family: which model class.
        dim: channels of the last layer.
        depth: blocks; of a ConvNeXt, its stages.
        heads: attention heads; 0 for a ConvNeXt.
        patch_size: pixels; of a ConvNeXt, the stride of its last stage.
        registers: register tokens.
        mlp: ``gelu`` or ``swiglu``.
        hidden: channels inside the MLP (of one branch, where gated); 0 for a ConvNeXt.
        position_grid: side of the learned position grid (DINOv2), in patches; 0 with RoPE.
        stage_depths, stage_dims: of a ConvNeXt; empty otherwise.
        key_bias: whether the key projection has a bias.
        query_value_bias: whether query and value projections have one.
    """

    family: Family
    dim: int
    depth: int
    heads: int
    patch_size: int
    registers: int
    mlp: Literal["gelu", "swiglu"] = "gelu"
    hidden: int = 0
    position_grid: int = 0
    stage_depths: tuple[int, ...] = ()
    stage_dims: tuple[int, ...] = ()
    key_bias: bool = False
    query_value_bias: bool = True
