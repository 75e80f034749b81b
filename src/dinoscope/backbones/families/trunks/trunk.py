"""A family of `transformers`: what a file of this package states, and what most families have alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from torch import Tensor, nn

BLOCKS = ("layers", "layer", "encoder.layers", "encoder.layer", "model.layer")
NORMS = ("layernorm", "post_layernorm", "norm", "rms_norm")


def run_whole(trunk: Any, pixels: Tensor) -> None:
    """The trunk's own forward pass, with positions resized where it asks to be told so."""
    wanted = "interpolate_pos_encoding"
    trunk(pixels, **({wanted: True} if wanted in inspect.signature(trunk.forward).parameters else {}))


def first_of(trunk: Any, output: Any, layer: int, pixels: Tensor) -> Tensor:
    """What a block returns, or the first thing of several: tokens."""
    found: Tensor = output[0] if isinstance(output, tuple) else output
    return found


def own_patch_size(config: Any) -> int:
    """As the configuration states it; of a pair, both must be one.

    Raises:
        ValueError: patches that are not square.
    """
    sides = config.patch_size if isinstance(config.patch_size, (list, tuple)) else (config.patch_size,)
    if len(set(sides)) != 1:
        raise ValueError(f"its patches are not square: {tuple(sides)}")
    return int(sides[0])


def halved_by_stage(config: Any) -> int:
    """The patch size of a network whose stages each halve the grid."""
    return own_patch_size(config) * 2 ** (len(config.depths) - 1)


@dataclass(frozen=True, slots=True)
class Trunk:
    """How a family is loaded and read.

    Attributes:
        model_types: as ``config.json`` names them.
        inside: where in the loaded model the trunk lies; the first place that exists.
        blocks: where in the trunk its blocks or stages lie; likewise.
        norm: where its final norm lies; likewise; there is none where no place exists.
        loader: the class of `transformers` that loads it.
        has_cls: whether the first token before the patches is a class token.
        family: ``hf`` for blocks on one grid; ``hf-convnext`` and ``hf-stages`` for stages, each on a grid
            of its own, where the final norm is the last one's.
        prepare: what is set on the trunk once, after loading.
        run: the forward pass; blocks are listened to meanwhile.
        tokens: a block's output as ``b t dim``, or as a map ``b h w dim``.
        patch_size: pixels on a side of a patch of the last layer, from the trunk's configuration.
        normalises: whether it takes colours in [0, 1] and normalises them itself.
        notes: what a reader must know.
    """

    model_types: tuple[str, ...]
    inside: tuple[str, ...] = ("vision_model", "")
    blocks: tuple[str, ...] = BLOCKS
    norm: tuple[str, ...] = NORMS
    loader: str = "AutoModel"
    has_cls: bool = True
    family: Literal["hf", "hf-convnext", "hf-stages"] = "hf"
    prepare: Callable[[Any], None] = lambda trunk: None
    run: Callable[[Any, Tensor], None] = run_whole
    tokens: Callable[[Any, Any, int, Tensor], Tensor] = first_of
    patch_size: Callable[[Any], int] = own_patch_size
    normalises: bool = False
    notes: tuple[str, ...] = ()

    def place(self, model: nn.Module) -> str:
        """Where the trunk lies in the loaded model; empty where it is the model."""
        return next(path for path in (*self.inside, "") if not path or _found(model, path) is not None)

    def parts(self, trunk: nn.Module) -> tuple[nn.ModuleList | None, nn.Module | None]:
        """Blocks and final norm; None for what is not there, or does nothing."""
        blocks = next((found for path in self.blocks if (found := _found(trunk, path)) is not None), None)
        norm = next((found for path in self.norm if (found := _found(trunk, path)) is not None), None)
        return (
            blocks if isinstance(blocks, nn.ModuleList) else None,
            None if isinstance(norm, nn.Identity) else norm,
        )

    def read(
        self, trunk: nn.Module, pixels: Tensor, layers: tuple[int, ...], *, final_norm: bool
    ) -> Mapping[int, Tensor]:
        """See `families.foreign.Read`."""
        blocks, norm = self.parts(trunk)
        assert blocks is not None, "checked when it was loaded"
        kept: dict[int, Any] = {}

        def keep(layer: int, _module: nn.Module, _inputs: Any, output: Any) -> None:
            kept[layer] = output

        handles = [blocks[layer].register_forward_hook(partial(keep, layer)) for layer in layers]
        try:
            self.run(trunk, pixels)
        finally:
            for handle in handles:
                handle.remove()
        tokens = {layer: self.tokens(trunk, kept[layer], layer, pixels) for layer in layers}
        if not final_norm or norm is None:
            return tokens
        last = len(blocks) - 1
        return {
            layer: norm(found) if layer == last or self.family == "hf" else found
            for layer, found in tokens.items()
        }


def resized(table: Tensor, h: int, w: int) -> Tensor:
    """Learned positions ``1 h0 w0 dim`` on another grid, bicubic; on their own grid as they are."""
    if table.shape[1:3] == (h, w):
        return table
    grid = table.permute(0, 3, 1, 2).float()
    return nn.functional.interpolate(grid, (h, w), mode="bicubic").permute(0, 2, 3, 1).to(table.dtype)


def stage_map(found: Tensor) -> Tensor:
    """A stage's map ``b dim h w`` with channels last."""
    return found.permute(0, 2, 3, 1)


def patches_of(pixels: Tensor, patch_size: int) -> tuple[int, int]:
    """``(h, w)`` of an input."""
    return pixels.shape[-2] // patch_size, pixels.shape[-1] // patch_size


def _found(module: nn.Module, path: str) -> nn.Module | None:
    try:
        return module.get_submodule(path)
    except AttributeError:
        return None
