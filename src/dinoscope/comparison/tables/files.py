"""The numbers as files: CSV for spreadsheets, JSON for programs, tables for papers."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from dinoscope.atomic import write_text
from dinoscope.comparison.figures.plane_files import write_plane
from dinoscope.comparison.plane_words import plane_axes, plane_changes
from dinoscope.comparison.tables.paper import metrics_latex, metrics_markdown
from dinoscope.comparison.tables.terminal import measurements_text as measurements_text
from dinoscope.data.results import Comparison, Failure, Measurements, ModelResult, PairedDifference
from dinoscope.names import well_formed
from dinoscope.strict_json import strict_json

SCHEMA_VERSION = 2
COLUMNS = ("image", "digest", "model", "metric", "value", "control")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write_tables(comparison: Comparison, folder: Path) -> None:
    """``metrics.csv`` and ``.json``, ``manifest.json``, ``table.md`` and ``.tex``, whole or not at all."""
    write_text(folder / "metrics.csv", metrics_csv(comparison.measurements))
    write_text(folder / "metrics.json", comparison_json(comparison))
    write_text(folder / "manifest.json", manifest_json(comparison))
    _write_paper_tables(comparison.measurements, folder)


def write_measurements(measurements: Measurements, failures: Sequence[Failure], folder: Path) -> None:
    """``metrics.csv``, ``metrics.json``, ``table.md`` and ``table.tex``; ``plane.svg`` and ``plane.png`` too
    where sharpness and coherence were measured. Each file is whole or not at all.
    """
    write_text(folder / "metrics.csv", metrics_csv(measurements))
    write_text(folder / "metrics.json", measurements_json(measurements, failures))
    _write_paper_tables(measurements, folder)
    write_plane(measurements, folder)


def _write_paper_tables(measurements: Measurements, folder: Path) -> None:
    write_text(folder / "table.md", well_formed(metrics_markdown(measurements)))
    write_text(folder / "table.tex", well_formed(metrics_latex(measurements)))


def metrics_csv(measurements: Measurements) -> str:
    """One row for each photograph, model and metric, then controls and people; an undefined value is empty.

    Values have all their digits. A name that a spreadsheet would take for a formula gets an apostrophe in
    front; the digest says which photograph is meant, and the JSON has every name as it is.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for part in (measurements, *(p for p in (measurements.controls, measurements.people) if p)):
        for i, (image, digest) in enumerate(zip(part.images, part.digests, strict=True)):
            for j, model in enumerate(part.models):
                control = int(part.is_control[j])
                for name, values in part.values.items():
                    value = float(values[i, j])
                    shown = repr(value) if math.isfinite(value) else ""
                    table.writerow([_inert(image), digest, _inert(model), name, shown, control])
    return well_formed(text.getvalue())


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
            "colours": comparison.colours,
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


def _measurements(measurements: Measurements) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        **_numbers(measurements),
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
        "robustness": _robustness(measurements),
        "controls": None if measurements.controls is None else _numbers(measurements.controls),
        "people": None if measurements.people is None else _people(measurements.people),
        "masks": measurements.masks,
        "mask_kind": None if measurements.mask_kind is None else measurements.mask_kind.name,
        "mask_kind_because": None if measurements.mask_kind is None else measurements.mask_kind.because,
        "undefined": measurements.undefined,
        "warnings": measurements.warnings,
    }


def _robustness(measurements: Measurements) -> dict[str, object] | None:
    """What the differences on the plane's axes rest on, and the verdicts that change."""
    checks = measurements.checks
    if checks is None:
        return None
    first, *others = measurements.models
    blurred = f"{first} blurred by {checks.half_blur_patches:g} patch"

    def against(minus: str, found: Mapping[str, tuple[PairedDifference, ...]]) -> list[dict[str, object]]:
        return [
            {"model": model, "minus": minus, "metrics": {key: _difference(d[j]) for key, d in found.items()}}
            for j, model in enumerate(others)
        ]

    return {
        "half_blur": {
            "model": blurred,
            "minus": first,
            "metrics": {key: _difference(d) for key, d in checks.half_blur.items()},
        },
        "beyond_half_blur": against(blurred, checks.beyond_blur),
        "n_standardised": checks.n_sampled,
        "as_they_are": against(first, checks.sampled),
        "standardised": against(first, checks.standardised),
        "changed_verdicts": {
            kind: plane_changes(measurements, axes=kind) for kind in plane_axes(measurements)
        },
    }


def _numbers(measurements: Measurements) -> dict[str, object]:
    return {
        "models": measurements.models,
        "is_control": dict(zip(measurements.models, measurements.is_control, strict=True)),
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
        "collection": {
            model: {metric: values[j] for metric, values in measurements.collection.items()}
            for j, model in enumerate(measurements.models)
        },
        "curves": {
            name: {
                "x_title": curve.x_title,
                "y_title": curve.y_title,
                "x": curve.x,
                "y": dict(zip(measurements.models, curve.y, strict=True)),
            }
            for name, curve in measurements.curves.items()
        },
    }


def _people(people: Measurements) -> dict[str, object]:
    numbers = _numbers(people)
    return {key: numbers[key] for key in ("models", "is_control", "images", "summary")} | {
        "masks": people.masks
    }


def _difference(difference: PairedDifference) -> dict[str, object]:
    return {
        **asdict(difference.interval),
        "above": difference.above,
        "tied": difference.tied,
        "below": difference.below,
    }


def _model(model: ModelResult) -> dict[str, object]:
    return {
        "label": model.label,
        "backbone": asdict(model.spec),
        "weights": asdict(model.origin),
        "layer": model.layer,
        "dtype": model.dtype,
        "explained_variance_ratio": model.pca.explained_variance_ratio,
        "patches_fitted": model.pca.n_patches,
        "coloured_by": model.coloured_by,
        "colours_aligned_to": model.alignment.reference if model.alignment else None,
        "alignment_residual": model.alignment.residual if model.alignment else None,
    }


def _json(value: object) -> str:
    return strict_json(value, indent=1, ensure_ascii=False) + "\n"


def _inert(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
