"""A backbone as an ONNX file that takes photographs of any size."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.atomic import write_whole
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.load import as_backbone
from dinoscope.doctor.explain.variants import n_prefix
from dinoscope.errors import InputError, MissingExtraError
from dinoscope.exports.positions import keep_sizes_open

OPSET = 17
"""The first with LayerNormalization as one operator."""

LARGEST_BYTES = 2**31 - 2**20
"""Of one ONNX file, with room for the graph beside the weights: its format holds 2 GB."""


def write_onnx(model: Backbone | str, path: str | Path) -> Path:
    """Writes a DINO ViT in float32: ``pixels`` (b 3 H W, normalised) to ``patches`` (b n dim) and ``cls``.

    Batch, height and width stay open; positions are computed in the graph, learned ones and RoPE alike. The
    model's own facts (name, patch size, mean, std, licence) are in the file's metadata under ``dinoscope``.

    Returns:
        The path.

    Raises:
        InputError: no ViT of the DINO families, or weights of more than 2 GB.
        MissingExtraError: without the extra.
    """
    backbone, path = as_backbone(model), Path(path)
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("writing an ONNX file", "onnx") from error
    graph = _graph(backbone)
    n_bytes = sum(p.numel() * 4 for p in graph.parameters())
    if n_bytes > LARGEST_BYTES:
        raise InputError(
            f"{backbone.spec.name} has {n_bytes / 1e9:.1f} GB of weights, and an ONNX file holds 2 GB at most"
        )
    spec = backbone.spec
    facts = {"model": spec.name, "patch_size": spec.patch_size, "mean": spec.mean, "std": spec.std}
    facts |= {"licence": spec.licence, "layer": spec.depth - 1, "final_norm": True}
    path.parent.mkdir(parents=True, exist_ok=True)

    def write(file: BinaryIO) -> None:
        beside = Path(f"{os.fspath(path)}.{os.getpid()}.part")
        try:
            _trace(graph, spec.patch_size, beside)
            model = onnx.load(beside)
        finally:
            beside.unlink(missing_ok=True)
        onnx.helper.set_model_props(model, {"dinoscope": json.dumps(facts)})
        onnx.checker.check_model(model)
        file.write(model.SerializeToString())

    write_whole(path, write)
    return path


class _Patches(nn.Module):
    """Patches and class token of a network's last block, after the final norm."""

    def __init__(self, network: nn.Module, before: int) -> None:
        super().__init__()
        self.network, self.before = network, before

    def forward(self, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Tensor, Tensor]:
        hidden = self.network(pixels).last_hidden_state
        return hidden[:, self.before :], hidden[:, 0]


def _graph(backbone: Backbone) -> nn.Module:
    spec = backbone.spec
    if not isinstance(backbone, DinoBackbone) or spec.family not in ("dinov2", "dinov3"):
        raise InputError(f"only ViTs of DINOv2 and DINOv3 are exported, not {spec.name}")
    found: list[nn.Module] = []
    backbone.to("cpu", torch.float32).altered(found.append)  # a copy, which may be changed
    keep_sizes_open(found[0])
    return _Patches(found[0], n_prefix(spec)).eval()


def _trace(graph: nn.Module, side: int, path: Path) -> None:
    shown = torch.zeros(1, 3, 2 * side, 3 * side)
    free: dict[str, Any] = {"pixels": {0: "b", 2: "H", 3: "W"}, "patches": {0: "b", 1: "n"}, "cls": {0: "b"}}
    with warnings.catch_warnings(), torch.no_grad():
        # The tracing exporter, which needs no further package, is said to be of the past; and sizes that it
        # holds for constants are found by the certificate.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph,
            (shown,),
            path,
            dynamo=False,
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=["patches", "cls"],
            dynamic_axes=free,
        )
