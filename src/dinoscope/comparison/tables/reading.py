"""``metrics.json`` back as measurements: values as they were written, intervals computed again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from dinoscope.comparison.tables.files import SCHEMA_VERSION
from dinoscope.data.results import Measurements
from dinoscope.errors import InputError, SchemaVersionError
from dinoscope.io.limits import read_text
from dinoscope.maths.intervals import column_differences, column_intervals
from dinoscope.metrics.registry import range_of
from dinoscope.names import readable


def read_metrics(path: str | Path) -> dict[str, Any]:
    """The content of a ``metrics.json`` of `compare` or `measure`.

    Raises:
        InputError: it cannot be read, or is none.
        SchemaVersionError: a newer dinoscope wrote it.
    """
    try:
        content = json.loads(read_text(Path(path)))
        version = content["schema_version"]
        readable_here = isinstance(version, int) and all(key in content for key in ("models", "images"))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{readable(path)!r} is no metrics.json of a comparison: {error}") from error
    if not readable_here or version < SCHEMA_VERSION:
        raise InputError(f"{readable(path)!r} is of schema {version}: run the comparison again")
    if version > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"{readable(path)!r} has schema {version}, this dinoscope reads up to {SCHEMA_VERSION}: upgrade "
            "with pip install -U dinoscope"
        )
    return dict(content)


def measurements_in(content: Mapping[str, Any]) -> Measurements:
    """The numbers of each photograph, with their summaries and differences; controls too.

    What only a collection has, curves and checks are not per photograph, and are left out.

    Raises:
        InputError: rows of other models or metrics than the file says.
    """
    try:
        controls = content.get("controls")
        return _measured(
            content,
            masks=str(content.get("masks", "")),
            controls=None if controls is None else _measured(controls),
        )
    except (KeyError, IndexError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"a metrics.json whose rows do not fit together: {error}") from error


def measured_of(
    images: Sequence[tuple[str, str]],
    models: Sequence[str],
    values: Mapping[str, Float64[np.ndarray, "images models"]],
    *,
    is_control: Sequence[bool],
    masks: str = "",
    controls: Measurements | None = None,
) -> Measurements:
    """Measurements of values that are there.

    Args:
        images: name and digest of each.
        models: labels.
        values: by metric.
        is_control: of each model.
        masks: names of their folders.
        controls: what ran beside.
    """
    return Measurements(
        images=tuple(name for name, _ in images),
        digests=tuple(digest for _, digest in images),
        models=tuple(models),
        values=dict(values),
        summaries={key: column_intervals(table, range_of(key)) for key, table in values.items()},
        differences={
            key: column_differences(table[:, 1:] - table[:, :1], range_of(key))
            for key, table in values.items()
        },
        masks=masks,
        controls=controls,
        is_control=tuple(is_control),
    )


def _measured(content: Mapping[str, Any], **beside: Any) -> Measurements:
    return measured_of(
        [(image["name"], image["digest"]) for image in content["images"]],
        content["models"],
        _numbers(content),
        is_control=[bool(content["is_control"][model]) for model in content["models"]],
        **beside,
    )


def _numbers(content: Mapping[str, Any]) -> dict[str, Float64[np.ndarray, "images models"]]:
    models, images = content["models"], content["images"]
    keys = dict.fromkeys(key for image in images for model in models for key in image["values"][model])
    return {
        key: np.array(
            [[image["values"][model].get(key) for model in models] for image in images], dtype=np.float64
        ).reshape(len(images), len(models))
        for key in keys
    }
