"""ViT checkpoints in the authors' own layout and in timm's.

Sources: facebookresearch/dinov2 dinov2/models/vision_transformer.py@b8931f7 and
dinov2/layers/swiglu_ffn.py; facebookresearch/dinov3 dinov3/models/vision_transformer.py@6876159,
dinov3/layers/attention.py and ffn_layers.py; huggingface/pytorch-image-models
timm/models/eva.py@aa4b585 and vision_transformer.py (names only).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.layouts import Row, count, linear, needed, norm
from dinoscope.errors import WeightsError

Layout = Literal["official", "timm"]
Mlp = Literal["fc", "w12", "w1_w2", "packed", "gated"]
Biases = Literal["none", "fused", "masked", "split"]

_GATED_LINEARS: Mapping[Mlp, tuple[tuple[str, tuple[str, ...]], ...]] = MappingProxyType(
    {
        "w12": (("w12", ("gate_proj", "up_proj")), ("w3", ("down_proj",))),
        "w1_w2": (("w1", ("gate_proj",)), ("w2", ("up_proj",)), ("w3", ("down_proj",))),
        "packed": (("fc1", ("gate_proj", "up_proj")), ("fc2", ("down_proj",))),
        "gated": (("fc1_g", ("gate_proj",)), ("fc1_x", ("up_proj",)), ("fc2", ("down_proj",))),
    }
)
"""The linear maps of a gated MLP, and what they become."""

_LAMBDAS = ("layer_scale1.lambda1", "layer_scale2.lambda1")


@dataclass(frozen=True, slots=True)
class VitNames:
    """How this checkpoint spells what ViT checkpoints spell differently.

    Attributes:
        layout: whose names.
        scales: the two layer scales of a block; none in a plain ViT.
        registers: the register tokens; empty without any.
        mlp: which linear maps the MLP has.
        biases: of query, key and value: none, one vector, one vector and a mask, or two vectors.
        position_prefix: how many entries of the position table are not of patches: none, the class token's,
            or those of class and register tokens.
        periods: the RoPE periods; empty where the file does not hold them.
    """

    layout: Layout
    scales: tuple[str, ...]
    registers: str
    mlp: Mlp
    biases: Biases
    position_prefix: int
    periods: str


def read_names(tensors: Mapping[str, Tensor]) -> VitNames:
    """The spelling, from the keys alone (and from two shapes: the packed MLP, the position table)."""
    eva = _has(tensors, ".gamma_1")
    registers = next(
        (name for name in ("register_tokens", "storage_tokens", "reg_token") if name in tensors), ""
    )
    scales: tuple[str, ...] = ("gamma_1", "gamma_2") if eva else ("ls1.gamma", "ls2.gamma")
    if not any(_has(tensors, f".{scale}") for scale in scales):
        scales = ()
    plain = "pos_embed" in tensors and "mask_token" not in tensors and not registers
    timm = eva or plain or registers == "reg_token"
    biases: Biases = "none"
    if _has(tensors, ".attn.qkv.bias_mask"):
        biases = "masked"
    elif _has(tensors, ".attn.qkv.bias"):
        biases = "fused"
    elif _has(tensors, ".attn.q_bias"):
        biases = "split"
    return VitNames(
        layout="timm" if timm else "official",
        scales=scales,
        registers=registers,
        mlp=_read_mlp(tensors),
        biases=biases,
        position_prefix=_position_prefix(tensors) if registers == "reg_token" else 1,
        periods="" if timm or "pos_embed" in tensors else "rope_embed.periods",
    )


def _has(tensors: Mapping[str, Tensor], ending: str) -> bool:
    return any(key.endswith(ending) for key in tensors)


def _position_prefix(tensors: Mapping[str, Tensor]) -> int:
    """Models of timm with registers have places for patches alone, or for every token."""
    table, registers = tensors.get("pos_embed"), tensors["reg_token"]
    if table is None or table.ndim != 3 or registers.ndim != 3:
        return 1
    every = 1 + registers.shape[1]
    return next((n for n in (0, every) if isqrt(max(table.shape[1] - n, 0)) ** 2 == table.shape[1] - n), 1)


def _read_mlp(tensors: Mapping[str, Tensor]) -> Mlp:
    if _has(tensors, ".mlp.w12.weight"):
        return "w12"
    if _has(tensors, ".mlp.w1.weight"):
        return "w1_w2"
    if _has(tensors, ".mlp.fc1_g.weight"):
        return "gated"
    first = needed(tensors, "blocks.0.mlp.fc1.weight", 2)
    second = needed(tensors, "blocks.0.mlp.fc2.weight", 2)
    return "packed" if "pos_embed" in tensors and first[0] == 2 * second[1] else "fc"


def read_architecture(
    tensors: Mapping[str, Tensor], names: VitNames, heads: int | None = None
) -> Architecture:
    """The architecture, from names and shapes; ``heads`` where they are known from elsewhere.

    Raises:
        WeightsError: a tensor it is read from is missing or has a shape that cannot be.
    """
    dim, channels, patch, _ = needed(tensors, "patch_embed.proj.weight", 4)
    if channels != 3:
        raise WeightsError(
            "checkpoint",
            f"'patch_embed.proj.weight': expected images of 3 channels (RGB), found {channels}",
            ("use py:MODULE:FUNCTION with a function that makes its channels of R, G and B",),
        )
    dinov2 = "pos_embed" in tensors
    if names.layout == "official" and not dinov2 and names.periods not in tensors:
        raise WeightsError(
            "checkpoint", "it has neither pos_embed, as DINOv2 has, nor rope_embed.periods, as DINOv3 has"
        )
    if not dinov2 and names.layout == "timm" and not names.registers:
        raise WeightsError(
            "checkpoint",
            "it has neither pos_embed nor the reg_token that DINOv3 has in timm's layout: another ViT with "
            "rotary positions, and of which kind its tensors do not say",
            ("use timm:NAME, or py:MODULE:FUNCTION with a function that makes it",),
        )
    first = {"w12": "w12", "w1_w2": "w1", "gated": "fc1_g"}.get(names.mlp, "fc1")
    rows = needed(tensors, f"blocks.0.mlp.{first}.weight", 2)[0]
    return Architecture(
        family="dinov2" if dinov2 else "dinov3",
        dim=dim,
        depth=count(tensors, "blocks"),
        heads=_heads(tensors, dim, names.periods, heads),
        patch_size=patch,
        registers=needed(tensors, names.registers, 3)[1] if names.registers else 0,
        mlp="gelu" if names.mlp == "fc" else "swiglu",
        hidden=rows // 2 if names.mlp in ("w12", "packed") else rows,
        position_grid=_position_grid(tensors, names) if dinov2 else 0,
        key_bias=names.biases == "fused" or (names.biases != "none" and dinov2),
        query_value_bias=names.biases != "none",
    )


def _heads(tensors: Mapping[str, Tensor], dim: int, periods: str, said: int | None) -> int:
    """As said, or else so that each has 4 channels for each stored RoPE period."""
    if said is None and periods in tensors:
        each = 4 * needed(tensors, periods, 1)[0]
        if dim % each == 0:
            return dim // each
    return heads_of(dim, said, 1 if "pos_embed" in tensors else 4)


def heads_of(dim: int, said: int | None = None, multiple: int = 1) -> int:
    """Attention heads of a ViT of this width: as said, or those of published DINO models, 64 channels each
    and 128 in the 7B model; each head has a ``multiple`` of channels.

    Raises:
        WeightsError: heads that cannot share the channels; none said, and not a multiple of 64 channels.
    """
    if said is None and dim % 64:
        raise WeightsError(
            "checkpoint",
            f"{dim} channels are not a multiple of 64, so how many attention heads share them is not known",
            ("use a folder whose config.json says it: num_attention_heads, or num_heads in model_args",),
        )
    heads = said or (32 if dim == 4096 else dim // 64)
    if dim % heads or dim // heads % multiple:
        raise WeightsError("checkpoint", f"{heads} attention heads, as stated, cannot share {dim} channels")
    return heads


def _position_grid(tensors: Mapping[str, Tensor], names: VitNames) -> int:
    entries = needed(tensors, "pos_embed", 3)[1] - names.position_prefix
    side = isqrt(entries)
    if side * side != entries or side == 0:
        raise WeightsError(
            "checkpoint",
            f"'pos_embed': {entries} places are no square grid (found {tuple(tensors['pos_embed'].shape)})",
        )
    return side


def rows(architecture: Architecture, names: VitNames, tensors: Mapping[str, Tensor]) -> list[Row]:
    """Every tensor such a checkpoint has."""
    a, d = architecture, architecture.dim
    dinov2 = a.family == "dinov2"
    patches = "embeddings.patch_embeddings" + (".projection" if dinov2 else "")
    table = [
        Row("cls_token", (1, 1, d), ("embeddings.cls_token",)),
        Row("patch_embed.proj.weight", (d, 3, a.patch_size, a.patch_size), (f"{patches}.weight",)),
        Row("patch_embed.proj.bias", (d,), (f"{patches}.bias",)),
        *norm("norm", "layernorm" if dinov2 else "norm", d),
    ]
    if dinov2:
        places = a.position_grid**2 + names.position_prefix
        table.append(Row("pos_embed", (1, places, d), ("embeddings.position_embeddings",)))
    if names.registers:
        table.append(Row(names.registers, (1, a.registers, d), ("embeddings.register_tokens",)))
    if names.periods:
        table.append(Row(names.periods, (d // a.heads // 4,), ()))
    for unused, shape in (
        ("mask_token", (1, d)),
        ("local_cls_norm.weight", (d,)),
        ("local_cls_norm.bias", (d,)),
    ):
        if unused in tensors:
            table.append(Row(unused, shape, ()))
    for number in range(a.depth):
        table += _block(a, names, f"blocks.{number}", f"{'encoder' if dinov2 else 'model'}.layer.{number}")
    return table


def _block(architecture: Architecture, names: VitNames, source: str, target: str) -> Iterator[Row]:
    d = architecture.dim
    heads = tuple(f"{target}.attention.{part}_proj" for part in "qkv")
    yield from norm(f"{source}.norm1", f"{target}.norm1", d)
    yield from linear(f"{source}.attn.qkv", heads, 3 * d, d, bias=names.biases in ("fused", "masked"))
    if names.biases == "masked":
        yield Row(f"{source}.attn.qkv.bias_mask", (3 * d,), ())
    if names.biases == "split":
        yield Row(f"{source}.attn.q_bias", (d,), (f"{heads[0]}.bias",))
        yield Row(f"{source}.attn.v_bias", (d,), (f"{heads[2]}.bias",))
    yield from linear(f"{source}.attn.proj", f"{target}.attention.o_proj", d, d)
    yield from norm(f"{source}.norm2", f"{target}.norm2", d)
    if names.mlp == "fc":
        first, second = ("fc1", "fc2") if architecture.family == "dinov2" else ("up_proj", "down_proj")
        linears: tuple[tuple[str, tuple[str, ...]], ...] = (("fc1", (first,)), ("fc2", (second,)))
    else:
        linears = _GATED_LINEARS[names.mlp]
    for name, parts in linears:
        last = name == linears[-1][0]
        out, into = (d, architecture.hidden) if last else (architecture.hidden * len(parts), d)
        yield from linear(f"{source}.mlp.{name}", tuple(f"{target}.mlp.{part}" for part in parts), out, into)
    for scale, lambda1 in zip(names.scales, _LAMBDAS, strict=False):
        yield Row(f"{source}.{scale}", (d,), (f"{target}.{lambda1}",))


def settled(tensors: Mapping[str, Tensor], names: VitNames) -> dict[str, Tensor]:
    """Tensors with biases masked and a position table of class token and patches; the given ones stay as
    they are. What timm adds to the tokens before the patches is added to them here.
    """
    ready = dict(tensors)
    for key, mask in tensors.items():
        if key.endswith(".attn.qkv.bias_mask"):
            ready[key.removesuffix("_mask")] = masked(tensors[key.removesuffix("_mask")], mask)
    if "pos_embed" in tensors and names.position_prefix != 1:
        table = tensors["pos_embed"]
        tokens, patches = table[:, : names.position_prefix], table[:, names.position_prefix :]
        if names.position_prefix:
            ready[names.registers] = tensors[names.registers] + tokens[:, 1:]
        first = tokens[:, :1] if names.position_prefix else torch.zeros_like(table[:, :1])
        ready["pos_embed"] = torch.cat([first, patches], dim=1)
    return ready


def with_scales(state: dict[str, Tensor], names: VitNames) -> dict[str, Tensor]:
    """Parameters with layer scales: those of a plain ViT, which has none, are 1."""
    if names.scales:
        return state
    norms = {key: value for key, value in state.items() if key.endswith(".norm1.weight")}
    ones = {
        f"{key.removesuffix('norm1.weight')}{part}": torch.ones_like(value)
        for key, value in norms.items()
        for part in _LAMBDAS
    }
    return state | ones


def with_key_biases(state: dict[str, Tensor], names: VitNames) -> dict[str, Tensor]:
    """Parameters with biases of the keys: those of a ViT that has only the others' are 0."""
    if names.biases != "split":
        return state
    others = {key: value for key, value in state.items() if key.endswith(".q_proj.bias")}
    return state | {key.replace(".q_proj.", ".k_proj."): torch.zeros_like(v) for key, v in others.items()}


def masked(bias: Tensor, mask: Tensor) -> Tensor:
    """Bias times mask; 0 where the mask is 0 or NaN, whatever the bias holds there.

    Source: facebookresearch/dinov3 dinov3/layers/attention.py@6876159 (LinearKMaskedBias).
    """
    factor = torch.nan_to_num(mask.to(bias.dtype), nan=0.0)
    return torch.where(factor == 0, torch.zeros_like(bias), bias * factor)
