"""DINOv2 and DINOv3 backbones: several layers in one forward pass, as the authors define them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.checkpoint import Recognised
from dinoscope.backbones.networks import block_outputs, blocks, final_norm, keep_periods, network
from dinoscope.backbones.pixels import check_pixels
from dinoscope.backbones.precision import exact_convolutions
from dinoscope.backbones.random_weights import random_weights
from dinoscope.data.layers import Batch, LayerOutputs, Layers
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers


class DinoBackbone:
    """A frozen DINOv2 or DINOv3 network; keeps the contract of ``backbones.base.Backbone``.

    Layers are blocks. The final normalisation is applied to any block, and is the same for class,
    register and patch tokens. A ConvNeXt's layers are its four stages, each on its own grid (strides
    4, 8, 16 and 32); its class token is the mean over the grid, normalised on its own. Its final
    normalisation belongs to the last stage: earlier stages come as they are either way.

    Source: facebookresearch/dinov3 dinov3/models/vision_transformer.py@6876159 and convnext.py
    (get_intermediate_layers).

    Attributes:
        model: the network of `transformers` inside.
        found: what its checkpoint was recognised as, without the parameters.
        spec: what it is.
        origin: where its weights came from.
    """

    def __init__(
        self, model: nn.Module, found: Recognised, spec: BackboneSpec, origin: WeightsOrigin
    ) -> None:
        # The parameters live in the model alone, in its dtype and on its device.
        self.model, self.found, self.spec, self.origin = model, replace(found, state={}), spec, origin
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or another process, builds the network anew from its parameters."""
        state = {name: value.detach().clone() for name, value in self.model.named_parameters()}
        found = replace(self.found, state=state)
        return _rebuilt, (found, self.spec, self.origin, str(self.device), self.dtype)

    @property
    def architecture(self) -> Architecture:
        """The shape of its network."""
        return self.found.architecture

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks of its network, or a ConvNeXt's stages."""
        return blocks(self.model)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of weights and arithmetic."""
        return next(self.model.parameters()).dtype

    def forward(self, pixels: Batch, layers: Layers = None, *, final_norm: bool = True) -> LayerOutputs:
        """Tokens of a batch, in float32 on the backbone's device. See ``backbones.base.Backbone.forward``.

        Memory grows with the number of patches, not with its square. Calls from several threads wait
        for each other.
        """
        architecture = self.architecture
        h, w = check_pixels(pixels, architecture.patch_size)
        layers = check_layers(layers, architecture.depth)
        with torch.inference_mode():
            kept = self._run(pixels.to(self.device, self.dtype), layers)
        return self.tokens({layer: kept[layer] for layer in layers}, h, w, final_norm=final_norm)

    def tokens(self, kept: Mapping[int, Tensor], h: int, w: int, *, final_norm: bool) -> LayerOutputs:
        """Tokens of what blocks gave for a grid of ``h w`` patches, by layer, before the final norm."""
        with torch.inference_mode():
            parts = {layer: self._parts(kept[layer], layer, h, w, final_norm=final_norm) for layer in kept}
        # Copied outside inference mode: ordinary tensors, that hold nothing else in memory.
        ordinary = {layer: [part.to(torch.float32, copy=True) for part in parts[layer]] for layer in kept}
        return LayerOutputs(
            patches={layer: ordinary[layer][0] for layer in kept},
            cls={layer: ordinary[layer][1] for layer in kept},
            registers={layer: ordinary[layer][2] for layer in kept},
            final_norm=final_norm,
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> DinoBackbone:
        """This backbone on another device or in another dtype.

        On the same device a new dtype is a copy and this backbone stays as it is; to another device
        the weights move, and this backbone moves with them.
        """
        device, dtype = torch.device(device), dtype or self.dtype
        same_device = device.type == self.device.type and device.index in (None, self.device.index)
        if same_device and dtype == self.dtype:
            return self
        with self._lock:
            model = copy.deepcopy(self.model) if same_device else self.model
            model = _cast(model, device, dtype, self.found)
        return DinoBackbone(model, self.found, self.spec, self.origin)

    def altered(self, change: Callable[[nn.Module], None]) -> DinoBackbone:
        """A copy of this backbone whose network was changed in place by ``change``; this one stays as it is.

        The change is lost where the copy is itself copied, or sent to another process.
        """
        with self._lock:
            model = copy.deepcopy(self.model)
        change(model)
        return DinoBackbone(model, self.found, self.spec, self.origin)

    def _run(self, pixels: Tensor, layers: tuple[int, ...]) -> dict[int, Tensor]:
        """Outputs of the asked blocks, before the final normalisation; no other output is kept."""
        with self._lock, exact_convolutions():
            return block_outputs(self.model, pixels, layers)

    def _parts(
        self, output: Tensor, layer: int, h: int, w: int, *, final_norm: bool
    ) -> tuple[Float[Tensor, "b h w dim"], Float[Tensor, "b dim"], Float[Tensor, "b r dim"]]:
        """Patch, class and register tokens of one block's output."""
        if self.architecture.family == "dinov3-convnext":
            return self._stage_parts(output, layer, final_norm=final_norm)
        tokens = self._norm(output) if final_norm else output
        first = 1 + self.architecture.registers
        patches = tokens[:, first:]
        return patches.reshape(len(patches), h, w, -1), tokens[:, 0], tokens[:, 1:first]

    def _stage_parts(
        self, output: Float[Tensor, "b dim h w"], layer: int, *, final_norm: bool
    ) -> tuple[Float[Tensor, "b h w dim"], Float[Tensor, "b dim"], Float[Tensor, "b r dim"]]:
        patches, mean = output.permute(0, 2, 3, 1), output.mean(dim=(2, 3))
        if final_norm and layer == self.architecture.depth - 1:
            patches, mean = self._norm(patches), self._norm(mean)
        return patches, mean, mean[:, None][:, :0]

    def _norm(self, tokens: Tensor) -> Tensor:
        return cast(Tensor, final_norm(self.model)(tokens))


