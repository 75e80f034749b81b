"""Values as JSON that any reader takes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from os import PathLike

import numpy as np

from dinoscope.names import well_formed


def strict_json(value: object, *, indent: int = 2, ensure_ascii: bool = True) -> str:
    """JSON of nested values, dataclasses too; what is no finite number is null, what is no text is escaped.

    >>> strict_json({"a": [1.0, float("nan")]}, indent=0).replace(chr(10), "")
    '{"a": [1.0,null]}'
    """
    return json.dumps(strict(value), indent=indent, allow_nan=False, ensure_ascii=ensure_ascii)


def strict(value: object) -> object:
    """A nested value as what `strict_json` writes."""
    if isinstance(value, str):
        return well_formed(value)
    if isinstance(value, np.generic | np.ndarray):
        return strict(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if is_dataclass(value):
        return {field.name: strict(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {well_formed(str(key)): strict(inner) for key, inner in value.items()}
    if isinstance(value, PathLike):
        return well_formed(str(value))
    if isinstance(value, Iterable):
        return [strict(inner) for inner in value]
    return well_formed(str(value))
