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


@dataclass(frozen=True, slots=True)
class VitNames:
    """How this checkpoint spells what ViT checkpoints spell differently.

    Attributes:
        layout: whose names.
        scales: the two layer scales of a block.
        registers: the register tokens; empty without any.
        mlp: which linear maps the MLP has.
        biases: of query, key and value: none, one vector, one vector and a mask, or two vectors.
        position_cls: whether the position table has an entry for the class token.
        periods: the RoPE periods; empty where the file does not hold them.
    """

    layout: Layout
    scales: tuple[str, str]
    registers: str
    mlp: Mlp
    biases: Biases
    position_cls: bool
    periods: str


def read_names(tensors: Mapping[str, Tensor]) -> VitNames:
    """The spelling, from the keys alone (and from two shapes: the packed MLP, the position table)."""
    eva = _has(tensors, ".gamma_1")
    registers = next(
        (name for name in ("register_tokens", "storage_tokens", "reg_token") if name in tensors), ""
    )
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
        scales=("gamma_1", "gamma_2") if eva else ("ls1.gamma", "ls2.gamma"),
        registers=registers,
        mlp=_read_mlp(tensors),
        biases=biases,
        position_cls=registers != "reg_token" or not _is_square_table(tensors),
        periods="" if timm or "pos_embed" in tensors else "rope_embed.periods",
    )


def _has(tensors: Mapping[str, Tensor], ending: str) -> bool:
    return any(key.endswith(ending) for key in tensors)


def _is_square_table(tensors: Mapping[str, Tensor]) -> bool:
    if "pos_embed" not in tensors or tensors["pos_embed"].ndim != 3:
        return False
    places = tensors["pos_embed"].shape[1]
    return isqrt(places) ** 2 == places


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


def read_architecture(tensors: Mapping[str, Tensor], names: VitNames) -> Architecture:
    """The architecture, from names and shapes.

    Raises:
        WeightsError: a tensor it is read from is missing or has a shape that cannot be.
    """
    dim, _, patch, _ = needed(tensors, "patch_embed.proj.weight", 4)
    dinov2 = "pos_embed" in tensors
    if names.layout == "official" and not dinov2 and names.periods not in tensors:
        raise WeightsError(
            "checkpoint", "it has neither pos_embed, as DINOv2 has, nor rope_embed.periods, as DINOv3 has"
        )
    first = {"w12": "w12", "w1_w2": "w1", "gated": "fc1_g"}.get(names.mlp, "fc1")
    rows = needed(tensors, f"blocks.0.mlp.{first}.weight", 2)[0]
    return Architecture(
        family="dinov2" if dinov2 else "dinov3",
        dim=dim,
        depth=count(tensors, "blocks"),
        heads=_heads(tensors, dim, names.periods),
        patch_size=patch,
        registers=needed(tensors, names.registers, 3)[1] if names.registers else 0,
        mlp="gelu" if names.mlp == "fc" else "swiglu",
        hidden=rows // 2 if names.mlp in ("w12", "packed") else rows,
        position_grid=_position_grid(tensors, names) if dinov2 else 0,
        key_bias=names.biases == "fused" or (names.biases == "masked" and dinov2),
        query_value_bias=names.biases != "none",
    )


def _heads(tensors: Mapping[str, Tensor], dim: int, periods: str) -> int:
    """64 channels each, 128 in the 7B model; of other widths, 4 for each stored RoPE period."""
    if dim % 64 and periods in tensors:
        each = 4 * needed(tensors, periods, 1)[0]
        if dim % each == 0:
            return dim // each
    return heads_of(dim)


def heads_of(dim: int) -> int:
    """Attention heads of a published DINO ViT of this width.

    Raises:
        WeightsError: not a multiple of 64.
    """
    if dim % 64:
        raise WeightsError(
            "checkpoint",
            f"{dim} channels are not a multiple of 64, so how many attention heads share them is not known",
            ("use a Hugging Face folder, whose config.json says it",),
        )
    return 32 if dim == 4096 else dim // 64


def _position_grid(tensors: Mapping[str, Tensor], names: VitNames) -> int:
    entries = needed(tensors, "pos_embed", 3)[1] - names.position_cls
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
        places = a.position_grid**2 + names.position_cls
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
    yield Row(f"{source}.{names.scales[0]}", (d,), (f"{target}.layer_scale1.lambda1",))
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
    yield Row(f"{source}.{names.scales[1]}", (d,), (f"{target}.layer_scale2.lambda1",))


def settled(tensors: Mapping[str, Tensor], names: VitNames) -> dict[str, Tensor]:
    """The same tensors with biases masked and the position table whole; the given ones stay as they are."""
    ready = dict(tensors)
    for key, mask in tensors.items():
        if key.endswith(".attn.qkv.bias_mask"):
            ready[key.removesuffix("_mask")] = masked(tensors[key.removesuffix("_mask")], mask)
    if "pos_embed" in tensors and not names.position_cls:
        # timm adds the class token's place to the class token itself.
        ready["pos_embed"] = torch.cat(
            [torch.zeros_like(tensors["pos_embed"][:, :1]), tensors["pos_embed"]], dim=1
        )
    return ready


def masked(bias: Tensor, mask: Tensor) -> Tensor:
    """Bias times mask; 0 where the mask is 0 or NaN, whatever the bias holds there.

    Source: facebookresearch/dinov3 dinov3/layers/attention.py@6876159 (LinearKMaskedBias).
    """
    factor = torch.nan_to_num(mask.to(bias.dtype), nan=0.0)
    return torch.where(factor == 0, torch.zeros_like(bias), bias * factor)