def build(
    found: Recognised, spec: BackboneSpec, origin: WeightsOrigin, *, dtype: torch.dtype = torch.float32
) -> DinoBackbone:
    """A recognised checkpoint as a backbone on the CPU.

    Where the checkpoint has the dtype asked for, its tensors are used and not copied: leave them alone.

    Raises:
        BackboneError: `transformers`, or the torchvision beside it, cannot be imported.
    """
    model = _cast(network(found), torch.device("cpu"), dtype, found)
    return DinoBackbone(model, found, spec, origin)


def random_backbone(architecture: Architecture, spec: BackboneSpec, seed: int) -> DinoBackbone:
    """An architecture with random weights: the same for the same seed, whatever was drawn before.

    Raises:
        BackboneError: `transformers`, or the torchvision beside it, cannot be imported.
    """
    origin = WeightsOrigin(
        source=f"random weights, seed {seed}", notes=("random weights: nothing was learned",)
    )
    return build(random_weights(architecture, seed), spec, origin)


def spec_for(architecture: Architecture, name: str, **facts: Any) -> BackboneSpec:
    """The spec of an architecture; ``facts`` fill or replace its other fields (mean, std, licence, ...)."""
    read = {
        "family": architecture.family,
        "patch_size": architecture.patch_size,
        "dim": architecture.dim,
        "depth": architecture.depth,
        "heads": architecture.heads,
        "registers": architecture.registers,
    }
    return BackboneSpec(name=name, **(read | facts))


def _rebuilt(
    found: Recognised, spec: BackboneSpec, origin: WeightsOrigin, device: str, dtype: torch.dtype
) -> DinoBackbone:
    return DinoBackbone(_cast(network(found), torch.device(device), dtype, found), found, spec, origin)


def _cast(model: nn.Module, device: torch.device, dtype: torch.dtype, found: Recognised) -> nn.Module:
    model = model.to(device, dtype)
    if found.rope_periods is not None:
        keep_periods(model, found.rope_periods)
    return model
