"""The tables hold every number, and nothing that breaks who reads them."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest

from dinoscope import atomic
from dinoscope.comparison.tables.files import (
    COLUMNS,
    SCHEMA_VERSION,
    comparison_json,
    manifest_json,
    measurements_json,
    measurements_text,
    metrics_csv,
    write_measurements,
    write_tables,
)
from dinoscope.data.results import Comparison, Failure
from tests.samples import HOSTILE, METRICS, comparison


@pytest.fixture(scope="module")
def sample() -> Comparison:
    return comparison(
        HOSTILE,
        ("first", "-second", "pixels"),
        controls=["pixels"],
        undefined=True,
        failures=[Failure("bad\udc80.jpg", "not a picture")],
        settings={
            "grid": (6, 8),
            "seed": np.int64(3),
            "nan": math.nan,
            "path": Path("a/b"),
            "versions": {"numpy": "2"},
        },
    )


def strict(text: str) -> dict:  # type: ignore[type-arg]
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


def test_csv_has_one_row_for_each_photograph_model_and_metric(sample: Comparison) -> None:
    rows = list(csv.DictReader(io.StringIO(metrics_csv(sample.measurements), newline="")))
    assert len(rows) == len(HOSTILE) * 3 * len(METRICS)
    assert tuple(rows[0]) == COLUMNS
    m = sample.measurements
    for row in rows:
        i, j = m.digests.index(row["digest"]), m.models.index(row["model"].removeprefix("'"))
        value = m.values[row["metric"]][i, j]
        assert row["value"] == "" if np.isnan(value) else float(row["value"]) == value
        assert row["image"].removeprefix("'") == m.images[i]
    assert sum(row["value"] == "" for row in rows) == 3


def test_no_cell_of_the_csv_is_a_formula(sample: Comparison) -> None:
    for row in csv.reader(io.StringIO(metrics_csv(sample.measurements), newline="")):
        for cell in row[:4]:
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_metrics_are_strict_json_with_every_number(sample: Comparison) -> None:
    data = strict(comparison_json(sample))
    m = sample.measurements
    assert data["schema_version"] == SCHEMA_VERSION
    assert data["models"] == list(m.models)
    assert [image["digest"] for image in data["images"]] == list(m.digests)
    assert [image["name"] for image in data["images"]][:5] == list(HOSTILE[:5])
    for i, image in enumerate(data["images"]):
        for j, model in enumerate(m.models):
            for metric in METRICS:
                value = m.values[metric][i, j]
                assert image["values"][model][metric] == (None if np.isnan(value) else value)
    for j, model in enumerate(m.models):
        for metric in METRICS:
            interval = m.summaries[metric][j]
            assert data["summary"][model][metric] == {
                "mean": interval.mean,
                "low": interval.low,
                "high": interval.high,
                "n": interval.n,
            }
    assert [(d["model"], d["minus"]) for d in data["differences"]] == [
        ("-second", "first"),
        ("pixels", "first"),
    ]
    for j, difference in enumerate(data["differences"]):
        for metric in METRICS:
            expected = m.differences[metric][j]
            assert difference["metrics"][metric]["mean"] == expected.interval.mean
            for key in ("above", "tied", "below"):
                assert difference["metrics"][metric][key] == getattr(expected, key)
    assert data["points"] == [list(p) for p in sample.points]
    assert data["failures"] == [{"source": "bad\\x80.jpg", "reason": "not a picture"}]
    assert data["warnings"] == list(m.warnings)
    assert data["settings"] == {
        "grid": [6, 8],
        "seed": 3,
        "nan": None,
        "path": "a/b",
        "versions": {"numpy": "2"},
    }
    details = {d["label"]: d for d in data["model_details"]}
    assert details["pixels"]["backbone"]["control"] is True
    assert details["first"]["weights"]["digest"] == "b" * 64
    assert details["first"]["alignment_residual"] is None


def test_the_manifest_names_every_input_and_weight(sample: Comparison) -> None:
    data = strict(manifest_json(sample))
    assert data["schema_version"] == SCHEMA_VERSION
    assert [p["digest"] for p in data["photographs"]] == [p.digest for p in sample.photographs]
    assert [p["size"] for p in data["photographs"]] == [list(p.size) for p in sample.photographs]
    for record, row in zip(data["photographs"], sample.features, strict=True):
        for model, features in zip(sample.models, row, strict=True):
            assert record["grids"][model.label]["grid"] == list(features.grid.shape)
            assert record["grids"][model.label]["input_px"] == list(features.grid.input_size)
    for model, record in zip(sample.models, data["models"], strict=True):
        assert record["weights"]["digest"] == model.origin.digest
        assert (record["layer"], record["dtype"]) == (model.layer, model.dtype)
    assert data["settings"]["versions"] == {"numpy": "2"}


def test_measurements_alone_are_json_too(sample: Comparison, tmp_path: Path) -> None:
    data = strict(measurements_json(sample.measurements, sample.failures))
    assert set(data) == {
        "schema_version",
        "models",
        "is_control",
        "images",
        "summary",
        "differences",
        "robustness",
        "collection",
        "curves",
        "controls",
        "people",
        "masks",
        "mask_kind",
        "mask_kind_because",
        "undefined",
        "warnings",
        "failures",
    }
    write_measurements(sample.measurements, sample.failures, tmp_path / "new")
    assert {p.name for p in (tmp_path / "new").iterdir()} == {
        "metrics.csv",
        "metrics.json",
        "table.md",
        "table.tex",
    }


def test_one_photograph_has_no_interval_and_says_so_everywhere() -> None:
    c = comparison(["one.png"], ("a", "b"))
    interval = strict(measurements_json(c.measurements))["summary"]["a"]["neighbour"]
    assert interval["low"] is None and interval["high"] is None and interval["n"] == 1
    line = next(line for line in measurements_text(c.measurements).splitlines() if line.startswith("a "))
    assert "[" not in line
    assert f"{interval['mean']:.3f}" in line


def test_the_summary_is_one_aligned_table(sample: Comparison) -> None:
    text = measurements_text(sample.measurements)
    table, _, notes = text.partition("\n\n")
    lines = table.splitlines()
    assert len(lines) == 1 + 3 + 2 * 2
    starts = {
        line.index(f"{m.mean:.3f}")
        for line, m in zip(lines[1:4], sample.measurements.summaries["neighbour"], strict=True)
    }
    assert starts == {lines[0].index("neighbour cosine")}
    difference = sample.measurements.differences["locality"][0].interval
    assert f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]" in lines[4]
    assert "6, 6, 5" in lines[1]
    assert "controls, not trained models: pixels" in notes
    assert "95% interval over photographs" in notes and "fewer than 30" in notes


def test_the_summary_is_ascii_and_prints_no_control_characters() -> None:
    text = measurements_text(comparison(labels=("a\x1b[31m", "b"), undefined=True).measurements)
    assert text.isascii()
    assert "\x1b" not in text
    assert all(c.isprintable() or c == "\n" for c in text)
    nothing = comparison(["x.png"], ("a",), undefined=True)
    assert measurements_text(nothing.measurements).splitlines()[1].split()[-1] == "-"


def test_files_are_there_whole_or_not_at_all(
    sample: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        tmp_path / name for name in ("manifest.json", "metrics.csv", "metrics.json", "table.md", "table.tex")
    ]
    for path in files:
        path.write_text("old")

    def fail(path: Path, write: object) -> None:
        original(path, lambda file: (file.write(b"half"), file.missing()))  # type: ignore[arg-type, func-returns-value]

    original = atomic.write_whole
    monkeypatch.setattr(atomic, "write_whole", fail)
    with pytest.raises(AttributeError):
        write_tables(sample, tmp_path)
    assert {path.read_text() for path in files} == {"old"}
    assert sorted(tmp_path.iterdir()) == files
    monkeypatch.undo()
    write_tables(sample, tmp_path)
    assert "old" not in {path.read_text(encoding="utf-8") for path in files}
    assert sorted(tmp_path.iterdir()) == files
