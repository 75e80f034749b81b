"""From an architecture and its parameters to a network of `transformers`, whatever its version calls them."""

from __future__ import annotations

import importlib
import math
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.checkpoint import Recognised
from dinoscope.errors import BackboneError

_LEGACY = (
    (".attention.q_proj.", ".attention.attention.query."),
    (".attention.k_proj.", ".attention.attention.key."),
    (".attention.v_proj.", ".attention.attention.value."),
    (".attention.o_proj.", ".attention.output.dense."),
    (".mlp.down_proj.", ".mlp.weights_out."),
)
"""DINOv2's parameters now, and up to transformers 5.10."""


def network(found: Recognised) -> nn.Module:
    """An evaluation-mode network with these parameters, in their dtype; draws no random numbers.

    Raises:
        BackboneError: `transformers` cannot be imported, or has other parameters than it is given.
    """
    config_class, model_class = _classes(found.architecture)
    with torch.device("meta"):
        model: nn.Module = model_class(config_class(**_settings(found)))
    _fill(model, _spelled(found.state, model))
    if found.architecture.family == "dinov2":
        embeddings: Any = model.get_submodule("embeddings")
        embeddings.interpolate_pos_encoding = types.MethodType(_positions, embeddings)
    if found.rope_periods is not None:
        keep_periods(model, found.rope_periods)
    return model.eval().requires_grad_(False)


def keep_periods(model: nn.Module, periods: Tensor) -> None:
    """Puts the RoPE frequencies of these periods in, in float32 whatever the network's dtype is."""
    rope: Any = model.get_submodule("rope_embeddings")
    device = next(model.parameters()).device
    rope.inv_freq = (1.0 / periods.to(torch.float32)).to(device)


