"""The same photographs through the same weights, by several ways: ours and what others would write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

import dinoscope as ds
from benchmarks.extract import SIDE, plain_loop
from dinoscope.backbones.base import Backbone

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
BATCH = 4

Way = Callable[[], object]


def ways(paths: list[Path], model: nn.Module, backbone: Backbone) -> dict[str, Way]:
    """By name; ``forward only`` has its pixels ready and is what the others are measured against.

    ``timm`` is there where timm is: its own network of the same size with random weights.
    """
    device, dtype = backbone.device, backbone.dtype
    ready = torch.randn(1, 3, SIDE, SIDE, device=device, dtype=dtype)
    found: dict[str, Way] = {
        "forward only": lambda: [backbone.forward(ready) for _ in paths],
        "ours": lambda: [f.values for f in ds.extract(paths, backbone, grid=SIDE // 16)],
        "plain loop": lambda: plain_loop(paths, model) if device.type == "cpu" else batched(paths, model, 1),
        "transformers batched": lambda: batched(paths, model, BATCH),
        "all hidden states": lambda: all_hidden_states(paths, model),
    }
    other = timm_network()
    if other is not None:
        network = other.to(device, dtype)
        found["timm"] = lambda: through_timm(paths, network)
    return found


def read(path: Path) -> torch.Tensor:
    """Decoded, resized and normalised by the most usual means."""
    image = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return (torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255.0 - MEAN) / STD


def batched(paths: list[Path], model: nn.Module, size: int) -> list[np.ndarray]:
    """A few photographs in one pass."""
    first = next(model.parameters())
    features = []
    for start in range(0, len(paths), size):
        pixels = torch.stack([read(path) for path in paths[start : start + size]])
        with torch.no_grad():
            tokens = model(pixel_values=pixels.to(first.device, first.dtype)).last_hidden_state
        features += list(tokens[:, 5:].float().cpu().numpy())
    return features


def all_hidden_states(paths: list[Path], model: nn.Module) -> list[np.ndarray]:
    """One photograph at a time, every layer asked for and the last one kept, in inference mode."""
    first = next(model.parameters())
    features = []
    with torch.inference_mode():
        for path in paths:
            outputs = model(
                pixel_values=read(path)[None].to(first.device, first.dtype), output_hidden_states=True
            )
            features.append(outputs.last_hidden_state[0, 5:].float().cpu().numpy())
    return features


def timm_network() -> nn.Module | None:
    """A ViT-S/16 for DINOv3 of timm, with random weights; None without timm."""
    try:
        import timm
    except ImportError:
        return None
    network: nn.Module = timm.create_model("vit_small_patch16_dinov3", pretrained=False).eval()
    return network


def through_timm(paths: list[Path], network: nn.Module) -> list[np.ndarray]:
    """Features by timm itself, in batches."""
    first = next(network.parameters())
    features = []
    for start in range(0, len(paths), BATCH):
        pixels = torch.stack([read(path) for path in paths[start : start + BATCH]])
        with torch.inference_mode():
            tokens = network.forward_features(pixels.to(first.device, first.dtype))  # type: ignore[operator]
        features += list(tokens[:, 5:].float().cpu().numpy())
    return features
