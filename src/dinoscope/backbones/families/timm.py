"""``timm:NAME``: ViTs of `timm`, through its ``forward_intermediates``."""

from __future__ import annotations

import copy
import difflib
import importlib
import warnings
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from dinoscope.backbones import advice, hub, licences
from dinoscope.backbones.catalog import HubSource
from dinoscope.backbones.families.foreign import ForeignBackbone, measured_prefix, weights_digest
from dinoscope.data.spec import BackboneSpec, WeightsOrigin
from dinoscope.errors import BackboneError, MissingExtraError, UnknownBackboneError, WeightsError

_SIZED: WeakKeyDictionary[nn.Module, tuple[object, nn.Module]] = WeakKeyDictionary()
"""For a network whose tables fit one grid, a copy for the grid, device and dtype asked for last."""


def load_timm(name: str) -> ForeignBackbone:
    """A pretrained ViT of timm, by timm's own name; float32, on the CPU.

    Raises:
        MissingExtraError: timm is not installed.
        BackboneError: timm is broken here, or the model is no ViT that takes any grid.
        UnknownBackboneError: timm does not know the name.
        WeightsError: its weights cannot be had.
    """
    timm = _import_timm()
    label = f"timm:{name}"
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise UnknownBackboneError(label, tuple(f"timm:{other}" for other in near))
    stated = timm.get_pretrained_cfg(name)
    repo = getattr(stated, "hf_hub_id", None)
    if not repo:
        raise WeightsError(label, "timm names no hub repository with pretrained weights for it")
    snapshot = hub.locate(label, (HubSource(repo),), advice.steps_for_foreign(repo))
    weights = {"file": str(snapshot.folder / hub.SINGLE)}
    options: dict[str, Any] = {"pretrained": True, "pretrained_cfg_overlay": weights, "num_classes": 0}
    try:
        model = timm.create_model(name, dynamic_img_size=True, **options)
    except TypeError:  # it takes every size as it is, or none but its own
        model = timm.create_model(name, **options)
    origin = WeightsOrigin(snapshot.source, weights_digest(snapshot.folder), "timm", statistics="stated")
    return describe(model, label, origin)


def describe(model: Any, label: str, origin: WeightsOrigin) -> ForeignBackbone:
    """A network of timm as a backbone: its tokens and patches are what timm states, and are then measured.

    Raises:
        BackboneError: no ViT, or not on any grid.
    """
    missing = [need for need in ("forward_intermediates", "blocks") if not hasattr(model, need)]
    if missing:
        raise BackboneError(f"{label} is no ViT that dinoscope can read: it has no {', '.join(missing)}")
    model.eval().requires_grad_(False)
    patch_size = _patch_size(model, label)
    n_prefix, depth = _stated_prefix(model), len(model.blocks)
    measured = measured_prefix(label, model, read, patch_size, depth)
    if measured != n_prefix:
        raise BackboneError(f"{label}: timm states {n_prefix} prefix tokens, and it gives {measured}")
    tokens = model if hasattr(model, "patch_embed") else model.embeds
    has_cls = getattr(tokens, "cls_token", None) is not None
    has_norm = not isinstance(getattr(model, "norm", None), nn.Identity | None)
    absent = () if has_norm else ("it has no final norm for patches",)
    spec = BackboneSpec(
        name=label,
        family="timm",
        patch_size=patch_size,
        dim=int(model.embed_dim),
        depth=depth,
        heads=next((int(m.num_heads) for m in model.blocks.modules() if hasattr(m, "num_heads")), 0),
        registers=n_prefix - int(has_cls),
        mean=_three(model.pretrained_cfg["mean"]),
        std=_three(model.pretrained_cfg["std"]),
        licence=licences.named(model.pretrained_cfg.get("license")),
        description=f"{type(model).__name__} of timm",
        final_norm=has_norm,
    )
    licences.give_notice(spec.licence)
    noted = WeightsOrigin(origin.source, origin.digest, origin.layout, absent, origin.statistics)
    return ForeignBackbone(model, read, spec, noted, n_prefix, has_cls)


def read(model: Any, pixels: Tensor, layers: tuple[int, ...], /, *, final_norm: bool) -> Mapping[int, Tensor]:
    """See `families.foreign.Read`; layers are blocks."""
    ascending = sorted(layers)
    prefixed = _stated_prefix(model) > 0
    found = _at_size(model, pixels).forward_intermediates(
        pixels,
        indices=ascending,
        norm=final_norm,
        output_fmt="NCHW",
        intermediates_only=True,
        **({"return_prefix_tokens": True} if prefixed else {}),
    )
    tokens = {}
    for layer, item in zip(ascending, found, strict=True):
        grid, prefix = item if prefixed else (item, None)
        patches = grid.permute(0, 2, 3, 1)
        tokens[layer] = patches if prefix is None else torch.cat([prefix, patches.flatten(1, 2)], dim=1)
    return tokens


def _at_size(model: Any, pixels: Tensor) -> Any:
    """The network for inputs of this size: itself where it takes any, else a copy with resized tables."""
    embed: Any = getattr(model, "patch_embed", None)
    size = (int(pixels.shape[-2]), int(pixels.shape[-1]))
    if not getattr(embed, "strict_img_size", False) or getattr(embed, "img_size", size) == size:
        return model
    wanted = (size, pixels.device, pixels.dtype)
    kept = _SIZED.get(model)
    if kept is None or kept[0] != wanted:
        sized = copy.deepcopy(model)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # timm resizes tables by an indexing that torch calls old
            sized.set_input_size(img_size=size)
        kept = _SIZED[model] = (wanted, sized)
    return kept[1]


def _stated_prefix(model: Any) -> int:
    return int(getattr(model, "num_prefix_tokens", 0))


def _patch_size(model: Any, label: str) -> int:
    """With a convolutional stem, how much that and the patches make coarser together."""
    embed = model.patch_embed if hasattr(model, "patch_embed") else model.embeds
    ratio = getattr(embed, "feat_ratio", None)
    found: Any = ratio() if ratio is not None else embed.patch_size
    sides = {int(side) for side in (found if isinstance(found, (tuple, list)) else (found,))}
    if len(sides) != 1:
        raise BackboneError(f"{label}: its patches are not square: {sorted(sides)}")
    return sides.pop()


def _three(values: Any) -> tuple[float, float, float]:
    first, second, third = values
    return float(first), float(second), float(third)


def _import_timm() -> Any:
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as error:
        raise MissingExtraError("timm:NAME", "timm") from error
    except (ImportError, RuntimeError) as error:
        raise BackboneError(
            f"timm is installed but cannot be imported ({error}); it needs a torchvision built for the "
            "installed torch"
        ) from error
