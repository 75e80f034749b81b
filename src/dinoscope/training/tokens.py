"""The tokens of a batch by anybody's model: which output holds the patches, and on what grid they lie."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from dinoscope.backbones.base import Backbone
from dinoscope.errors import InputError, ShapeError


@dataclass(frozen=True, slots=True)
class TokenMap:
    """Tokens of a batch, as the model gives them after its final norm.

    Attributes:
        patches: row-major.
        grid: ``(h, w)`` of them.
        cls: class tokens; None where the model has, or says, none.
    """

    patches: Float[Tensor, "b n dim"]
    grid: tuple[int, int]
    cls: Float[Tensor, "b dim"] | None = None


def tokens_of(model: Any, pixels: Float[Tensor, "b 3 H W"]) -> TokenMap:
    """What a model makes of normalised pixels, in its present mode and with gradients if they are on.

    Understood are: our own backbones; models of `transformers` (``last_hidden_state``); the official DINO
    models (``forward_features`` with ``x_norm_patchtokens``); timm's (``forward_features`` with
    ``num_prefix_tokens``); and anything called with pixels that returns patches alone, ``b n dim`` or
    ``b h w dim``, or a dictionary of ``patches`` and perhaps ``cls``.

    Raises:
        InputError: no patch tokens are found in what it returns.
        ShapeError: as many patches as no grid of square patches over such pixels has.
    """
    if isinstance(model, Backbone):
        outputs = model.forward(pixels)
        (layer,) = outputs.patches
        return _mapped(outputs.patches[layer], outputs.cls.get(layer), pixels)
    # The model itself, for what distributes it would wait for the other processes.
    model = bare(model)
    if callable(getattr(model, "forward_features", None)):
        found = model.forward_features(pixels)
    else:
        found = model(pixels, **_options(model))
    return _mapped(*_parts(model, found, pixels), pixels)


def patch_px_of(model: Any) -> int | None:
    """Pixels on a side of the model's patches, where it says so."""
    for place in ("spec", "config", "patch_embed", None):
        said = getattr(getattr(model, place, None) if place else model, "patch_size", None)
        side = said[0] if isinstance(said, tuple | list) and said else said
        if isinstance(side, int):
            return side
    return None


def bare(model: Any) -> Any:
    """The model without what distributes or compiles it."""
    while True:
        if isinstance(model, DataParallel | DistributedDataParallel):
            model = model.module
        elif isinstance(model, nn.Module) and "_orig_mod" in dict(model.named_children()):
            model = model.get_submodule("_orig_mod")
        else:
            return model


def snapshot(model: Any) -> Any:
    """A frozen copy in evaluation mode, without what distributes or compiles it."""
    copied = copy.deepcopy(bare(model))
    return copied.requires_grad_(False).eval() if isinstance(copied, nn.Module) else copied


def _options(model: Any) -> dict[str, bool]:
    """Some models of `transformers` take other sizes than their own only where they are asked to."""
    forward = getattr(model, "forward", model)
    wanted = "interpolate_pos_encoding"
    return {wanted: True} if wanted in inspect.signature(forward).parameters else {}


def _parts(model: Any, found: Any, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
    """Patches and class tokens in what a model returned."""
    if isinstance(found, Mapping) and "x_norm_patchtokens" in found:
        return found["x_norm_patchtokens"], found.get("x_norm_clstoken")
    if isinstance(found, Mapping) and isinstance(found.get("patches"), Tensor):
        return found["patches"], found.get("cls")
    hidden = getattr(found, "last_hidden_state", None)
    if isinstance(hidden, Tensor) and hidden.ndim == 3:
        side = patch_px_of(model)
        n = (pixels.shape[2] // side) * (pixels.shape[3] // side) if side else 0
        if 0 < n <= hidden.shape[1]:
            return _split(hidden, hidden.shape[1] - n)
    before = getattr(model, "num_prefix_tokens", None)
    if isinstance(found, Tensor) and found.ndim == 3 and isinstance(before, int):
        return _split(found, before)
    if isinstance(found, Tensor) and found.ndim in (3, 4) and not hasattr(model, "forward_features"):
        return found, None
    said = f"a tensor {tuple(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
    raise InputError(
        f"{type(model).__name__} gives no patch tokens that are known as such, but {said}: give a function "
        "of pixels that returns patches alone, b n dim"
    )


def _split(tokens: Float[Tensor, "b t dim"], before: int) -> tuple[Tensor, Tensor | None]:
    return tokens[:, before:], tokens[:, 0] if before else None


def _mapped(patches: Tensor, cls: Tensor | None, pixels: Tensor) -> TokenMap:
    if len(patches) != len(pixels):
        raise ShapeError("patches", expected=f"b={len(pixels)} n dim", actual=patches.shape)
    H, W = pixels.shape[2:]
    if patches.ndim == 3:
        return TokenMap(patches, grid_of(patches.shape[1], (H, W)), cls)
    h, w = patches.shape[1:3]
    if h * W != w * H:
        raise ShapeError(f"patches over {H}x{W} pixels", expected="b h w dim", actual=patches.shape)
    return TokenMap(patches.flatten(1, 2), (h, w), cls)


def grid_of(n: int, size: tuple[int, int]) -> tuple[int, int]:
    """``(h, w)`` of so many patches over an image of a size ``(H, W)``: the grid of the same proportions.

    >>> grid_of(12, (48, 64))
    (3, 4)

    Raises:
        ShapeError: there is no such grid.
    """
    h = math.isqrt(n * size[0] // size[1])
    w = n // h if h else 0
    if h * w != n or h * size[1] != w * size[0] or n == 0:
        raise ShapeError(
            f"patches over {size[0]}x{size[1]} pixels",
            expected="as many as a grid of these proportions has, without class and register tokens",
            actual=(n,),
        )
    return h, w
