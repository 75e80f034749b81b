"""A backbone as an ONNX or an OpenVINO file that takes photographs of any size."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import BinaryIO

from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.atomic import work_folder, write_whole
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import as_backbone
from dinoscope.backbones.traced import open_network, write_traced
from dinoscope.doctor.explain.variants import n_prefix
from dinoscope.errors import InputError
from dinoscope.exports.openvino_file import onnx_to_openvino
from dinoscope.extras import extra_package

AXES = {"patches": {0: "b", 1: "n"}, "cls": {0: "b"}}
"""Outputs of an export, and which of their axes may have any length."""


def write_onnx(model: Backbone | str, path: str | Path) -> Path:
    """Writes a DINO ViT in float32: ``pixels`` (b 3 H W, normalised) to ``patches`` (b n dim) and ``cls``.

    Batch, height and width stay open; positions are computed in the graph, learned ones and RoPE alike. The
    model's own facts (name, patch size, mean, std, licence) are in the file's metadata under ``dinoscope``.

    Returns:
        The path.

    Raises:
        InputError: no ViT of the DINO families, one with a test-time register, or weights of more than 2 GB.
        MissingExtraError: without the extra.
    """
    backbone, path = as_backbone(model), Path(path)
    onnx = extra_package("onnx", "writing an ONNX file", "onnx")
    network = open_network(backbone)
    spec, before = backbone.spec, n_prefix(backbone.spec)
    facts = {"model": spec.name, "patch_size": spec.patch_size, "mean": spec.mean, "std": spec.std}
    facts |= {"licence": spec.licence, "layer": spec.depth - 1, "final_norm": True}
    path.parent.mkdir(parents=True, exist_ok=True)

    def outputs(network: nn.Module, pixels: Float[Tensor, "b 3 H W"]) -> tuple[Tensor, ...]:
        hidden = network(pixels).last_hidden_state
        return hidden[:, before:], hidden[:, 0]

    def write(file: BinaryIO) -> None:
        beside = Path(f"{os.fspath(path)}.{os.getpid()}.part")
        try:
            write_traced(network, outputs, AXES, spec.patch_size, beside)
            model = onnx.load(beside)
        finally:
            beside.unlink(missing_ok=True)
        onnx.helper.set_model_props(model, {"dinoscope": json.dumps(facts)})
        onnx.checker.check_model(model)
        file.write(model.SerializeToString())

    write_whole(path, write)
    return path


def write_openvino(model: Backbone | str, path: str | Path) -> Path:
    """As `write_onnx`, for OpenVINO: the graph in ``path``, which ends in .xml, the weights in .bin beside.

    Returns:
        The path.

    Raises:
        InputError: as `write_onnx`, or another ending.
        MissingExtraError: without the extra.
    """
    path = Path(path)
    if path.suffix != ".xml":
        raise InputError(f"{str(path)!r}: the file of an OpenVINO export ends in .xml")
    path.parent.mkdir(parents=True, exist_ok=True)
    with work_folder(path.parent) as work:
        onnx_to_openvino(write_onnx(model, work / "model.onnx"), path)
    return path
