"""Matrix products in 8 bits, through ONNX Runtime, on a processor. Never chosen on its own."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import torch

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.pixels import check_pixels
from dinoscope.backbones.projected import Projected
from dinoscope.backbones.wrapped import Wrapped
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import check_layers
from dinoscope.errors import InputError
from dinoscope.extras import extra_package
from dinoscope.pipeline.int8_graph import int8_graph, output_name

_sessions: weakref.WeakKeyDictionary[DinoBackbone, Any] = weakref.WeakKeyDictionary()


def int8_backbone(backbone: Backbone) -> Backbone:
    """A DINO ViT with the products of its linear layers in 8 bits: see `int8_graph`.

    Making it takes seconds the first time; it is kept in memory for as long as ``backbone`` lives, and runs
    on as many threads as torch had then.

    Args:
        backbone: in float32 on a processor.

    Raises:
        InputError: another backbone, more than 2 GB of weights, or no room for temporary files.
        MissingExtraError: without the extra.
    """
    if isinstance(backbone, Projected):
        return replace(backbone, inner=int8_backbone(backbone.inner))
    if not isinstance(backbone, DinoBackbone):
        raise InputError(f"only ViTs of DINOv2 and DINOv3 have it, not {backbone.spec.name}")
    if backbone.device.type != "cpu" or backbone.dtype != torch.float32:
        raise InputError(
            f"it is made of float32 on a processor, not of {backbone.dtype} on {backbone.device}"
        )
    if backbone not in _sessions:
        _sessions[backbone] = _session(int8_graph(backbone))
    return Int8(backbone, _sessions[backbone])


class Int8(Wrapped):
    """The backbone inside, whose blocks a session of ONNX Runtime computes.

    Attributes:
        inner: in float32.
    """

    inner: DinoBackbone

    def __init__(self, inner: DinoBackbone, session: Any) -> None:
        self.inner, self._session = inner, session

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the products."""
        return torch.int8

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """See `Backbone.forward`."""
        h, w = check_pixels(pixels, self.spec.patch_size)
        layers = check_layers(layers, self.spec.depth)
        shown = {"pixels": pixels.float().numpy(force=True)}
        found = self._session.run([output_name(layer) for layer in layers], shown)
        kept = {layer: torch.from_numpy(tokens) for layer, tokens in zip(layers, found, strict=True)}
        return self.inner.tokens(kept, h, w, final_norm=final_norm)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Backbone:
        """See `Backbone.to`; another dtype is that of the backbone inside, without 8 bits."""
        inner = self.inner.to(device, None if dtype == torch.int8 else dtype)
        return int8_backbone(inner) if dtype in (None, torch.int8) else inner


def _session(graph: bytes) -> Any:
    runtime = extra_package("onnxruntime", "computing in 8 bits", "onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 4  # its errors are raised, too
    options.intra_op_num_threads = torch.get_num_threads()
    # Its threads wait busily between products, and no longer than a pass: others need the cores then.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
