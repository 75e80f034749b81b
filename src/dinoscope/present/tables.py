"""The numbers as files and as text: CSV for spreadsheets, JSON for programs, a table for the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dinoscope.atomic import write_whole
from dinoscope.data.results import Comparison, Failure, Interval, Measurements, ModelResult, PairedDifference
from dinoscope.present import words

SCHEMA_VERSION = 1
COLUMNS = ("image", "digest", "model", "metric", "value")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_metrics_csv(comparison: Comparison, path: str | Path) -> None:
    """`metrics_csv`, whole or not at all."""
    _write(Path(path), metrics_csv(comparison.measurements))


def write_metrics_json(comparison: Comparison, path: str | Path) -> None:
    """`comparison_json`, whole or not at all."""
    _write(Path(path), comparison_json(comparison))


def write_manifest(comparison: Comparison, path: str | Path) -> None:
    """`manifest_json`, whole or not at all."""
    _write(Path(path), manifest_json(comparison))


def write_measurements(measurements: Measurements, failures: Sequence[Failure], folder: Path) -> None:
    """``metrics.csv`` and ``metrics.json`` of measurements without pictures."""
    _write(folder / "metrics.csv", metrics_csv(measurements))
    _write(folder / "metrics.json", measurements_json(measurements, failures))


def metrics_csv(measurements: Measurements) -> str:
    """One row for each photograph, model and metric; an undefined value is empty.

    Values have all their digits. A name that a spreadsheet would take for a formula gets an apostrophe in
    front; the digest says which photograph is meant, and the JSON has every name as it is.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for i, (image, digest) in enumerate(zip(measurements.images, measurements.digests, strict=True)):
        for j, model in enumerate(measurements.models):
            for name, values in measurements.values.items():
                value = float(values[i, j])
                shown = repr(value) if math.isfinite(value) else ""
                table.writerow([_inert(image), digest, _inert(model), name, shown])
    return text.getvalue()


def measurements_json(measurements: Measurements, failures: Sequence[Failure] = ()) -> str:
    """Per image values, summaries and paired differences as one JSON object; undefined is null."""
    return _json(_measurements(measurements) | {"failures": [asdict(failure) for failure in failures]})


def comparison_json(comparison: Comparison) -> str:
    """The measurements, with the models, the ledger and what the colours stand for."""
    return _json(
        _measurements(comparison.measurements)
        | {
            "model_details": [_model(model) for model in comparison.models],
            "points": comparison.points,
            "components": comparison.components,
            "ledger": [asdict(entry) for entry in comparison.ledger],
            "failures": [asdict(failure) for failure in comparison.failures],
            "settings": comparison.settings,
        }
    )


def manifest_json(comparison: Comparison) -> str:
    """Every input's digest, size and grid, every model's weights, and the versions: enough to repeat it."""
    return _json(
        {
            "schema_version": SCHEMA_VERSION,
            "photographs": [
                {
                    "name": photograph.name,
                    "source": photograph.source,
                    "digest": photograph.digest,
                    "size": photograph.size,
                    "notes": photograph.notes,
                    "grids": {
                        model.label: {
                            "grid": features.grid.shape,
                            "patch_px": features.grid.patch_size,
                            "input_px": features.grid.input_size,
                            "anisotropy": features.grid.anisotropy,
                            "resize": features.provenance.resize,
                            "final_norm": features.provenance.final_norm,
                            "dtype": features.provenance.dtype,
                        }
                        for model, features in zip(comparison.models, row, strict=True)
                    },
                }
                for photograph, row in zip(comparison.photographs, comparison.features, strict=True)
            ],
            "models": [_model(model) for model in comparison.models],
            "points": comparison.points,
            "failures": [asdict(failure) for failure in comparison.failures],
            "settings": comparison.settings,
        }
    )


