"""Rows: which tensor of a checkpoint becomes which parameter, and the strict check before it does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dinoscope.errors import WeightsError

TRAINING_ONLY = ("mask_token", "masked_embed", "local_cls_norm.")
"""Parts of the network that only training uses: the masks stand in for hidden patches; ``local_cls_norm``
normalises the class token of local crops.

Sources: facebookresearch/dinov3 dinov3/models/vision_transformer.py@6876159 ("never used during eval");
bytedance/ibot models/vision_transformer.py (``masked_embed``)."""

OTHERWISE = (
    "use the checkpoint as it was published: nothing is loaded in part",
    "for a network of another family use hf:FOLDER, timm:NAME or py:MODULE:FUNCTION",
)
"""What to do about a checkpoint that is no whole DINO network."""
_NUMBERS = "save it in 16 or 32 bits of floating point: quantised weights are not read"

_HEAD = re.compile(
    r"(?:\w+_)?(?:heads?|classifier|fc|decoder|predictor|projector|loss|criterion|optimizer)\d*\."
)
"""What the name of a part that stands on a network, or beside it in training, begins with."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor of a checkpoint.

    Attributes:
        source: its name there.
        shape: that it must have.
        targets: the parameters it becomes; more than one: equal parts along the first axis; none:
            not a parameter.
    """

    source: str
    shape: tuple[int, ...]
    targets: tuple[str, ...]


def linear(
    source: str, targets: str | Sequence[str], rows: int, columns: int, *, bias: bool = True
) -> Iterator[Row]:
    """Weight, and bias if there is one, of a linear map; ``rows`` counts all targets together."""
    names = (targets,) if isinstance(targets, str) else tuple(targets)
    yield Row(f"{source}.weight", (rows, columns), tuple(f"{name}.weight" for name in names))
    if bias:
        yield Row(f"{source}.bias", (rows,), tuple(f"{name}.bias" for name in names))


def norm(source: str, target: str, dim: int) -> Iterator[Row]:
    """Weight and bias of a layer norm."""
    yield Row(f"{source}.weight", (dim,), (f"{target}.weight",))
    yield Row(f"{source}.bias", (dim,), (f"{target}.bias",))


def needed(tensors: Mapping[str, Tensor], key: str, axes: int) -> tuple[int, ...]:
    """The shape of a tensor that the architecture is read from.

    Raises:
        WeightsError: it is missing, or has another number of axes.
    """
    if key not in tensors:
        raise WeightsError("checkpoint", f"the key {key!r} is missing")
    shape = tuple(tensors[key].shape)
    if len(shape) != axes or 0 in shape:
        raise WeightsError("checkpoint", f"{key!r}: expected {axes} axes, none of them empty, found {shape}")
    return shape


def count(tensors: Iterable[str], pattern: str) -> int:
    """How many blocks there are, numbered from 0 without a gap; ``pattern`` matches up to the number.

    Raises:
        WeightsError: none, or one is missing.
    """
    matches = (re.match(rf"{pattern}\.(\d+)\.", key) for key in tensors)
    found = {int(match.group(1)) for match in matches if match}
    shown = pattern.replace("\\", "")
    for index in range(len(found)):
        if index not in found:
            raise WeightsError(
                "checkpoint", f"{shown}.{index} is missing, though there is {shown}.{max(found)}"
            )
    if not found:
        raise WeightsError("checkpoint", f"the key '{shown}.0.…' is missing")
    return len(found)


def leftovers(tensors: Mapping[str, Tensor], rows: Iterable[Row]) -> tuple[list[str], list[str]]:
    """Names that no row reads: those that no features come from (see `is_unused`), and the unknown."""
    known = {row.source for row in rows}
    rest = sorted(key for key in tensors if key not in known)
    ignored = [key for key in rest if is_unused(key, tensors[key])]
    return ignored, [key for key in rest if key not in set(ignored)]


def is_unused(key: str, tensor: Tensor) -> bool:
    """Whether it is a head, used in training only, or a single number such as an epoch."""
    training = any(key == name or (name.endswith(".") and key.startswith(name)) for name in TRAINING_ONLY)
    counter = tensor.ndim == 0 and "." not in key
    return training or counter or _HEAD.match(key) is not None


def check(tensors: Mapping[str, Tensor], rows: Sequence[Row], layout: str) -> list[str]:
    """Names of heads and of what only training uses, once everything else fits exactly.

    Raises:
        WeightsError: a missing, unknown or misshapen tensor, or one without finite floating-point
            numbers; with the first names and shapes.
    """
    missing = [row for row in rows if row.source not in tensors]
    misshapen = [
        row for row in rows if row.source in tensors and tuple(tensors[row.source].shape) != row.shape
    ]
    ignored, unknown = leftovers(tensors, rows)
    complaints = [
        *_listed("missing", [f"{row.source} (expected {row.shape})" for row in missing]),
        *_listed("unknown", [f"{key} (found {tuple(tensors[key].shape)})" for key in unknown]),
        *_listed(
            "of another shape",
            [
                f"{row.source} (expected {row.shape}, found {tuple(tensors[row.source].shape)})"
                for row in misshapen
            ],
        ),
    ]
    steps: tuple[str, ...] = OTHERWISE
    if not complaints:
        used = [row.source for row in rows if row.targets]
        whole = [key for key in used if not tensors[key].is_floating_point()]
        complaints += _listed("not floating-point", [f"{key} ({tensors[key].dtype})" for key in whole])
        steps = (_NUMBERS,) if whole else OTHERWISE[:1]
        if not whole:
            complaints += _listed(
                "with NaN or infinity", [key for key in used if not _is_finite(tensors[key])]
            )
    if complaints:
        raise WeightsError(
            "checkpoint",
            f"it looks like the {layout} layout but does not fit: {'; '.join(complaints)}",
            steps,
        )
    return ignored


def convert(tensors: Mapping[str, Tensor], rows: Iterable[Row]) -> dict[str, Tensor]:
    """Parameters by the model's names; views of the checkpoint's tensors where possible."""
    state: dict[str, Tensor] = {}
    for row in rows:
        if row.targets:
            state.update(zip(row.targets, tensors[row.source].chunk(len(row.targets)), strict=True))
    return state


def _is_finite(tensor: Tensor) -> bool:
    # The sum is finite only if every number is; adding up needs no mask of the tensor's size.
    return bool(torch.isfinite(tensor.sum(dtype=torch.float64)))


def _listed(what: str, items: Sequence[str], most: int = 3) -> list[str]:
    if not items:
        return []
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return [f"{what}: {', '.join(items[:most])}{more}"]
