"""A DINO ViT as an ONNX graph that takes pixels of any size."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.open_positions import keep_sizes_open
from dinoscope.errors import InputError

OPSET = 17
"""The first with LayerNormalization as one operator."""

LARGEST_BYTES = 2**31 - 2**20
"""Most bytes of weights in one ONNX file, with room for the graph beside them: its format holds 2 GB."""

Outputs = Callable[[nn.Module, Float[Tensor, "b 3 H W"]], tuple[Tensor, ...]]
"""What a graph gives of a network and pixels."""


def open_network(backbone: Backbone) -> nn.Module:
    """A copy of its network in float32 on the processor, of which a trace holds for every size.

    Raises:
        InputError: no ViT of the DINO families, one with a test-time register, or weights of more than 2 GB.
    """
    spec = backbone.spec
    if not isinstance(backbone, DinoBackbone) or spec.family not in ("dinov2", "dinov3"):
        raise InputError(f"only ViTs of DINOv2 and DINOv3 are exported, not {spec.name}")
    if backbone.origin.register:
        raise InputError(f"{spec.name} is not exported: its register is made while it runs")
    n_bytes = sum(p.numel() * 4 for p in backbone.model.parameters())
    if n_bytes > LARGEST_BYTES:
        raise InputError(
            f"{spec.name} has {n_bytes / 1e9:.1f} GB of weights, and an ONNX file holds 2 GB at most"
        )
    found: list[nn.Module] = []
    backbone.to("cpu", torch.float32).altered(found.append)  # a copy, which may be changed
    keep_sizes_open(found[0])
    return found[0]


def write_traced(
    network: nn.Module, outputs: Outputs, axes: Mapping[str, Mapping[int, str]], patch_size: int, path: Path
) -> None:
    """Writes the graph of ``pixels`` (b 3 H W, normalised) to ``outputs``.

    Args:
        network: of `open_network`.
        outputs: what the graph gives.
        axes: by the name of each output, in order, those that may have any length.
        patch_size: of the network.
        path: of the file.
    """
    shown = torch.zeros(1, 3, 2 * patch_size, 3 * patch_size)
    free: dict[str, Any] = {
        "pixels": {0: "b", 2: "H", 3: "W"},
        **{name: dict(of) for name, of in axes.items()},
    }
    with warnings.catch_warnings(), torch.no_grad():
        # The tracing exporter, which needs no further package, is said to be of the past; and sizes that it
        # holds for constants are found by the certificate.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Graph(network, outputs).eval(),
            (shown,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=list(axes),
            dynamic_axes=free,
        )


class _Graph(nn.Module):
    def __init__(self, network: nn.Module, outputs: Outputs) -> None:
        super().__init__()
        self.network, self.outputs = network, outputs

    def forward(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Tensor, ...]:
        return self.outputs(self.network, pixels)
