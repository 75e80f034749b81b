"""Swin and Swin V2: four stages of windows, before each stage is made coarser."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from dinoscope.backbones.families.trunks.trunk import Trunk, halved_by_stage, stage_map


def _windows(trunk: Any, pixels: Tensor) -> None:
    """Swin's own forward pass, from a clean start: it shrinks its windows for good on small inputs.

    Where its coarsest grid is smaller than a window, windows are padded instead.
    """
    window = trunk.config.window_size
    for stage in trunk.encoder.layers:
        for i, block in enumerate(stage.blocks):
            block.window_size, block.shift_size = window, 0 if i % 2 == 0 else window // 2
    coarsest = trunk.config.patch_size * 2 ** (len(trunk.encoder.layers) - 1)
    small = min(pixels.shape[-2:]) // coarsest < window
    trunk(pixels, always_partition=small, output_hidden_states_before_downsampling=True)


def _channels_first(trunk: Any, output: Any, layer: int, pixels: Tensor) -> Tensor:
    return stage_map(output[1])


def _whole(trunk: Any, pixels: Tensor) -> None:
    trunk(pixels, interpolate_pos_encoding=True)


def _unflattened(trunk: Any, output: Any, layer: int, pixels: Tensor) -> Tensor:
    h, w = (side // (trunk.config.patch_size * 2**layer) for side in pixels.shape[-2:])
    found: Tensor = output[1].unflatten(1, (h, w))
    return found


TRUNKS = tuple(
    Trunk(
        (kind,),
        blocks=("encoder.layers",),
        has_cls=False,
        family="hf-stages",
        run=run,
        tokens=tokens,
        patch_size=halved_by_stage,
    )
    for kind, run, tokens in (("swin", _windows, _channels_first), ("swinv2", _whole, _unflattened))
)