def block_outputs(model: nn.Module, pixels: Tensor, layers: Sequence[int]) -> dict[int, Tensor]:
    """What the asked blocks give in one pass, before the final normalisation; no other output is kept."""
    kept: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[..., None]:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            kept[layer] = cast(Tensor, output[0] if isinstance(output, tuple) else output)

        return hook

    found = blocks(model)
    hooks = [found[layer].register_forward_hook(keep(layer)) for layer in layers]
    try:
        model(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return kept


def blocks(model: nn.Module) -> nn.ModuleList:
    """The list of blocks, or of a ConvNeXt's stages.

    Raises:
        BackboneError: it is at none of the places where it has been so far.
    """
    for place in ("encoder.layer", "model.layer", "layer", "model.stages", "stages"):
        try:
            found = model.get_submodule(place)
        except AttributeError:
            continue
        if isinstance(found, nn.ModuleList):
            return found
    raise BackboneError(f"{type(model).__name__} of the installed transformers has no known block list")


def final_norm(model: nn.Module) -> nn.LayerNorm:
    """The last normalisation."""
    for place in ("layernorm", "layer_norm", "norm"):
        found = getattr(model, place, None)
        if isinstance(found, nn.LayerNorm):
            return found
    raise BackboneError(f"{type(model).__name__} of the installed transformers has no known final norm")


def _classes(architecture: Architecture) -> tuple[Any, Any]:
    name = {"dinov2": "Dinov2", "dinov3": "DINOv3ViT", "dinov3-convnext": "DINOv3ConvNext"}[
        architecture.family
    ]
    if architecture.family == "dinov2" and architecture.registers:
        name = "Dinov2WithRegisters"
    try:
        transformers = importlib.import_module("transformers")
        return getattr(transformers, f"{name}Config"), getattr(transformers, f"{name}Model")
    except (ImportError, RuntimeError, AttributeError) as error:
        raise BackboneError(_blame(error)) from error


def _blame(error: Exception) -> str:
    """Which package is at fault when the model classes cannot be imported."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError as missing:
        if missing.name != "torchvision":
            return _broken_torchvision(missing)
    except Exception as broken:  # noqa: BLE001 - a library linked against another torch fails in any way
        return _broken_torchvision(broken)
    return (
        f"the model classes of transformers cannot be imported ({error}); "
        "torchvision is not the cause; reinstall: pip install --force-reinstall 'transformers>=5.10'"
    )


def _broken_torchvision(error: Exception) -> str:
    return (
        f"the installed torchvision does not fit the installed torch {torch.__version__} "
        f"({type(error).__name__}: {error}), and transformers cannot be imported beside it; "
        "dinoscope does not need torchvision: pip uninstall torchvision, or install the build that matches"
    )


def _settings(found: Recognised) -> dict[str, Any]:
    a = found.architecture
    common: dict[str, Any] = {"hidden_act": found.activation, "layer_norm_eps": found.norm_eps}
    if a.family == "dinov3-convnext":
        return common | {"hidden_sizes": list(a.stage_dims), "depths": list(a.stage_depths)}
    common |= {
        "hidden_size": a.dim,
        "num_hidden_layers": a.depth,
        "num_attention_heads": a.heads,
        "patch_size": a.patch_size,
        "attn_implementation": "sdpa",
    }
    if a.registers or a.family == "dinov3":
        common["num_register_tokens"] = a.registers
    if a.family == "dinov2":
        return common | {
            "image_size": a.position_grid * a.patch_size,
            "qkv_bias": a.query_value_bias,
            "use_swiglu_ffn": a.mlp == "swiglu",
        }
    return common | {
        "intermediate_size": a.hidden,
        "use_gated_mlp": a.mlp == "swiglu",
        "query_bias": a.query_value_bias,
        "value_bias": a.query_value_bias,
        "key_bias": a.key_bias,
    }


def _spelled(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The parameters by the names of this version's model."""
    wanted = {name for name, _ in model.named_parameters()}
    spelled: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in wanted:
            spelled[name] = value
            continue
        other = name
        for now, before in _LEGACY:
            other = other.replace(now, before)
        candidates = (other, name.removeprefix("model."), f"model.{name}")
        spelled[next((candidate for candidate in candidates if candidate in wanted), name)] = value
    for fused in [name for name in wanted if ".mlp.weights_in." in name]:
        parts = [spelled.pop(fused.replace("weights_in", part), None) for part in ("gate_proj", "up_proj")]
        if None not in parts:
            spelled[fused] = torch.cat([part for part in parts if part is not None])
    return spelled


def _fill(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Gives every parameter its values; only what is empty or masks hidden patches may be left out."""
    parameters = dict(model.named_parameters())
    for name, parameter in parameters.items():
        if name not in state and (name.endswith("mask_token") or parameter.numel() == 0):
            state[name] = torch.zeros(parameter.shape)
    if differing := sorted(set(parameters) ^ set(state)):
        raise BackboneError(
            f"{type(model).__name__} of the installed transformers has other parameters than expected "
            f"({', '.join(differing[:3])}, ...); install a version from 5.10 on"
        )
    for name, value in state.items():
        place, _, leaf = name.rpartition(".")
        module = model.get_submodule(place)
        setattr(module, leaf, nn.Parameter(value, requires_grad=False))
        if isinstance(module, nn.Linear) and leaf == "weight":
            module.out_features, module.in_features = value.shape


def _positions(self: Any, embeddings: Tensor, height: int, width: int) -> Tensor:
    """DINOv2's learned positions at another size: a method of the embedding module.

    Without registers the scale factors carry an offset of 0.1 patches and there is no antialiasing;
    with registers the size itself is asked for, with antialiasing.

    Source: facebookresearch/dinov2 dinov2/models/vision_transformer.py@b8931f7
    (interpolate_pos_encoding) and dinov2/hub/backbones.py (the two settings).
    """
    table: Tensor = self.position_embeddings
    side = math.isqrt(table.shape[1] - 1)
    patch_size = self.config.patch_size
    h, w = height // patch_size, width // patch_size
    if h == w == side:
        return table
    grid = table[:, 1:].float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    if hasattr(self, "register_tokens"):
        resized = nn.functional.interpolate(grid, size=(h, w), mode="bicubic", antialias=True)
    else:
        scale = ((h + 0.1) / side, (w + 0.1) / side)
        resized = nn.functional.interpolate(grid, scale_factor=scale, mode="bicubic", antialias=False)
    patches = resized.permute(0, 2, 3, 1).flatten(1, 2).to(table.dtype)
    return torch.cat([table[:, :1], patches], dim=1)
