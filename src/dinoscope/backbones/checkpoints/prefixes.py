"""Where in a checkpoint is the network? Wrappers taken out of names, one chosen, block chunks joined."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from dinoscope.backbones.checkpoints.impostors import check_names, some
from dinoscope.errors import WeightsError

ANCHORS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "embeddings.cls_token": (
            "embeddings.patch_embeddings.weight",
            "embeddings.patch_embeddings.projection.weight",
        ),
        "cls_token": ("patch_embed.proj.weight",),
        "downsample_layers.0.0.weight": ("stages.0.0.dwconv.weight",),
        "stem.0.weight": ("stages.0.blocks.0.conv_dw.weight",),
        "layer_norm.weight": (
            "stages.0.downsample_layers.0.weight",
            "model.stages.0.downsample_layers.0.weight",
        ),
    }
)
"""What a network is known by: one name that each layout has, and others, one of which lies beside it."""

WRAPPERS = frozenset({"_checkpoint_wrapped_module", "_fsdp_wrapped_module", "_orig_mod"})
"""What torch's wrappers put inside names."""

_CHUNKED = re.compile(r"blocks\.\d+\.(\d+\..+)")


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One network of a checkpoint.

    Attributes:
        tensors: without the prefix.
        beside: names of the checkpoint's other tensors.
        notes: which network was taken, where that is not plain, and what lies beside it.
    """

    tensors: dict[str, Tensor]
    beside: tuple[str, ...]
    notes: tuple[str, ...]


def find_network(tensors: Mapping[str, Tensor], inside: str = "") -> Network:
    """The network of a checkpoint: the only one; of several the teacher, or else the moving average.

    A teacher that only anchors Gram matrices is none, and a student is taken only where it is alone: the
    teacher is what is published and evaluated.

    Args:
        tensors: by name.
        inside: what the names of the network asked for begin with; empty to choose as above.

    Raises:
        WeightsError: no network, several with nothing to choose by, none at ``inside``, or parameters that
            stand for a network's without being them.
    """
    named = _unwrapped(tensors)
    found = _prefixes(named)
    if not found:
        check_names(named)
        raise WeightsError(
            "checkpoint",
            f"none of the keys that DINOv2 and DINOv3 checkpoints have ({', '.join(ANCHORS)}) is in it; "
            f"it begins with {some(named, 3)}",
            (
                "use a backbone checkpoint in the official, timm or Hugging Face layout",
                "for another family use hf:FOLDER, timm:NAME or py:MODULE:FUNCTION",
            ),
        )
    prefix, notes = _chosen(found, inside)
    within = tuple(other for other in found if other != prefix and other.startswith(prefix))
    taken = [key for key in named if key.startswith(prefix) and not key.startswith(within)]
    check_names(taken)
    beside = tuple(sorted(named.keys() - set(taken)))
    inner = _unchunked({key.removeprefix(prefix): named[key] for key in taken})
    return Network(inner, beside, (*notes, *_beside_notes(beside, prefix)))


def _unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for key, value in tensors.items():
        name = ".".join(part for part in key.split(".") if part not in WRAPPERS)
        if name in named:
            raise WeightsError("checkpoint", f"two tensors would be {name}; one of them is {key}")
        named[name] = value
    return named


def _prefixes(keys: Mapping[str, Tensor]) -> list[str]:
    """Where networks begin: an anchor with another of their names at the same place, or else any anchor."""
    whole, rest = set(), set()
    for key in keys:
        anchors = [name for name in ANCHORS if key == name or key.endswith(f".{name}")]
        for anchor in anchors:
            prefix = key.removesuffix(anchor)
            if any(f"{prefix}{name}" in keys for name in ANCHORS[anchor]):
                whole.add(prefix)
        if anchors and (anchors[0] != "layer_norm.weight" or key == anchors[0]):
            rest.add(key.removesuffix(anchors[0]))
    return sorted(whole or rest)


def _chosen(found: Sequence[str], inside: str) -> tuple[str, tuple[str, ...]]:
    if inside:
        wanted = f"{inside.strip('.')}.".lstrip(".")
        if wanted not in found:
            raise WeightsError(
                "checkpoint",
                f"no network's names begin with {_named(inside)}; there are {_named(*found)}",
                tuple(f"use {_spelled(prefix)}" for prefix in found[:4]),
            )
        return wanted, (f"the network under {_named(inside)}, as asked",)
    if len(found) == 1:
        prefix = found[0]
        return prefix, (f"the network under {_named(prefix)}, the only one in the file",) if prefix else ()
    for role, is_it in (("teacher", _is_teacher), ("moving average", lambda prefix: "ema" in _words(prefix))):
        fitting = [prefix for prefix in found if is_it(prefix)]
        if len(fitting) == 1:
            others = _named(*(prefix for prefix in found if prefix != fitting[0]))
            return fitting[0], (f"the {role}, under {_named(fitting[0])}; also in the file: {others}",)
        if fitting:
            break
    raise WeightsError(
        "checkpoint",
        f"it holds more than one network, under {_named(*found)}",
        tuple(f"choose one: {_spelled(prefix)}" for prefix in found[:6]),
    )


def _named(*prefixes: str) -> str:
    return some((repr(prefix.rstrip(".")) for prefix in prefixes), 6)


def _spelled(prefix: str) -> str:
    """How a network is asked for; a dot alone for the one whose names have no prefix."""
    return f"PATH#{some([prefix.rstrip('.') or '.'], 1)}"


def _beside_notes(beside: Sequence[str], prefix: str) -> tuple[str, ...]:
    """Whole parts by name: of each key as much as tells it from the network's own."""
    parts: dict[str, int] = {}
    for key in beside:
        words = key.split(".")
        shared = sum(key.startswith(prefix[: i + 1]) for i, letter in enumerate(prefix) if letter == ".")
        part = ".".join(words[: shared + 1])
        parts[part] = parts.get(part, 0) + 1
    told = [f"{part} ({n} tensor{'s' if n > 1 else ''})" for part, n in parts.items()]
    return (f"ignored beside the network: {some(told, 8)}",) if told else ()


def _is_teacher(prefix: str) -> bool:
    words = _words(prefix)
    return "teacher" in words and "gram" not in words


def _words(prefix: str) -> list[str]:
    return re.split(r"[._]", prefix.lower())


def _unchunked(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # blocks.CHUNK.NUMBER.…: the number counts from the first block of all, whatever the chunk.
    # Source: facebookresearch/dinov2 dinov2/models/vision_transformer.py@b8931f7 (block_chunks)
    joined: dict[str, Tensor] = {}
    for key, value in tensors.items():
        match = _CHUNKED.fullmatch(key)
        name = f"blocks.{match.group(1)}" if match else key
        if name in joined:
            raise WeightsError("checkpoint", f"two tensors would be {name}; one of them is {key}")
        joined[name] = value
    return joined
