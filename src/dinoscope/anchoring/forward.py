"""The forward pass of a DINOv3ViTModel for training: the model's own numbers up to rounding, in less time.

Queries, keys and values are one product. The scales and shifts of norms and layers are folded into the
matrices beside them, of all blocks at once and once a step, where their gradients come out of the products.
Crops pass in groups that stay in a
core's caches. Attention is two products and a softmax: with so few tokens the fused kernels are slower, and
on a GPU their backward pass is not reproducible. In the last block only those tokens go on that a loss asks
for; before it none can be left out, masked ones neither: the others attend to them, and what they guess is a
loss.
"""

from __future__ import annotations

import math
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

ROWS = 1104
"""Tokens of a group on a CPU: 16 crops of 64 patches; their widest layer about fills a core's cache."""


class Tokens(NamedTuple):
    """After the final norm; registers are left out."""

    cls: Float[Tensor, "b dim"]
    patches: Float[Tensor, "b n dim"]


class Chosen(NamedTuple):
    """After the final norm: every class token, and the patches asked for, crop by crop and row-major."""

    cls: Float[Tensor, "b dim"]
    patches: Float[Tensor, "rows dim"]


class Block(NamedTuple):
    """The matrices of one block, with everything linear beside them folded in."""

    qkv: Tensor
    qkv_bias: Tensor
    out: Tensor
    out_bias: Tensor
    up: Tensor
    up_bias: Tensor
    down: Tensor
    down_bias: Tensor


def every_token(
    backbone: Any,
    pixels: Float[Tensor, "b 3 H W"],
    masks: Bool[Tensor, "b n"] | None = None,
    *,
    blocks: Sequence[Block] | None = None,
    compiled: bool = False,
) -> Tokens:
    """All tokens of a DINOv3ViTModel without gated MLP; rows and columns beyond the last patch are not seen.

    Args:
        backbone: in training mode its positions are augmented as its configuration says.
        pixels: normalised.
        masks: patches replaced by the mask token.
        blocks: the backbone's, where they are `folded` already.
        compiled: blocks through ``torch.compile``: other last digits.
    """
    block = _compiled() if compiled else _block
    blocks = folded(backbone) if blocks is None else blocks
    cos, sin, groups = _begun(backbone, pixels, masks)
    heads, eps = backbone.config.num_attention_heads, backbone.config.layer_norm_eps
    ended = []
    for group in groups:
        for weights in blocks:
            group = block(group, cos, sin, weights, heads, eps)
        ended.append(group)
    tokens = backbone.norm(torch.cat(ended))
    return Tokens(tokens[:, 0], tokens[:, 1 + int(backbone.config.num_register_tokens) :])


def some_tokens(
    backbone: Any,
    pixels: Float[Tensor, "b 3 H W"],
    wanted: Bool[Tensor, "b n"] | None,
    masks: Bool[Tensor, "b n"] | None = None,
    *,
    blocks: Sequence[Block] | None = None,
    compiled: bool = False,
) -> Chosen:
    """The class tokens, and the patches that are ``wanted`` (None for none); else as `every_token`."""
    block = _compiled() if compiled else _block
    blocks = folded(backbone) if blocks is None else blocks
    cos, sin, groups = _begun(backbone, pixels, masks)
    heads, eps = backbone.config.num_attention_heads, backbone.config.layer_norm_eps
    residuals, mixed = [], []
    for group in groups:
        for weights in blocks[:-1]:
            group = block(group, cos, sin, weights, heads, eps)
        residuals.append(group)
        mixed.append(_attended(group, cos, sin, blocks[-1].qkv, blocks[-1].qkv_bias, heads, eps))
    rows = _rows(wanted, len(pixels), cos.shape[0], pixels.device)
    chosen, heard = (torch.cat(parts).flatten(0, 1).index_select(0, rows) for parts in (residuals, mixed))
    tokens = backbone.norm(_rest(chosen, heard, blocks[-1], eps))
    return Chosen(tokens[: len(pixels)], tokens[len(pixels) :])


def can_compile(environment: Mapping[str, str]) -> bool:
    """Whether ``torch.compile`` finds here what it needs for a CPU: Linux, a C++ compiler and Python.h."""
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    compiler = shutil.which(environment.get("CXX") or "g++")
    return sys.platform == "linux" and compiler is not None and header.is_file()


