"""Models of a few thousand parameters, in the shapes in which people have them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def dinov3(seed: int = 0, *, patch: int = 4, dim: int = 16, registers: int = 2) -> Any:
    """A DINOv3ViTModel of transformers."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(seed)
    config = DINOv3ViTConfig(
        patch_size=patch,
        hidden_size=dim,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_register_tokens=registers,
        image_size=32,
    )
    return DINOv3ViTModel(config).eval()


class Official(nn.Module):
    """What the official hub returns, around a model of transformers."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward_features(self, pixels: Tensor) -> dict[str, Tensor]:
        hidden = self.inner(pixels).last_hidden_state
        return {"x_norm_clstoken": hidden[:, 0], "x_norm_patchtokens": hidden[:, 3:], "masks": hidden[:0]}


class Timm(nn.Module):
    """What timm's vision transformers return, around a model of transformers."""

    num_prefix_tokens = 3

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def forward_features(self, pixels: Tensor) -> Tensor:
        return self.inner(pixels).last_hidden_state


def pixels(b: int = 2, height: int = 16, width: int = 24, seed: int = 5) -> Tensor:
    return torch.randn(b, 3, height, width, generator=torch.Generator().manual_seed(seed))