def measurements_text(measurements: Measurements) -> str:
    """The main figures as an aligned table for the terminal: one line a model, then the paired differences.

    ASCII, apart from names; what cannot be printed in them is escaped.
    """
    metrics = measurements.values
    rows = [["model", "photographs", *(words.title(name) for name in metrics)]]
    for j, model in enumerate(measurements.models):
        intervals = [summaries[j] for summaries in measurements.summaries.values()]
        rows.append([_printable(model), _counts(intervals), *(_ascii(words.interval(i)) for i in intervals)])
    for j, model in enumerate(measurements.models[1:]):
        differences = [d[j] for d in measurements.differences.values()]
        name = f"{_printable(model)} minus {_printable(measurements.models[0])}"
        intervals = [d.interval for d in differences]
        rows.append([name, _counts(intervals), *(_ascii(words.interval(i, sign="+")) for i in intervals)])
        rows.append(["  above 0 in", "", *(_share(d) for d in differences)])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    notes = ["mean [95% bootstrap interval over photographs]", *measurements.warnings]
    return "\n".join([*lines, "", *(f"note: {note}" for note in notes)])


def summary_text(comparison: Comparison) -> str:
    """The main figures of a comparison for the terminal."""
    text = measurements_text(comparison.measurements)
    controls = [_printable(model.label) for model in comparison.models if model.spec.control]
    return f"{text}\nnote: controls, not trained models: {', '.join(controls)}" if controls else text


def _measurements(measurements: Measurements) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "models": measurements.models,
        "images": [
            {
                "name": name,
                "digest": digest,
                "values": {
                    model: {metric: float(values[i, j]) for metric, values in measurements.values.items()}
                    for j, model in enumerate(measurements.models)
                },
            }
            for i, (name, digest) in enumerate(zip(measurements.images, measurements.digests, strict=True))
        ],
        "summary": {
            model: {metric: asdict(summaries[j]) for metric, summaries in measurements.summaries.items()}
            for j, model in enumerate(measurements.models)
        },
        "differences": [
            {
                "model": model,
                "minus": measurements.models[0],
                "metrics": {
                    metric: _difference(differences[j])
                    for metric, differences in measurements.differences.items()
                },
            }
            for j, model in enumerate(measurements.models[1:])
        ],
        "warnings": measurements.warnings,
    }


def _difference(difference: PairedDifference) -> dict[str, object]:
    return {**asdict(difference.interval), "share_above_0": difference.share}


def _model(model: ModelResult) -> dict[str, object]:
    return {
        "label": model.label,
        "backbone": asdict(model.spec),
        "weights": asdict(model.origin),
        "layer": model.layer,
        "dtype": model.dtype,
        "explained_variance_ratio": model.pca.explained_variance_ratio,
        "patches_fitted": model.pca.n_patches,
        "colours_aligned_to": model.alignment.reference if model.alignment else None,
        "alignment_residual": model.alignment.residual if model.alignment else None,
    }


def _json(value: object) -> str:
    return json.dumps(_plain(value), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def _plain(value: object) -> object:
    """Strict JSON: what is not a finite number is null, what is no text is escaped."""
    if isinstance(value, str):
        return _as_text(value)
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        return {_as_text(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, PathLike):
        return _as_text(str(value))
    if isinstance(value, Iterable):
        return [_plain(inner) for inner in value]
    return _as_text(str(value))


def _as_text(text: str) -> str:
    """A file name may hold bytes that are no text: they are shown escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _ascii(text: str) -> str:
    return text.replace("−", "-").replace("–", "-")


def _counts(intervals: Sequence[Interval]) -> str:
    """How many photographs each mean is over; one number where they agree."""
    counts = [str(i.n) for i in intervals]
    return counts[0] if len(set(counts)) == 1 else ", ".join(counts)


def _share(difference: PairedDifference) -> str:
    return "-" if math.isnan(difference.share) else f"{difference.share:.0%} of photographs"


def _write(path: Path, text: str) -> None:
    data = text.encode("utf-8", "backslashreplace")

    def write(file: BinaryIO) -> None:
        file.write(data)

    write_whole(path, write)
