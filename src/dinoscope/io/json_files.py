"""Results as JSON: plain numbers, and null for what is undefined."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path

import numpy as np

from dinoscope.atomic import write_bytes


def json_text(content: Mapping[str, object]) -> str:
    """One object on indented lines; NaN and infinity become null, arrays lists, values objects."""
    return json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """`json_text` as a file, whole or not at all."""
    write_bytes(path, json_text(content).encode())


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