def _begun(backbone: Any, pixels: Tensor, masks: Tensor | None) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """The turns of positions (none before the patches), and tokens in groups."""
    embedded = _embedded(backbone.embeddings, pixels, masks)
    n_crops, n_tokens, _ = embedded.shape
    cos, sin = (turn[:, : turn.shape[1] // 2] for turn in backbone.rope_embeddings(pixels))
    first = n_tokens - len(cos)
    cos, sin = F.pad(cos, (0, 0, first, 0), value=1.0), F.pad(sin, (0, 0, first, 0))
    most = max(1, ROWS // n_tokens) if pixels.device.type == "cpu" else n_crops
    size = next(size for size in range(min(most, n_crops), 0, -1) if n_crops % size == 0)
    return cos, sin, embedded.split(size)


def _embedded(embeddings: Any, pixels: Tensor, masks: Tensor | None) -> Tensor:
    """Patches as one product, behind class token and registers: "b n_tokens dim"."""
    patch = embeddings.patch_embeddings
    side, n_crops = patch.kernel_size[0], len(pixels)
    h, w = (length // side for length in pixels.shape[2:])
    pieces = pixels[:, :, : h * side, : w * side].reshape(n_crops, 3, h, side, w, side)
    pieces = pieces.permute(0, 2, 4, 1, 3, 5).reshape(n_crops, h * w, -1)
    patches = F.linear(pieces, patch.weight.flatten(1), patch.bias)
    if masks is not None:
        patches = torch.where(masks[:, :, None], embeddings.mask_token.to(patches.dtype), patches)
    before = torch.cat([embeddings.cls_token, embeddings.register_tokens], dim=1)
    return torch.cat([before.expand(n_crops, -1, -1).to(patches.dtype), patches], dim=1)


def folded(backbone: Any) -> list[Block]:
    """The blocks of a DINOv3ViTModel without gated MLP; in autocast's type where it is on."""
    layers = list(backbone.model.layer)
    norm1, norm2 = ([getattr(layer, name) for layer in layers] for name in ("norm1", "norm2"))
    products = [(layer.attention.q_proj, layer.attention.k_proj, layer.attention.v_proj) for layer in layers]
    out = [layer.attention.o_proj for layer in layers]
    up, down = ([getattr(layer.mlp, name) for layer in layers] for name in ("up_proj", "down_proj"))
    layer1, layer2 = (
        torch.stack([getattr(layer, name).lambda1 for layer in layers])
        for name in ("layer_scale1", "layer_scale2")
    )
    # Queries are narrower by the square root of a head's channels.
    parts = torch.ones(3, device=layer1.device)
    parts[0] /= math.sqrt(layers[0].attention.head_dim)
    qkv, qkv_bias = _behind([p for three in products for p in three], [n for n in norm1 for _ in range(3)])
    qkv, qkv_bias = qkv.unflatten(0, (-1, 3)), qkv_bias.unflatten(0, (-1, 3))
    up_weights, up_biases = _behind(up, norm2)
    stacks: tuple[Tensor, ...] = (
        (qkv * parts[:, None, None]).flatten(1, 2),
        (qkv_bias * parts[:, None]).flatten(1, 2),
        torch.stack([p.weight for p in out]) * layer1[:, :, None],
        torch.stack([_bias(p) for p in out]) * layer1,
        up_weights,
        up_biases,
        torch.stack([p.weight for p in down]) * layer2[:, :, None],
        torch.stack([_bias(p) for p in down]) * layer2,
    )
    kind = layer1.device.type
    if torch.is_autocast_enabled(kind):
        stacks = tuple(stack.to(torch.get_autocast_dtype(kind)) for stack in stacks)
    return [Block(*tensors) for tensors in zip(*(stack.unbind(0) for stack in stacks), strict=True)]


def _behind(products: Sequence[nn.Linear], norms: Sequence[nn.LayerNorm]) -> tuple[Tensor, Tensor]:
    """Weights and biases of products, once the norm before each has given up its scale and shift."""
    weights = torch.stack([p.weight for p in products])
    scales, shifts = (torch.stack([getattr(n, name) for n in norms]) for name in ("weight", "bias"))
    moved = torch.stack([_bias(p) for p in products]) + (weights * shifts[:, None]).sum(dim=2)
    return weights * scales[:, None], moved


def _bias(product: nn.Linear) -> Tensor:
    return product.weight.new_zeros(product.out_features) if product.bias is None else product.bias


def _attended(
    x: Tensor, cos: Tensor, sin: Tensor, qkv: Tensor, qkv_bias: Tensor, heads: int, eps: float
) -> Tensor:
    """What the tokens of each crop hear from each other, heads side by side: "b n_tokens dim"."""
    n_crops, n_tokens, dim = x.shape
    hidden = F.layer_norm(x, (dim,), eps=eps)
    parts = F.linear(hidden, qkv, qkv_bias).view(n_crops, n_tokens, 3, heads, dim // heads)
    query, key, value = parts.permute(2, 0, 3, 1, 4)
    weights = (_turned(query, cos, sin) @ _turned(key, cos, sin).mT).softmax(dim=-1)
    return (weights.to(value.dtype) @ value).transpose(1, 2).reshape(n_crops, n_tokens, dim)


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions. Source: RoFormer (arXiv 2104.09864), eq. 34, on pairs half a head apart."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)


def _rest(x: Tensor, heard: Tensor, weights: Block, eps: float) -> Tensor:
    """A block after its attention."""
    x = x + F.linear(heard, weights.out, weights.out_bias)
    hidden = F.linear(F.layer_norm(x, x.shape[-1:], eps=eps), weights.up, weights.up_bias)
    return x + F.linear(F.gelu(hidden), weights.down, weights.down_bias)


def _block(x: Tensor, cos: Tensor, sin: Tensor, weights: Block, heads: int, eps: float) -> Tensor:
    heard = _attended(x, cos, sin, weights.qkv, weights.qkv_bias, heads, eps)
    return _rest(x, heard, weights, eps)


def _rows(wanted: Tensor | None, n_crops: int, n_tokens: int, device: torch.device) -> Tensor:
    """Places among all crops' tokens of the class tokens, then of the patches that are wanted."""
    cls = torch.arange(n_crops, device=device) * n_tokens
    if wanted is None:
        return cls
    crops, places = wanted.nonzero(as_tuple=True)
    return torch.cat([cls, crops * n_tokens + (n_tokens - wanted.shape[1]) + places])


@cache
def _compiled() -> Callable[..., Tensor]:
    # Every kind of crop is another shape; past its limit of shapes the compiler says so (fullgraph).
    compiled: Callable[..., Tensor] = torch.compile(_block, dynamic=False, fullgraph=True)
    return compiled
