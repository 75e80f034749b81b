"""From a file's tensors to an architecture and its parameters: what is it, and does all of it fit?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor

from dinoscope.backbones.architecture import Architecture, Family
from dinoscope.backbones.checkpoints import convnext as layouts_convnext
from dinoscope.backbones.checkpoints import huggingface as layouts_huggingface
from dinoscope.backbones.checkpoints import vit as layouts_vit
from dinoscope.backbones.checkpoints.files import Weights, flatten, read_weights
from dinoscope.backbones.checkpoints.impostors import some
from dinoscope.backbones.checkpoints.layouts import Row, check, convert
from dinoscope.backbones.checkpoints.prefixes import find_network
from dinoscope.errors import WeightsError

__all__ = ["Recognised", "Weights", "check_architecture", "read_weights", "recognise"]

Layout = Literal["official", "timm", "huggingface"]

NORM_EPS: Mapping[Family, float] = MappingProxyType({"dinov2": 1e-6, "dinov3": 1e-5, "dinov3-convnext": 1e-6})
"""Added to the variance in every layer norm.

Source: facebookresearch/dinov2 dinov2/models/vision_transformer.py@b8931f7; facebookresearch/dinov3
dinov3/models/vision_transformer.py@6876159 (``layernormbf16``, which dinov3/hub/backbones.py asks for)
and dinov3/models/convnext.py."""

ROPE_BASE = 100.0
"""Source: facebookresearch/dinov3 dinov3/hub/backbones.py@6876159 (pos_embed_rope_base)."""

_LARGEST = 1e9
"""Below it lies every number of a configuration that is used here."""

_MODEL_TYPES: Mapping[str, Family] = MappingProxyType(
    {
        "dinov2": "dinov2",
        "dinov2_with_registers": "dinov2",
        "dinov3_vit": "dinov3",
        "dinov3_convnext": "dinov3-convnext",
    }
)
_COMPARED = tuple(field.name for field in fields(Architecture) if not field.name.endswith("_bias"))


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """A checkpoint, understood as a whole.

    Attributes:
        layout: whose names it was written with.
        architecture: read off the tensors, and off ``config.json`` where there is one.
        state: parameters by the names that current `transformers` models have; views of the
            checkpoint's tensors where possible.
        norm_eps: added to the variance in every layer norm.
        activation: of the MLP, as `transformers` calls it; a gated MLP's is that of its gate.
        rope_periods: in units of half the image's side, float32; None without RoPE.
        ignored: tensors that only training uses.
        notes: what a reader must know.
    """

    layout: Layout
    architecture: Architecture
    state: Mapping[str, Tensor]
    norm_eps: float
    activation: str = "gelu"
    rope_periods: Tensor | None = None
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def recognise(
    tensors: Mapping[str, Any],
    config: Mapping[str, object] | None = None,
    *,
    inside: str = "",
    named: Architecture | None = None,
) -> Recognised:
    """What a checkpoint is: the layout from its names, the architecture from its shapes.

    Prefixes and wrappers of training scripts are taken off, and one network is chosen (see `find_network`).
    Everything in it must fit exactly, but for heads and a short list of names only training uses.

    Args:
        tensors: by name, or nested dictionaries of them.
        config: a ``config.json`` of `transformers` or timm. How many heads it says goes before everything;
            the rest is used with Hugging Face's layout only.
        inside: what the names of the network begin with; empty to choose it.
        named: what it was asked for as; of the same width, it tells the heads where nothing beside the
            tensors does. Whether all of it fits is not asked here, see `check_architecture`.

    Raises:
        WeightsError: another network, or missing, unknown, misshapen or non-finite tensors, by name.
    """
    network = find_network(flatten(tensors), inside)
    token = next((key for key in ("embeddings.cls_token", "cls_token") if key in network.tensors), None)
    if token is None:
        found = _convnext(network.tensors, config)
    else:
        heads = _stated_heads(config or {})
        if heads is None and named is not None and network.tensors[token].shape[-1:] == (named.dim,):
            heads = named.heads
        hub = token.startswith("embeddings.")
        found = (
            _huggingface_vit(network.tensors, config, heads) if hub else _fused_vit(network.tensors, heads)
        )
    notes = [*network.notes, *found.notes]
    if found.ignored:
        notes.append(f"ignored, heads or used in training only: {some(found.ignored, 6)}")
    return replace(found, ignored=(*found.ignored, *network.beside), notes=tuple(notes))


def check_architecture(found: Architecture, demanded: Architecture, name: str) -> None:
    """Raises unless a checkpoint's architecture is the one asked for; whether it has biases does not count.

    Raises:
        WeightsError: with the first facts that differ.
    """
    differing = [
        f"{fact} is {getattr(found, fact)} where {name} has {getattr(demanded, fact)}"
        for fact in _COMPARED
        if getattr(found, fact) != getattr(demanded, fact)
    ]
    if differing:
        raise WeightsError(
            name,
            f"the checkpoint is another architecture: {'; '.join(differing[:4])}",
            (
                "name the model that the checkpoint is of",
                "or give the path alone: the architecture is read from it",
            ),
        )


def rope_periods(dim: int, heads: int, base: float = ROPE_BASE) -> Tensor:
    """``base ** (i / n)`` for each of ``n = dim / heads / 4`` frequencies.

    Source: facebookresearch/dinov3 dinov3/layers/rope_position_encoding.py@6876159.
    """
    n = dim // heads // 4
    return base ** (torch.arange(n, dtype=torch.float32) / n)


def _fused_vit(tensors: Mapping[str, Tensor], heads: int | None) -> Recognised:
    names = layouts_vit.read_names(tensors)
    architecture = layouts_vit.read_architecture(tensors, names, heads)
    rows = layouts_vit.rows(architecture, names, tensors)
    ignored = _checked(tensors, rows, names.layout)
    state = layouts_vit.with_scales(convert(layouts_vit.settled(tensors, names), rows), names)
    if architecture.family == "dinov2":
        state = layouts_vit.with_key_biases(state, names)
    if architecture.family == "dinov3":
        architecture, state = _without_zero_keys(architecture, state)
    periods = None
    if architecture.family == "dinov3":
        stored = tensors.get(names.periods)
        periods = rope_periods(architecture.dim, architecture.heads) if stored is None else _usable(stored)
    notes = () if names.scales else ("a plain ViT: its blocks have no layer scales, so 1 is taken",)
    is_bare = architecture.family == "dinov3" and not architecture.registers
    bare = ("no register tokens, which every published DINOv3 ViT has",) if is_bare else ()
    guessed = heads is None and names.periods not in tensors
    return Recognised(
        layout=names.layout,
        architecture=architecture,
        state=state,
        norm_eps=NORM_EPS[architecture.family],
        activation=_activation(architecture),
        rope_periods=periods,
        ignored=ignored,
        notes=(*notes, *bare, *(_guess(architecture) if guessed else ())),
    )


def _huggingface_vit(
    tensors: Mapping[str, Tensor], config: Mapping[str, object] | None, heads: int | None
) -> Recognised:
    names = layouts_huggingface.read_names(tensors)
    architecture = layouts_huggingface.read_architecture(tensors, names, heads)
    a = architecture
    facts = config or {}
    said = {"hidden_size": a.dim, "num_hidden_layers": a.depth, "patch_size": a.patch_size}
    _check_config(facts, a, {**said, "num_register_tokens": a.registers})
    rows = layouts_huggingface.rows(architecture, names, tensors)
    ignored = _checked(tensors, rows, "huggingface")
    notes = () if config else ("no config.json: published values assumed for what the tensors do not tell",)
    gated2 = a.family == "dinov2" and a.mlp == "swiglu"
    default = _activation(a) if not config else "gelu"
    return Recognised(
        layout="huggingface",
        architecture=architecture,
        state=convert(tensors, rows),
        norm_eps=_number(facts, "layer_norm_eps", NORM_EPS[a.family]),
        activation="silu" if gated2 else _stated_activation(facts, default),
        rope_periods=rope_periods(a.dim, a.heads, _rope_base(facts)) if a.family == "dinov3" else None,
        ignored=ignored,
        notes=(*notes, *(_guess(a) if heads is None else ())),
    )


def _convnext(tensors: Mapping[str, Tensor], config: Mapping[str, object] | None) -> Recognised:
    names = layouts_convnext.read_names(tensors)
    architecture = layouts_convnext.read_architecture(tensors, names)
    rows = layouts_convnext.rows(architecture, names, tensors)
    ignored = _checked(tensors, rows, names.layout)
    layouts_convnext.check_aliases(tensors)
    facts = (config or {}) if names.layout == "huggingface" else {}
    said = {"depths": list(architecture.stage_depths), "hidden_sizes": list(architecture.stage_dims)}
    _check_config(facts, architecture, said)
    return Recognised(
        layout=names.layout,
        architecture=architecture,
        state=convert(tensors, rows),
        norm_eps=_number(facts, "layer_norm_eps", NORM_EPS["dinov3-convnext"]),
        activation=_stated_activation(facts, "gelu"),
        ignored=ignored,
    )


def _checked(tensors: Mapping[str, Tensor], rows: Sequence[Row], layout: str) -> tuple[str, ...]:
    unused = [row.source for row in rows if not row.targets and row.source.endswith("mask_token")]
    unused += [row.source for row in rows if row.source.startswith("local_cls_norm.")]
    return (*unused, *check(tensors, rows, layout))


def _activation(architecture: Architecture) -> str:
    return "silu" if architecture.mlp == "swiglu" else "gelu"


def _guess(architecture: Architecture) -> tuple[str, ...]:
    a = architecture
    return (f"{a.heads} attention heads assumed, {a.dim // a.heads} channels each, as published models have",)


def _stated_heads(config: Mapping[str, object]) -> int | None:
    """As `transformers` says it, or timm in ``model_args``; None where neither does."""
    inner = config.get("model_args")
    for facts, key in ((config, "num_attention_heads"), (inner, "num_heads"), (config, "num_heads")):
        if isinstance(facts, Mapping) and key in facts:
            number = _number(facts, key, 0.0)
            if number != int(number):
                raise WeightsError("checkpoint", f"config.json: {key} must be a whole number, got {number}")
            return int(number)
    return None


def _without_zero_keys(
    architecture: Architecture, state: dict[str, Tensor]
) -> tuple[Architecture, dict[str, Tensor]]:
    """Key biases left out where every one of them is 0, as in all published DINOv3 models."""
    keys = [name for name in state if name.endswith(".k_proj.bias")]
    if any(bool(state[name].any()) for name in keys):
        return replace(architecture, key_bias=True), state
    return replace(architecture, key_bias=False), {
        name: value for name, value in state.items() if name not in keys
    }


def _usable(periods: Tensor) -> Tensor:
    values = periods.to(torch.float32)
    if not bool((torch.isfinite(values) & (values > 0)).all()):
        raise WeightsError("checkpoint", "rope_embed.periods must be finite and above 0")
    return values


def _check_config(
    config: Mapping[str, object], architecture: Architecture, said: Mapping[str, object]
) -> None:
    kind = config.get("model_type")
    if kind is not None and _MODEL_TYPES.get(str(kind)) != architecture.family:
        raise WeightsError(
            "checkpoint",
            f"config.json says model_type {kind!r}, but the tensors are a {architecture.family} network's",
        )
    for key, value in said.items():
        if key in config and config[key] not in (value, [value, value]):
            raise WeightsError(
                "checkpoint", f"config.json says {key} {config[key]}, but the tensors say {value}"
            )


def _rope_base(config: Mapping[str, object]) -> float:
    nested = config.get("rope_parameters")
    if isinstance(nested, Mapping) and "rope_theta" in nested:
        return _number(nested, "rope_theta", ROPE_BASE)
    return _number(config, "rope_theta", ROPE_BASE)


def _number(config: Mapping[str, Any], key: str, default: float) -> float:
    value = config.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LARGEST:
        raise WeightsError("checkpoint", f"config.json: {key} must be a number above 0, got {value!r:.80}")
    return float(value)


def _stated_activation(config: Mapping[str, object], default: str) -> str:
    name = config.get("hidden_act", default)
    if name == default:
        return default
    from transformers.activations import ACT2FN

    if not isinstance(name, str) or name not in ACT2FN:
        raise WeightsError("checkpoint", f"config.json: transformers knows no hidden_act {name!r:.80}")
    return name
