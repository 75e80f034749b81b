"""Catalog models shrunk to a size that tests can build, serve and run: same families, same token counts."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from dinoscope.backbones import catalog
from dinoscope.backbones.architecture import Architecture

DIM, DEPTH, HEADS = 128, 2, 2


def shrink(architecture: Architecture) -> Architecture:
    """128 channels in 2 blocks of 2 heads (a ConvNeXt: one block in each stage); the rest as it was."""
    if architecture.family == "dinov3-convnext":
        dims = (16, 32, 64, DIM)
        return replace(architecture, dim=DIM, stage_depths=(1, 1, 1, 1), stage_dims=dims)
    gated_dinov2 = architecture.family == "dinov2" and architecture.mlp == "swiglu"
    return replace(architecture, dim=DIM, depth=DEPTH, heads=HEADS, hidden=344 if gated_dinov2 else 512)


def shrink_catalog(monkeypatch: Any) -> None:
    """Let every catalog name mean the shrunken model while the test runs."""
    small = {
        name: entry if entry.bundled else replace(entry, architecture=shrink(entry.architecture))
        for name, entry in catalog.ENTRIES.items()
    }
    monkeypatch.setattr(catalog, "ENTRIES", small)


@functools.cache
def hub_files(architecture: Architecture, seed: int = 0) -> dict[str, bytes]:
    """`config.json` and `model.safetensors` of such a model with random weights, as the hub has them."""
    model = _model(architecture)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.02)
    with TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def _model(a: Architecture) -> Any:
    import transformers as hf

    torch.manual_seed(0)
    if a.family == "dinov3-convnext":
        config = hf.DINOv3ConvNextConfig(depths=list(a.stage_depths), hidden_sizes=list(a.stage_dims))
        return hf.DINOv3ConvNextModel(config)
    sizes = {
        "hidden_size": a.dim,
        "num_hidden_layers": a.depth,
        "num_attention_heads": a.heads,
        "patch_size": a.patch_size,
    }
    gated = a.mlp == "swiglu"
    if a.family == "dinov3":
        return hf.DINOv3ViTModel(
            hf.DINOv3ViTConfig(
                **sizes,
                intermediate_size=a.hidden,
                num_register_tokens=a.registers,
                use_gated_mlp=gated,
                hidden_act="silu" if gated else "gelu",
                query_bias=a.query_value_bias,
                value_bias=a.query_value_bias,
            )
        )
    facts = {**sizes, "image_size": a.position_grid * a.patch_size, "use_swiglu_ffn": gated}
    if a.registers:
        return hf.Dinov2WithRegistersModel(
            hf.Dinov2WithRegistersConfig(**facts, num_register_tokens=a.registers)
        )
    return hf.Dinov2Model(hf.Dinov2Config(**facts))
