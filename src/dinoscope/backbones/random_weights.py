"""Seeded random parameters for an architecture."""

from __future__ import annotations

import torch
from torch import Tensor

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints import convnext as layouts_convnext
from dinoscope.backbones.checkpoints import huggingface as layouts_huggingface
from dinoscope.backbones.checkpoints.checkpoint import NORM_EPS, Recognised, rope_periods
from dinoscope.backbones.checkpoints.layouts import Row

_STD = 0.02


def random_weights(architecture: Architecture, seed: int) -> Recognised:
    """Parameters as before training: matrices, convolutions, tokens and positions from a normal
    distribution of standard deviation 0.02 cut at 2 of them, biases 0, norms and layer scales 1.

    The published models start with layer scales of 1e-5 (1e-6 in a ConvNeXt), which make every block
    next to nothing; 1 lets every block act. Numbers are drawn from a generator of their own, in the
    order of the sorted parameter names.

    Source: facebookresearch/dinov3 dinov3/models/vision_transformer.py@6876159 (init_weights).
    """
    generator = torch.Generator().manual_seed(seed)
    state = {
        row.targets[0]: _drawn(row.targets[0], row.shape, generator)
        for row in sorted(parameter_rows(architecture), key=lambda row: row.source)
    }
    vit = architecture.family == "dinov3"
    return Recognised(
        layout="huggingface",
        architecture=architecture,
        state=state,
        norm_eps=NORM_EPS[architecture.family],
        activation="silu" if architecture.mlp == "swiglu" else "gelu",
        rope_periods=rope_periods(architecture.dim, architecture.heads) if vit else None,
    )


def parameter_rows(architecture: Architecture) -> list[Row]:
    """Every parameter of an architecture, with its shape."""
    if architecture.family == "dinov3-convnext":
        return layouts_convnext.rows(architecture, layouts_convnext.MODEL)
    return layouts_huggingface.rows(architecture)


def _drawn(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name.endswith((".lambda1", ".gamma")):
        return torch.ones(shape)
    if len(shape) == 1:
        return torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
    return torch.nn.init.trunc_normal_(
        torch.empty(shape), std=_STD, a=-2 * _STD, b=2 * _STD, generator=generator
    )
