"""A DINO network with one register more, to which the neurons that make high-norm tokens write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.networks import blocks
from dinoscope.data.spec import WeightsOrigin
from dinoscope.errors import BackboneError

HIDDEN = ("fc2", "weights_out", "down_proj")
"""What the last linear layer of an MLP is called; what it is given are its neurons' activations."""

Neurons = Mapping[int, tuple[int, ...]]
"""By layer, numbers of hidden channels of its MLP."""


class RepairedBackbone(DinoBackbone):
    """A network with a test-time register: a copy, so that the one it was made of stays as it is.

    One token, zero at first, stands behind the class and register tokens. Each neuron in question gives it
    the largest activation that any token has, and every other token none. It is left out of all outputs.

    Source: Jiang et al., Vision transformers don't need trained registers (arXiv 2506.08010), section 4.
    """

    def __init__(self, backbone: DinoBackbone, neurons: Neurons) -> None:
        self.neurons = {layer: tuple(found) for layer, found in neurons.items()}
        self._inner = backbone
        repaired = backbone.altered(self._listen)
        spec, told = backbone.spec, f"{backbone.spec.name} with a test-time register"
        spec = replace(spec, name=f"repaired:{spec.name}", description=told)
        super().__init__(repaired.model, backbone.found, spec, self._told(backbone.origin))

    def _told(self, origin: WeightsOrigin) -> WeightsOrigin:
        listed = "; ".join(f"layer {k}: {', '.join(map(str, v))}" for k, v in sorted(self.neurons.items()))
        n = sum(map(len, self.neurons.values()))
        return replace(
            origin,
            notes=(*origin.notes, f"a test-time register takes what {n} neurons write"),
            register=listed,
        )

    def _listen(self, model: nn.Module) -> None:
        place = 1 + self._inner.spec.registers
        model.get_submodule("embeddings").register_forward_hook(_with_token(place))
        for layer, found in self.neurons.items():
            hidden = hidden_layer(blocks(model)[layer])
            hidden.register_forward_pre_hook(_moved_to_token(place, torch.tensor(found)))

    def __reduce__(self) -> tuple[Any, ...]:
        return RepairedBackbone, (self._inner, self.neurons)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> DinoBackbone:
        """See `Backbone.to`."""
        return RepairedBackbone(self._inner.to(device, dtype), self.neurons)

    def _run(self, pixels: Tensor, layers: tuple[int, ...]) -> dict[int, Tensor]:
        place = 1 + self._inner.spec.registers
        kept = super()._run(pixels, layers)
        return {k: torch.cat([t[:, :place], t[:, place + 1 :]], dim=1) for k, t in kept.items()}


def _with_token(place: int) -> Callable[..., Tensor]:
    def hook(_module: nn.Module, _arguments: Any, tokens: Tensor) -> Tensor:
        extra = tokens.new_zeros(len(tokens), 1, tokens.shape[2])
        return torch.cat([tokens[:, :place], extra, tokens[:, place:]], dim=1)

    return hook


def _moved_to_token(place: int, neurons: Tensor) -> Callable[..., tuple[Tensor]]:
    def hook(_module: nn.Module, arguments: tuple[Tensor, ...]) -> tuple[Tensor]:
        hidden = arguments[0].clone()
        largest = hidden[..., neurons].amax(dim=1)
        hidden[..., neurons] = 0.0
        hidden[:, place, neurons] = largest
        return (hidden,)

    return hook


def hidden_layer(block: nn.Module) -> nn.Linear:
    """The last linear layer of a block's MLP.

    Raises:
        BackboneError: it has none of a known name.
    """
    for path, module in block.named_modules():
        if path.rpartition(".")[2] in HIDDEN and isinstance(module, nn.Linear):
            return module
    raise BackboneError(f"{type(block).__name__} has no MLP whose neurons are known ({', '.join(HIDDEN)})")


@contextmanager
def activations(backbone: DinoBackbone) -> Iterator[dict[int, Tensor]]:
    """While this lasts, the newest pass leaves every MLP's neurons, "b t hidden", by layer."""
    found: dict[int, Tensor] = {}

    def keep(layer: int, _module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        found[layer] = arguments[0]

    handles = [
        hidden_layer(block).register_forward_pre_hook(partial(keep, layer))
        for layer, block in enumerate(backbone.blocks)
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def as_repairable(backbone: Backbone) -> DinoBackbone:
    """The backbone, if a test-time register can be given to it.

    Raises:
        BackboneError: it is no DINO ViT.
    """
    if not isinstance(backbone, DinoBackbone) or backbone.architecture.family == "dinov3-convnext":
        raise BackboneError(
            f"{backbone.spec.name} cannot be given a test-time register; DINOv2 and DINOv3 ViTs can, "
            "looked at by their tokens on a plain grid"
        )
    return backbone
