"""Tables for papers, the terminal and spreadsheets, of everything there is to measure."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.font_manager import get_font

from dinoscope.comparison.tables.files import (
    measurements_json,
    measurements_text,
    metrics_csv,
    write_measurements,
)
from dinoscope.comparison.tables.paper import metrics_latex, metrics_markdown
from dinoscope.data.results import Measurements
from dinoscope.drawing.text_table import WIDTH
from dinoscope.metrics.registry import METRICS
from tests.samples import HOSTILE, PLANTED, planted, summarised

EXTRA = {
    key: 0.3 for key, m in METRICS.items() if not m.collection and m.group not in ("with masks", "proxies")
}


@pytest.fixture(scope="module")
def sample() -> Measurements:
    return planted(extra=EXTRA)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def test_markdown_has_every_metric_with_its_intervals_and_differences(sample: Measurements) -> None:
    text = metrics_markdown(sample)
    models, controls = text.split("**Controls")
    rows = {
        re.sub("<sup>.*", "", cells(line)[0]): cells(line) for line in models.splitlines() if line[:1] == "|"
    }
    for key, summaries in sample.summaries.items():
        row = rows[METRICS[key].title]
        for j, interval in enumerate(summaries):
            shown = f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]".replace("-", "−")
            assert row[2 + j].replace("\\", "") == shown
        chance = METRICS[key].chance
        assert row[1] == ("–" if chance is None else f"{chance:g}")
        difference = sample.differences[key][0]
        if METRICS[key].group == "between models":
            assert row[4] == "–"
        else:
            assert f"{difference.interval.mean:+.3f}".replace("-", "−").lstrip("+−") in row[4]
            assert sum(int(part) for part in row[5].split(" / ")) == 100
    assert rows["DSE"][2] == "0.300" and rows["DSE"][4] == "–"
    assert len({len(cells(line)) for line in models.splitlines() if line[:1] == "|"}) == 1
    assert sample.controls is not None
    for label, interval in zip(
        sample.controls.models, sample.controls.summaries["boundary_auc"], strict=True
    ):
        assert label in controls
        assert f"{interval.mean:.3f}" in controls


def test_what_belongs_beside_a_metric_is_a_numbered_note(sample: Measurements) -> None:
    text = metrics_markdown(sample)
    for metric in METRICS.values():
        if metric.warning and metric.key in sample.values:
            assert f"{metric.warning[0].upper()}{metric.warning[1:]}." in text.replace("\\-", "-")
    assert text.count("Over the collection, no interval") == 1
    number = re.search(r"^(\d+)\. Over the collection", text, re.MULTILINE)
    assert number is not None
    marks = re.search(r"DSE<sup>([\d,]+)</sup>", text)
    assert marks is not None and number[1] in marks[1].split(",")
    assert "never a headline alone" in metrics_latex(sample)


def test_latex_is_balanced_and_has_as_many_cells_as_columns(sample: Measurements) -> None:
    text = metrics_latex(sample)
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == text.count(r"\resizebox") == 2
    for table in re.findall(r"\\begin\{tabular\}\{@\{\}p\{.*?\}(r+)@\{\}\}(.*?)\\end", text, re.DOTALL):
        columns, body = table
        for line in body.splitlines():
            if line.endswith(r"\\"):
                assert len(re.findall(r"(?<!\\)&", line)) == len(columns)
    interval = sample.summaries["boundary_auc"][0]
    half = (interval.high - interval.low) / 2
    row = next(line for line in text.splitlines() if line.startswith(r"\raggedright Boundary AUC"))
    first, _, difference = re.findall(r"(\$-\$)?(\d\.\d+) \$\\pm\$ (\d\.\d+)", row)
    assert [float(first[1]), float(first[2])] == pytest.approx([interval.mean, half], abs=0.006)
    assert difference[0] and float(difference[1]) == pytest.approx(0.03, abs=0.006)
    depth = 0
    for mark in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if mark == "{" else -1
        assert depth >= 0
    assert depth == 0


def test_latex_of_two_models_fits_a_column_as_it_is(sample: Measurements) -> None:
    """Set in Computer Modern at 7 points, as ``\\scriptsize`` is in papers of two columns of 3.3 inches."""
    table = metrics_latex(sample).partition(r"\begin{tabular}")[2].partition(r"\end{tabular}")[0]
    rows = [line[:-2].split("&") for line in table.splitlines() if line.endswith(r"\\")]
    assert len(rows) > 8
    font = get_font(str(Path(matplotlib.get_data_path(), "fonts", "ttf", "cmr10.ttf")))
    font.set_size(7, 72)
    column_pt = 3.3 * 72

    def width_pt(cell: str) -> float:
        shown = re.sub(r"\\textsuperscript\{(.*?)\}", "", cell.strip()).replace(r"$\pm$", "+")
        font.set_text(shown.replace("$-$", "-").replace(r"\_", "_").replace("--", "-"))
        return font.get_width_height()[0] / 64 + 4 * cell.count("superscript")

    names, *numbers = zip(*rows, strict=True)
    assert max(width_pt(word) for name in names for word in name.split()) <= 0.31 * column_pt
    widths = [max(map(width_pt, column)) for column in numbers]
    assert 0.31 * column_pt + sum(widths) + 2 * 2 * len(widths) <= column_pt


NASTY = (*HOSTILE, r"\input{/etc/passwd}", "50% & more_#~^$", "[a](javascript:x)|b", "`x` *y* https://a.b")


def test_names_are_text_in_every_table() -> None:
    places = dict.fromkeys(NASTY, (0.6, 0.6))
    measured = planted(places, n_models=len(places), n=3, masks="<i>m</i> $a$ \\b")
    latex = metrics_latex(measured)
    assert r"\textbackslash{}input\{/etc/passwd\}" in latex
    assert r"50\% \& more\_\#\textasciitilde{}\textasciicircum{}\$" in latex
    assert r"\input" not in latex
    assert not re.search(r"(?<!\\)[#^]", latex)
    assert "% needs" in latex and not re.search(r"(?<!\\)%(?! needs)", latex)
    markdown = metrics_markdown(measured)
    assert "<script" not in markdown and "<i>" not in markdown
    assert r"\[a\](javascript:x)\|b" in markdown
    assert r"\`x\` \*y\* https\://a.b" in markdown
    assert set(re.findall(r"</?\w+", markdown)) <= {"<sup", "</sup"}
    assert len({len(cells(line)) for line in markdown.splitlines() if line[:1] == "|"}) == 1
    for text in (latex, markdown):
        assert text.encode("utf-8")
        assert "\u202e" not in text
    lines = measurements_text(measured).splitlines()
    assert len(lines) > 30 and all(c.isprintable() for line in lines for c in line)


@pytest.mark.parametrize(
    "places", [PLANTED, {f"a-model-with-a-very-long-name-{k}": (0.6, 0.6) for k in range(7)}]
)
def test_the_terminal_shows_everything_in_a_hundred_columns(places: dict[str, tuple[float, float]]) -> None:
    measured = planted(places, extra=EXTRA)
    text = measurements_text(measured)
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= WIDTH == 100
    flat = " ".join(text.split())
    for key in (*measured.values, *measured.collection):
        title = {"neighbour": "neighbour", "random_pair": "random-pair", "locality": "locality"}.get(key)
        assert (title or METRICS[key].title.split(" ")[0].replace("²", "2")) in flat
        for interval in measured.summaries.get(key, ()):
            assert f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]" in flat
    assert "(c): over the collection" in flat


def test_the_terminal_shows_controls_in_brackets_with_the_two_axes() -> None:
    measured = planted()
    lines = measurements_text(measured).splitlines()
    start = lines.index("sharpness and coherence")
    sharp, coherent = METRICS["boundary_auc"].title, METRICS["matched_coherence_auc"].title
    assert lines[start + 1].split("  ")[-2:] == [sharp, coherent]
    row = next(line for line in lines[start:] if line.startswith("(blur:first-model)"))
    assert "0.620 [" in row and "0.680 [" in row
    assert any(line == "edges and colours of the photograph (proxies, not objects)" for line in lines)


def test_csv_marks_controls_in_its_last_column(sample: Measurements) -> None:
    rows = list(csv.DictReader(io.StringIO(metrics_csv(sample), newline="")))
    assert list(rows[0])[-1] == "control"
    assert sample.controls is not None
    assert {r["model"] for r in rows if r["control"] == "1"} == set(sample.controls.models)
    assert {r["model"] for r in rows if r["control"] == "0"} == set(sample.models)
    assert len(rows) == len(sample.images) * len(PLANTED) * len(sample.values)
    row = next(r for r in rows if r["model"] == "pixels" and r["metric"] == "boundary_auc")
    assert float(row["value"]) == sample.controls.values["boundary_auc"][0, 0]


def test_json_carries_collection_curves_controls_and_masks(sample: Measurements) -> None:
    data = json.loads(measurements_json(sample))
    assert data["masks"] == sample.masks
    assert data["collection"]["second-model"]["dse"] == sample.collection["dse"][1]
    curve = data["curves"]["distance"]
    assert curve["x"] == sample.curves["distance"].x.tolist()
    assert curve["y"]["first-model"] == sample.curves["distance"].y[0].tolist()
    beside = sample.controls
    assert beside is not None
    assert data["controls"]["models"] == list(beside.models)
    blurred = beside.summaries["matched_coherence_auc"][beside.models.index("blur:first-model")].mean
    assert data["controls"]["summary"]["blur:first-model"]["matched_coherence_auc"]["mean"] == blurred
    assert "differences" not in data["controls"]
    alone = json.loads(measurements_json(planted(controls=False, collection=False, curves=False, masks="")))
    assert (alone["controls"], alone["masks"], alone["curves"]) == (None, "", {})


def test_the_folder_has_tables_and_the_plane_where_there_is_one(sample: Measurements, tmp_path: Path) -> None:
    tables = {"metrics.csv", "metrics.json", "table.md", "table.tex"}
    write_measurements(sample, (), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == tables | {"plane.svg", "plane.png"}
    assert (tmp_path / "table.md").read_text(encoding="utf-8") == metrics_markdown(sample)
    write_measurements(planted(masks="", proxies=False), (), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == tables


def test_undefined_is_a_dash_everywhere() -> None:
    made = planted(n=1, controls=False, collection=False)
    values = {key: np.full_like(table, np.nan) for key, table in made.values.items()}
    lost = summarised(made.images, made.digests, made.models, values)
    lost = replace(lost, collection={"dse": (float("nan"), 0.5)})
    for text in (metrics_markdown(lost), metrics_latex(lost), measurements_text(lost)):
        assert "nan" not in text.lower()
    row = next(line for line in metrics_markdown(lost).splitlines() if line.startswith("| Locality"))
    assert cells(row)[2:] == ["–", "–", "–", "–"]


def test_controls_have_no_row_that_says_nothing(sample: Measurements) -> None:
    controls = sample.controls
    assert controls is not None
    lost = [key for key in controls.summaries if METRICS[key].group == "between models"]
    unknown = [replace(controls.summaries["cka"][0], mean=np.nan, low=np.nan, high=np.nan)] * len(
        controls.models
    )
    silent = replace(controls, summaries={**controls.summaries, **dict.fromkeys(lost, unknown)})
    made = replace(sample, controls=silent)
    for text in (metrics_markdown(made), metrics_latex(made)):
        models, _, beside = text.partition("Controls, not trained models")
        assert "Linear CKA" in models
        assert "Locality" in beside and "Linear CKA" not in beside and "Between models" not in beside


def test_the_terminal_leaves_out_rows_that_say_nothing() -> None:
    made = planted(extra=EXTRA)
    group = [key for key in made.values if METRICS[key].group == METRICS["cka"].group]
    assert group and METRICS["cka"].group in measurements_text(made)
    lost = {key: np.full_like(table, np.nan) if key in group else table for key, table in made.values.items()}
    text = measurements_text(summarised(made.images, made.digests, made.models, lost))
    assert METRICS["cka"].group not in text and METRICS[group[0]].title not in text
