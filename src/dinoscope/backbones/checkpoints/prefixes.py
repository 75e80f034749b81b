"""Where in a checkpoint the backbone is: wrappers and prefixes off, block chunks joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from torch import Tensor

from dinoscope.backbones.checkpoints.layouts import is_training_only
from dinoscope.errors import WeightsError

WORDS = ("module", "_orig_mod", "model", "state_dict", "model_state_dict", "teacher", "backbone", "dinov2")
"""What a training script or a larger model puts before the names of a backbone."""

ANCHORS = (
    "embeddings.cls_token",
    "cls_token",
    "downsample_layers.0.0.weight",
    "stem.0.weight",
    "layer_norm.weight",
)
"""One name that each layout has, and no other has at the same place."""

_PREFIX = re.compile(rf"(?:(?:{'|'.join(WORDS)})\.)*")
_CHUNKED = re.compile(r"blocks\.\d+\.(\d+\..+)")


def bare(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The backbone's tensors without prefix, and the training-only names that lay beside it.

    Beside a teacher there may be its student and heads: the teacher is what is published and evaluated.

    Raises:
        WeightsError: no backbone, more than one, or unknown tensors beside it.
    """
    prefix = _prefix(tensors)
    inside = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
    beside = sorted(key for key in tensors if not key.startswith(prefix))
    unknown = [key for key in beside if not is_training_only(_stripped(key))]
    if unknown:
        raise WeightsError(
            "checkpoint",
            f"the backbone's names begin with {prefix!r}, and beside it there are unknown keys: "
            f"{_some(f'{key} (found {tuple(tensors[key].shape)})' for key in unknown)}",
            ("save the backbone's state dict alone",),
        )
    return _unchunked(inside), beside


def _prefix(tensors: Iterable[str]) -> str:
    keys = list(tensors)
    found = {
        key[: -len(anchor)]
        for key in keys
        for anchor in ANCHORS
        if key.endswith(anchor) and _PREFIX.fullmatch(key[: -len(anchor)])
    }
    if len(found) > 1:
        raise WeightsError(
            "checkpoint",
            f"it holds more than one network, under {_some(map(repr, sorted(found)))}",
            ("save the state dict of the one you mean",),
        )
    if not found:
        raise WeightsError(
            "checkpoint",
            f"none of the keys that DINOv2 and DINOv3 checkpoints have ({', '.join(ANCHORS)}) is in it; "
            f"it begins with {_some(keys)}",
            ("use a backbone checkpoint in the official, timm or Hugging Face layout",),
        )
    return found.pop()


def _stripped(key: str) -> str:
    match = _PREFIX.match(key)
    return key[match.end() :] if match else key


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


def _some(items: Iterable[str], most: int = 3) -> str:
    listed = list(items)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "")
