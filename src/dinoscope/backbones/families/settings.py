"""Does a ``config.json`` describe a network that its weights could be of? Asked before anything is built."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dinoscope.errors import WeightsError

_FEW = ("layer", "depth", "head", "block", "stage", "expert")
"""Words in the names of what there are at most thousands of."""

_MOST_PARTS = 2_000
_MOST = 10_000_000
_DEEPEST = 20
_UNWRITTEN = 50_000_000
"""Parameters that weights may lack beside what they have: heads, text towers, sine tables."""


def check_settings(name: str, settings: Mapping[str, object]) -> None:
    """Raises for numbers that no network has.

    Raises:
        WeightsError: with the setting.
    """
    for key, value in _numbers(name, settings, 0):
        most = _MOST_PARTS if any(word in key for word in _FEW) else _MOST
        if not abs(value) <= most:
            raise WeightsError(name, f"its config.json says {key} {value:.6g}, which no network has")


def check_size(name: str, model: Any, folder: Path) -> None:
    """Raises for a network far larger than the weights it is to be filled with.

    Args:
        name: of the backbone, for the error.
        model: on the meta device, so that it has shapes and no memory.
        folder: holds its safetensors files; a number takes a byte or more there.

    Raises:
        WeightsError: with both sizes.
    """
    described = sum(parameter.numel() for parameter in model.parameters())
    stored = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    if described > stored + _UNWRITTEN:
        raise WeightsError(
            name,
            f"its config.json describes {described:,} parameters, its weights are only {stored:,} bytes",
            ("use the config.json that these weights were saved with",),
        )


def _numbers(name: str, value: object, level: int, key: str = "") -> Iterator[tuple[str, float]]:
    if level > _DEEPEST:
        raise WeightsError(name, "its config.json is nested deeper than any network's")
    if isinstance(value, Mapping):
        for inner, held in value.items():
            yield from _numbers(name, held, level + 1, str(inner))
    elif isinstance(value, (list, tuple)):
        for held in value:
            yield from _numbers(name, held, level + 1, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value
