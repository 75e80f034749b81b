"""``hf:ORG/NAME`` and ``hf:FOLDER``: ViTs of other families, through `transformers`.

Families: ViT and DINO v1 (``vit``), DeiT (``deit``), MSN (``vit_msn``), I-JEPA (``ijepa``), DINOv2
with and without registers, DINOv3 ViT, and the vision towers of CLIP and SigLIP. Weights must be
safetensors; normalisation must be stated in ``preprocessor_config.json``.
"""

from __future__ import annotations

import inspect
import json
import re
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from dinoscope.backbones import advice, catalog, hub, licences
from dinoscope.backbones.base import check_pixels
from dinoscope.backbones.catalog import HubSource
from dinoscope.backbones.families.foreign import cut_tokens, moved, weights_digest
from dinoscope.backbones.normalisation import Described, UnusableError, stated
from dinoscope.backbones.precision import exact_convolutions
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.spec import BackboneSpec, WeightsOrigin, check_layers
from dinoscope.errors import UnknownBackboneError, WeightsError

FAMILIES = (
    "clip",
    "clip_vision_model",
    "deit",
    "dinov2",
    "dinov2_with_registers",
    "dinov3_vit",
    "ijepa",
    "siglip",
    "siglip_vision_model",
    "vit",
    "vit_msn",
)
_WITHOUT_CLS = ("ijepa", "siglip", "siglip_vision_model")
_BLOCK_PATHS = ("layers", "layer", "encoder.layers", "encoder.layer", "model.layer")
_NORM_PATHS = ("layernorm", "post_layernorm", "norm")
_PROBES = ((3, 3), (2, 5))
"""Grids on which the number of prefix tokens is measured; they must agree."""


@dataclass(frozen=True, slots=True, eq=False)
class HuggingFaceBackbone:
    """A foreign ViT. Layers are its blocks; its final norm is applied to all tokens of a block.

    CLIP itself applies its last norm to the class token only; here the patches get it too, so that
    ``final_norm`` means the same everywhere (``final_norm=False`` gives what `transformers` calls
    its last hidden state).
    """

    model: nn.Module
    blocks: nn.ModuleList
    norm: nn.Module
    spec: BackboneSpec
    origin: WeightsOrigin
    n_prefix: int
    has_cls: bool
    _lock: Any = field(default_factory=threading.Lock, repr=False)

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
        with self._lock:
            tokens = _block_outputs(self.model, self.blocks, pixels.to(self.device, self.dtype), wanted)
        if final_norm:
            with torch.no_grad():
                tokens = {layer: self.norm(sequence) for layer, sequence in tokens.items()}
        return cut_tokens(tokens, h, w, n_prefix=self.n_prefix, has_cls=self.has_cls, final_norm=final_norm)

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> HuggingFaceBackbone:
        """See `Backbone.to`."""
        model = moved(self.model, device, dtype)
        if model is self.model:
            return self
        blocks, norm = _parts(model, self.spec.name)
        return replace(self, model=model, blocks=blocks, norm=norm, _lock=threading.Lock())


def load_huggingface(reference: str) -> HuggingFaceBackbone:
    """A foreign ViT from a local folder, the local hub cache or the hub; float32, on the CPU.

    Raises:
        WeightsError: not to be had, not of a supported family, incomplete, or without a stated
            normalisation.
        UnknownBackboneError: neither a folder nor ``ORG/NAME``.
    """
    name = f"hf:{reference}"
    folder, source = _folder(reference, name)
    mean, std = _normalisation(folder, name)
    model, config = _vision_tower(folder, name)
    blocks, norm = _parts(model, name)
    sides = config.patch_size if isinstance(config.patch_size, (list, tuple)) else (config.patch_size,)
    if len(set(sides)) != 1:
        raise WeightsError(name, f"its patches are not square: {tuple(sides)}")
    patch_size = int(sides[0])
    n_prefix = _measure_prefix(model, blocks, patch_size, name)
    has_cls = n_prefix > 0 and config.model_type not in _WITHOUT_CLS
    spec = BackboneSpec(
        name=name,
        family="hf",
        patch_size=patch_size,
        dim=int(config.hidden_size),
        depth=len(blocks),
        heads=int(config.num_attention_heads),
        registers=n_prefix - int(has_cls),
        mean=mean,
        std=std,
        licence=catalog.find(reference).licence if catalog.is_known(reference) else "unknown",
        description=f"{config.model_type} model from {source}",
    )
    licences.give_notice(spec.licence)
    notes = (f"{n_prefix} prefix tokens, measured on grids {_PROBES[0]} and {_PROBES[1]}",)
    origin = WeightsOrigin(source, weights_digest(folder), "huggingface", notes, "stated")
    return HuggingFaceBackbone(model, blocks, norm, spec, origin, n_prefix, has_cls)


