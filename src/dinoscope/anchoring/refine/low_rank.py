"""Linear layers that learn a product of two thin matrices beside their weights.

Source: LoRA (arXiv 2106.09685), section 4.1, without its scaling factor.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from dinoscope.backbones.networks import blocks


class _Added(nn.Module):
    def __init__(self, rows: int, columns: int, rank: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.zeros(rows, rank))
        self.down = nn.Parameter(torch.randn(rank, columns) / columns**0.5)

    def forward(self, weight: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows columns"]:
        return weight + self.up @ self.down


def learn_low_rank(network: nn.Module, rank: int) -> None:
    """Every linear layer of the blocks gets such a product, 0 at first; all else no longer learns."""
    network.requires_grad_(False)
    for module in blocks(network).modules():
        if isinstance(module, nn.Linear):
            rows, columns = module.weight.shape
            added = _Added(rows, columns, rank).to(module.weight)
            parametrize.register_parametrization(module, "weight", added)


def merge_low_rank(network: nn.Module) -> None:
    """The products become part of the weights, and the layers ordinary ones again."""
    for module in network.modules():
        if isinstance(module, nn.Linear) and parametrize.is_parametrized(module):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=True)
