"""ViT checkpoints as `transformers` saves them, in its spellings of several versions; the last one
is also how parameters are named here.

Source: huggingface/transformers 5.10 to 5.23, models/dinov2, dinov2_with_registers, dinov3_vit and
conversion_mapping.py (names only).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isqrt

from torch import Tensor

from dinoscope.backbones.architecture import Architecture
from dinoscope.backbones.checkpoints.layouts import Row, count, linear, needed, norm
from dinoscope.backbones.checkpoints.vit import heads_of
from dinoscope.errors import WeightsError


@dataclass(frozen=True, slots=True)
class HubNames:
    """How this checkpoint spells what the versions spell differently.

    Attributes:
        layers: the block list.
        query, key, value, out: the attention's linear maps.
        fused: whether gate and up projection are one tensor, ``weights_in``.
    """

    layers: str
    query: str = "attention.q_proj"
    key: str = "attention.k_proj"
    value: str = "attention.v_proj"
    out: str = "attention.o_proj"
    fused: bool = False


CURRENT = {"dinov2": HubNames("encoder.layer"), "dinov3": HubNames("model.layer")}


def read_names(tensors: Mapping[str, Tensor]) -> HubNames:
    """The spelling, from the keys alone."""
    if "embeddings.position_embeddings" not in tensors and not any(
        key.startswith("encoder.layer.") for key in tensors
    ):
        inner = any(key.startswith("model.layer.") for key in tensors)
        return HubNames("model.layer" if inner else "layer")
    fused = any(".mlp.weights_in." in key for key in tensors)
    if not any(".attention.attention.query." in key for key in tensors):
        return HubNames("encoder.layer", fused=fused)
    inside = "attention.attention"
    return HubNames(
        "encoder.layer",
        f"{inside}.query",
        f"{inside}.key",
        f"{inside}.value",
        "attention.output.dense",
        fused,
    )


def read_architecture(
    tensors: Mapping[str, Tensor], names: HubNames, heads: int | None = None
) -> Architecture:
    """The architecture, from names and shapes; ``heads`` where a configuration says it.

    Raises:
        WeightsError: a tensor it is read from is missing or has a shape that cannot be.
    """
    dinov2 = names.layers == "encoder.layer"
    patches = "embeddings.patch_embeddings" + (".projection" if dinov2 else "")
    dim, _, patch, _ = needed(tensors, f"{patches}.weight", 4)
    block = f"{names.layers}.0"
    mlp = f"{block}.mlp."
    gated = names.fused or any(key.endswith(".mlp.gate_proj.weight") for key in tensors)
    first = "weights_in" if names.fused else "up_proj" if gated or not dinov2 else "fc1"
    rows = needed(tensors, f"{mlp}{first}.weight", 2)[0]
    registers = tensors.get("embeddings.register_tokens")
    return Architecture(
        family="dinov2" if dinov2 else "dinov3",
        dim=dim,
        depth=count(tensors, names.layers.replace(".", r"\.")),
        heads=heads_of(dim, heads, 4 if not dinov2 else 1),
        patch_size=patch,
        registers=0 if registers is None or registers.ndim != 3 else registers.shape[1],
        mlp="swiglu" if gated else "gelu",
        hidden=rows // 2 if names.fused else rows,
        position_grid=_position_grid(tensors) if dinov2 else 0,
        key_bias=any(key.endswith(f".{names.key}.bias") for key in tensors),
        query_value_bias=any(key.endswith(f".{names.query}.bias") for key in tensors),
    )


def _position_grid(tensors: Mapping[str, Tensor]) -> int:
    places = needed(tensors, "embeddings.position_embeddings", 3)[1] - 1
    side = isqrt(max(places, 0))
    if side * side != places or side == 0:
        raise WeightsError(
            "checkpoint", f"'embeddings.position_embeddings': {places} places are no square grid"
        )
    return side


def rows(
    architecture: Architecture, names: HubNames | None = None, tensors: Mapping[str, Tensor] | None = None
) -> list[Row]:
    """Every tensor such a checkpoint has; without ``names``, as parameters are named here."""
    a, d = architecture, architecture.dim
    current = CURRENT[a.family]
    names = names or current
    patches = "embeddings.patch_embeddings" + (".projection" if a.family == "dinov2" else "")
    final = "layernorm" if a.family == "dinov2" else "norm"
    table = [
        _same("embeddings.cls_token", (1, 1, d)),
        _same(f"{patches}.weight", (d, 3, a.patch_size, a.patch_size)),
        _same(f"{patches}.bias", (d,)),
        *norm(final, final, d),
    ]
    if a.family == "dinov2":
        table.append(_same("embeddings.position_embeddings", (1, a.position_grid**2 + 1, d)))
    if a.registers or (tensors is not None and "embeddings.register_tokens" in tensors):
        table.append(_same("embeddings.register_tokens", (1, a.registers, d)))
    if tensors is not None and "embeddings.mask_token" in tensors:
        shape = (1, d) if a.family == "dinov2" else (1, 1, d)
        table.append(Row("embeddings.mask_token", shape, ()))
    for number in range(a.depth):
        table += _block(a, names, f"{names.layers}.{number}.", f"{current.layers}.{number}.")
    return table


def _same(name: str, shape: tuple[int, ...]) -> Row:
    return Row(name, shape, (name,))


def _block(architecture: Architecture, names: HubNames, source: str, target: str) -> Iterator[Row]:
    a, d = architecture, architecture.dim
    yield from norm(f"{source}norm1", f"{target}norm1", d)
    biased = a.query_value_bias
    key_bias = biased if a.family == "dinov2" else a.key_bias
    yield from linear(f"{source}{names.query}", f"{target}attention.q_proj", d, d, bias=biased)
    yield from linear(f"{source}{names.key}", f"{target}attention.k_proj", d, d, bias=key_bias)
    yield from linear(f"{source}{names.value}", f"{target}attention.v_proj", d, d, bias=biased)
    yield from linear(f"{source}{names.out}", f"{target}attention.o_proj", d, d)
    yield _same_part(source, target, "layer_scale1.lambda1", d)
    yield from norm(f"{source}norm2", f"{target}norm2", d)
    yield from _mlp(a, names, f"{source}mlp.", f"{target}mlp.")
    yield _same_part(source, target, "layer_scale2.lambda1", d)


def _same_part(source: str, target: str, part: str, dim: int) -> Row:
    return Row(f"{source}{part}", (dim,), (f"{target}{part}",))


def _mlp(architecture: Architecture, names: HubNames, source: str, target: str) -> Iterator[Row]:
    d, hidden = architecture.dim, architecture.hidden
    if names.fused:
        yield from linear(f"{source}weights_in", (f"{target}gate_proj", f"{target}up_proj"), 2 * hidden, d)
        yield from linear(f"{source}weights_out", f"{target}down_proj", d, hidden)
        return
    if architecture.mlp == "swiglu":
        yield from linear(f"{source}gate_proj", f"{target}gate_proj", hidden, d)
    gelu2 = architecture.mlp == "gelu" and architecture.family == "dinov2"
    first, second = ("fc1", "fc2") if gelu2 else ("up_proj", "down_proj")
    yield from linear(f"{source}{first}", f"{target}{first}", hidden, d)
    yield from linear(f"{source}{second}", f"{target}{second}", d, hidden)
