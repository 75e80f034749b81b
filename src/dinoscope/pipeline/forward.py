"""A batch through a backbone: pixels to its device, the model, the tokens back.

On a CUDA device the three run beside each other: while one batch is computed, the next is copied there and
resized, and the tokens of the one before are copied back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dinoscope.backbones.base import Backbone
from dinoscope.data.grid import PatchGrid
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import BackboneSpec
from dinoscope.io.resize import extent, resize_pixels, resize_planes
from dinoscope.pipeline.profile import DEVICE, Stopwatch, current_stopwatch, timed, waited

LARGEST_REDUCTION = 32.0
"""A photograph that shrinks by more is resized by the processor: a CUDA block holds the weights of about 47
times in bicubic, and refuses more.

Source: the shared memory check in aten/src/ATen/native/cuda/UpSampleBilinear2d.cu of PyTorch, for 48 KiB.
"""


@dataclass(frozen=True, slots=True)
class Route:
    """How a photograph gets to the model and its tokens back.

    Attributes:
        resize_there: the device resizes; else the decoding thread does.
        pinned: host memory that the device copies from and to by itself.
        deferred: batches whose tokens are collected only after further ones were started.
    """

    resize_there: bool
    pinned: bool
    deferred: int


def route_for(device_type: str, filter_: str) -> Route:
    """The way for a device: only CUDA copies beside its arithmetic.

    An 8-bit filter is Pillow's and stays on the processor.
    """
    cuda = device_type == "cuda"
    return Route(resize_there=cuda and filter_ != "bicubic-8bit", pinned=cuda, deferred=1 if cuda else 0)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A photograph ready for the model.

    Attributes:
        pixels: at the model's size ``3 H W`` in [0, 1]; or as decoded, ``H W 3`` of 8 bits, where the device
            resizes.
    """

    photograph: Photograph
    grid: PatchGrid
    pixels: Tensor

    @property
    def n_bytes(self) -> int:
        """What it holds in memory."""
        return self.photograph.pixels.nbytes + self.pixels.nbytes


def prepared(photograph: Photograph, grid: PatchGrid, filter_: str, route: Route) -> Prepared:
    """The part of the way that a decoding thread goes."""
    with timed("resize"):
        height, width, _ = photograph.pixels.shape
        if route.resize_there and reduction((width, height), grid) <= LARGEST_REDUCTION:
            pixels = torch.from_dlpack(photograph.pixels)  # as DLPack takes read-only arrays; not written to
        else:
            pixels = resize_pixels(photograph, grid.input_size, filter_)
    return Prepared(photograph, grid, pixels.pin_memory() if route.pinned else pixels)


def reduction(size: tuple[int, int], grid: PatchGrid) -> float:
    """How many pixels of a photograph ``(W, H)`` become one of the model's input, along the worse side."""
    height, width = grid.input_size
    return max(size[0] / width, size[1] / height)


def model_pixels(
    batch: Sequence[Prepared], spec: BackboneSpec, filter_: str, device: torch.device
) -> Float[Tensor, "b 3 H W"]:
    """The batch on the device, resized and normalised; all of one grid."""
    size = batch[0].grid.input_size
    rows = []
    for item in batch:
        there = item.pixels.to(device, non_blocking=True)
        if there.dtype == torch.uint8:
            there = resize_planes(there, size, filter_, extent(item.photograph))
        rows.append(there)
    return torch.stack(rows).sub_(_per_channel(spec.mean, device)).div_(_per_channel(spec.std, device))


@cache
def _per_channel(values: tuple[float, float, float], device: torch.device) -> Float[Tensor, "3 1 1"]:
    """Sent once: a device waits for its stream each time it is sent ordinary memory."""
    return torch.tensor(values, device=device).view(3, 1, 1)


Pending = Callable[[], LayerOutputs]
"""Waits for a batch's tokens, on the host."""


class ForwardPass:
    """Batches through one backbone, started one after the other."""

    def __init__(
        self, backbone: Backbone, layers: tuple[int, ...], filter_: str, *, final_norm: bool
    ) -> None:
        self._backbone = backbone
        self._layers = layers
        self._filter = filter_
        self._final_norm = final_norm
        self.route = route_for(backbone.device.type, filter_)
        cuda = backbone.device.type == "cuda"
        self._inbound: Any = torch.cuda.Stream(backbone.device) if cuda else None
        self._outbound: Any = torch.cuda.Stream(backbone.device) if cuda else None

    def start(self, batch: Sequence[Prepared]) -> Pending:
        """Starts a batch; on CUDA it is still running when this returns."""
        return self._start_beside(batch) if self._inbound is not None else self._start_in_turn(batch)

    def free_memory(self) -> None:
        """Returns what torch keeps for later."""
        if self._backbone.device.type == "cuda":
            torch.cuda.empty_cache()

    def _start_in_turn(self, batch: Sequence[Prepared]) -> Pending:
        with timed("transfer"):
            pixels = model_pixels(batch, self._backbone.spec, self._filter, self._backbone.device)
        with timed("model"):
            outputs = self._backbone.forward(pixels, layers=self._layers, final_norm=self._final_norm)

        def collect() -> LayerOutputs:
            with timed("copy"):
                return _mapped(outputs, lambda tensor: tensor.float().cpu())

        return collect

    def _start_beside(self, batch: Sequence[Prepared]) -> Pending:
        device, watch = self._backbone.device, current_stopwatch()
        marks = [torch.cuda.Event(enable_timing=watch is not None) for _ in range(6)]
        compute = torch.cuda.current_stream(device)
        with torch.cuda.stream(self._inbound):
            marks[0].record()
            pixels = model_pixels(batch, self._backbone.spec, self._filter, device)
            marks[1].record()
        compute.wait_stream(self._inbound)
        pixels.record_stream(compute)
        marks[2].record(compute)
        outputs = self._backbone.forward(pixels, layers=self._layers, final_norm=self._final_norm)
        marks[3].record(compute)

        def back(tensor: Tensor) -> Tensor:
            host = torch.empty(tensor.shape, dtype=torch.float32, pin_memory=True)
            host.copy_(tensor, non_blocking=True)
            tensor.record_stream(self._outbound)
            return host

        self._outbound.wait_stream(compute)
        with torch.cuda.stream(self._outbound):
            marks[4].record()
            arrived = _mapped(outputs, back)
            marks[5].record()

        def collect() -> LayerOutputs:
            with waited(DEVICE):
                marks[5].synchronize()
            if watch is not None:
                _add_device_times(watch, marks)
            with timed("copy"):
                return _mapped(arrived, Tensor.clone)  # pinned memory is scarce: features hold none

        return collect


def _add_device_times(watch: Stopwatch, marks: Sequence[Any]) -> None:
    for stage, first, last in (("transfer", 0, 1), ("model", 2, 3), ("copy", 4, 5)):
        watch.add(stage, marks[first].elapsed_time(marks[last]) / 1000, overlapped=True)


def _mapped(outputs: LayerOutputs, change: Callable[[Tensor], Tensor]) -> LayerOutputs:
    def each(tokens: Mapping[int, Tensor]) -> dict[int, Tensor]:
        return {layer: change(tensor) for layer, tensor in tokens.items()}

    return LayerOutputs(
        patches=each(outputs.patches),
        cls=each(outputs.cls),
        registers=each(outputs.registers),
        final_norm=outputs.final_norm,
    )
