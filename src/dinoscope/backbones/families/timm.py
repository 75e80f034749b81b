"""``timm:NAME``: ViTs of `timm`, through its ``forward_intermediates``."""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones import advice, hub, licences
from dinoscope.backbones.base import check_pixels
from dinoscope.backbones.catalog import HubSource
from dinoscope.backbones.families.foreign import cut_tokens, moved, weights_digest
from dinoscope.backbones.precision import exact_convolutions
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers
from dinoscope.errors import BackboneError, MissingExtraError, UnknownBackboneError, WeightsError


@dataclass(frozen=True, slots=True, eq=False)
class TimmBackbone:
    """A ViT of timm. Layers are its blocks; prefix tokens and normalisation are what timm states."""

    model: nn.Module
    spec: BackboneSpec
    origin: WeightsOrigin
    n_prefix: int
    has_cls: bool

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights and the arithmetic."""
        return next(self.model.parameters()).dtype

    def forward(
        self,
        pixels: Float[Tensor, "b 3 H W"],
        layers: tuple[int, ...] | None = None,
        *,
        final_norm: bool = True,
    ) -> LayerOutputs:
        """See `Backbone.forward`."""
        h, w = check_pixels(pixels, self.spec.patch_size)
        wanted = check_layers(layers, self.spec.depth)
        ascending = sorted(wanted)
        model: Any = self.model
        with torch.no_grad(), exact_convolutions():
            found = model.forward_intermediates(
                pixels.to(self.device, self.dtype),
                indices=ascending,
                return_prefix_tokens=self.n_prefix > 0,
                norm=final_norm,
                output_fmt="NLC",
                intermediates_only=True,
            )
            pairs = [(item[1], item[0]) if self.n_prefix else (item[:, :0], item) for item in found]
            sequences = {layer: torch.cat(pair, dim=1) for layer, pair in zip(ascending, pairs, strict=True)}
        ordered = {layer: sequences[layer] for layer in wanted}
        return cut_tokens(ordered, h, w, n_prefix=self.n_prefix, has_cls=self.has_cls, final_norm=final_norm)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> TimmBackbone:
        """See `Backbone.to`."""
        model = moved(self.model, device, dtype)
        return self if model is self.model else replace(self, model=model)


def load_timm(name: str) -> TimmBackbone:
    """A pretrained ViT of timm, by timm's own name; float32, on the CPU.

    Raises:
        MissingExtraError: timm is not installed.
        BackboneError: timm is broken here, or the model is no ViT with free input sizes.
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
    weights = snapshot.folder / hub.SINGLE
    try:
        model = timm.create_model(
            name,
            pretrained=True,
            pretrained_cfg_overlay={"file": str(weights)},
            num_classes=0,
            dynamic_img_size=True,
        )
    except TypeError as error:
        raise BackboneError(f"{label} is no ViT with free input sizes: {error}") from error
    model.eval().requires_grad_(False)
    missing = [
        need for need in ("forward_intermediates", "num_prefix_tokens", "blocks") if not hasattr(model, need)
    ]
    if missing:
        raise BackboneError(f"{label} is no ViT that dinoscope can read: it has no {', '.join(missing)}")
    return _described(model, label, snapshot)


def _described(model: Any, label: str, snapshot: hub.Snapshot) -> TimmBackbone:
    n_prefix = int(model.num_prefix_tokens)
    registers = int(getattr(model, "num_reg_tokens", 0) or 0)
    has_cls = n_prefix > registers
    sides = set(model.patch_embed.patch_size)
    if len(sides) != 1:
        raise BackboneError(f"{label}: its patches are not square: {sorted(sides)}")
    spec = BackboneSpec(
        name=label,
        family="timm",
        patch_size=int(sides.pop()),
        dim=int(model.embed_dim),
        depth=len(model.blocks),
        heads=int(model.blocks[0].attn.num_heads),
        registers=n_prefix - int(has_cls),
        mean=_three(model.pretrained_cfg["mean"]),
        std=_three(model.pretrained_cfg["std"]),
        licence=licences.named(model.pretrained_cfg.get("license")),
        description=f"{type(model).__name__} of timm",
    )
    licences.give_notice(spec.licence)
    origin = WeightsOrigin(snapshot.source, weights_digest(snapshot.folder), "timm", statistics="stated")
    return TimmBackbone(model, spec, origin, n_prefix, has_cls)


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