def _folder(reference: str, name: str) -> tuple[Path, str]:
    path = Path(reference).expanduser()
    if path.is_dir():
        return path, str(path)
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", reference):
        raise UnknownBackboneError(name, ())
    snapshot = hub.locate(
        name,
        (HubSource(reference),),
        advice.steps_for_foreign(reference),
        extra_files=(hub.PREPROCESSOR,),
    )
    return snapshot.folder, snapshot.source


def _normalisation(folder: Path, name: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation as the checkpoint states them: the defaults of classes differ."""
    path = folder / hub.PREPROCESSOR
    advise = (f"put the model's {hub.PREPROCESSOR}, with image_mean and image_std, beside its weights",)
    if not path.is_file():
        raise WeightsError(name, f"no {hub.PREPROCESSOR}: its mean and std cannot be known", advise)
    try:
        return stated(Described(json.loads(path.read_text("utf-8"))))
    except (ValueError, AttributeError) as error:
        reason = str(error) if isinstance(error, UnusableError) else f"{hub.PREPROCESSOR} is no JSON object"
        raise WeightsError(name, reason, advise) from error


def _vision_tower(folder: Path, name: str) -> tuple[nn.Module, Any]:
    from transformers import AutoConfig, AutoModel

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if config.model_type not in FAMILIES:
            raise WeightsError(
                name, f"{config.model_type!r} models are not supported; these are: {', '.join(FAMILIES)}"
            )
        model, report = AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsError(name, f"{folder} cannot be loaded: {error}") from error
    needed = [
        key for key in report["missing_keys"] if not re.search(r"(^|\.)(pooler|head|mask_token)\b", key)
    ]
    if needed:
        raise WeightsError(
            name, f"the checkpoint lacks {len(needed)} tensors, {sorted(needed)[0]} among them"
        )
    tower = getattr(model, "vision_model", model)
    tower.requires_grad_(False)
    return tower.eval(), getattr(config, "vision_config", None) or config


def _parts(model: nn.Module, name: str) -> tuple[nn.ModuleList, nn.Module]:
    """The list of blocks and the final norm, wherever this family keeps them."""
    modules = dict(model.named_modules())
    blocks = next((modules[path] for path in _BLOCK_PATHS if path in modules), None)
    norm = next((modules[path] for path in _NORM_PATHS if path in modules), None)
    if not isinstance(blocks, nn.ModuleList) or norm is None:
        raise WeightsError(name, f"no list of blocks and final norm found in {type(model).__name__}")
    return blocks, norm


def _measure_prefix(model: nn.Module, blocks: nn.ModuleList, patch_size: int, name: str) -> int:
    """How many tokens stand before the patches: counted on two grids, one of them not square."""
    counts = []
    for h, w in _PROBES:
        pixels = torch.zeros(1, 3, h * patch_size, w * patch_size)
        last = len(blocks) - 1
        try:
            counts.append(_block_outputs(model, blocks, pixels, (last,))[last].shape[1] - h * w)
        except (ValueError, RuntimeError) as error:
            raise WeightsError(name, f"it does not take inputs of {h}x{w} patches: {error}") from error
    if len(set(counts)) != 1 or counts[0] < 0:
        raise WeightsError(
            name, f"its tokens do not fit a patch grid: {counts} beside the patches of {_PROBES}"
        )
    return counts[0]


def _block_outputs(
    model: nn.Module, blocks: nn.ModuleList, pixels: Tensor, layers: tuple[int, ...]
) -> dict[int, Tensor]:
    """Whole token sequences after the named blocks, before the final norm."""
    kept: dict[int, Tensor] = {}

    def keep(layer: int) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            kept[layer] = output[0] if isinstance(output, tuple) else output

        return hook

    wanted = "interpolate_pos_encoding"
    options = {wanted: True} if wanted in inspect.signature(model.forward).parameters else {}
    handles = [blocks[layer].register_forward_hook(keep(layer)) for layer in layers]
    try:
        with torch.no_grad(), exact_convolutions():
            model(pixels, **options)
    finally:
        for handle in handles:
            handle.remove()
    return {layer: kept[layer] for layer in layers}
