"""A small model, and what people's exports have done to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dinoscope.backbones.alternatives import with_positions
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.backbones.traced import open_network, write_traced
from dinoscope.exports.export import AXES

DATA = Path(__file__).parents[1] / "data" / "parity"


@cache
def learned() -> Backbone:
    """A DINOv2 with a learned position table of 37x37."""
    return load_backbone(weights=DATA / "dinov2.pth")


def patches(backbone: Backbone, pixels: Tensor) -> Tensor:
    (found,) = backbone.forward(pixels).patches.values()
    return found


def normalised_by(mean: float, std: float, backbone: Backbone) -> Callable[[Tensor], Tensor]:
    """Colours are normalised by other numbers than the authors'."""
    theirs = torch.tensor(backbone.spec.mean).view(3, 1, 1), torch.tensor(backbone.spec.std).view(3, 1, 1)

    def run(pixels: Tensor) -> Tensor:
        return patches(backbone, (pixels * theirs[1] + theirs[0] - mean) / std)

    return run


def cropped_table(pixels: Tensor) -> Tensor:
    """Positions are cut to the grid, not resized to it."""
    return patches(with_positions(learned(), "cut"), pixels)


def transposed(pixels: Tensor) -> Tensor:
    """The sequence holds column after column."""
    found = patches(load_backbone("mini"), pixels)
    b, h, w, dim = found.shape
    return found.transpose(1, 2).reshape(b, h * w, dim).reshape(b, h, w, dim)


class Halved(nn.Module):
    """Computes in 16 bits what is too large for them."""

    def __init__(self, inner: Any, factor: float) -> None:
        super().__init__()
        self.inner, self.factor = inner, factor

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        found, cls = self.inner(pixels)
        return (found.half() * self.factor).float() / self.factor, cls


class Sound(nn.Module):
    """Patches and class token, as an export gives them."""

    def __init__(self, network: nn.Module, before: int) -> None:
        super().__init__()
        self.network, self.before = network, before

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.network(pixels).last_hidden_state
        return hidden[:, self.before :], hidden[:, 0]


def write_with(change: Callable[[Any], nn.Module], path: Path) -> Path:
    """An ONNX file of mini with something around its graph."""
    mini = load_backbone("mini")
    graph = change(Sound(open_network(mini), 1 + mini.spec.registers)).eval()
    write_traced(graph, lambda graph, pixels: graph(pixels), AXES, mini.spec.patch_size, path)
    return path
