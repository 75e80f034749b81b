"""`compare` ends in at most twelve lines, and counts what it leaves out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dinoscope.comparison.tables.closing import MOST, closing_text
from dinoscope.comparison.tables.files import measurements_json
from dinoscope.data.results import Failure
from tests.samples import HOSTILE, comparison

REPORT = Path("my-report/report.html")
LABELS = ("dinov2-small", "a\x1b-model", "pixels", "x" * 200, *(f"model-{i}" for i in range(8)))


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 12])
@pytest.mark.parametrize("names", [HOSTILE[:1], HOSTILE])
def test_at_most_twelve_lines_whatever_there_is_to_say(n: int, names: tuple[str, ...]) -> None:
    c = comparison(names, LABELS[:n], controls=["pixels"], failures=[Failure("a.jpg", "why")] * 3)
    notes = ["toy models: these", "and another note"]
    lines = closing_text(c, REPORT, notes=notes).splitlines()
    assert 5 <= len(lines) <= MOST == 12
    assert all(line.isprintable() for line in lines)
    assert names is HOSTILE or all(line.isascii() for line in lines)
    assert lines[-2] == f"report: {REPORT}" and "--open" in lines[-1]
    assert notes == lines[-5:-3]
    assert f"3 inputs could not be used (listed above); {len(c.measurements.warnings)} warning" in lines[-3]


def test_three_numbers_a_model_and_a_count_of_the_others() -> None:
    c = comparison(HOSTILE[:3], LABELS, controls=["pixels"])
    text = closing_text(c, REPORT)
    rows = [line for line in text.splitlines() if line.count("[") == 3]
    assert len(rows) >= 3 and f"and {len(LABELS) - len(rows)} more models: --full" in text
    assert any(row.startswith("pixels (control)") for row in rows)
    for j, row in enumerate(rows):
        for key in ("neighbour", "random_pair", "locality"):
            assert f"{c.measurements.summaries[key][j].mean:.3f}" in row


def test_nothing_to_count_is_no_line() -> None:
    c = comparison(HOSTILE[:3], LABELS[:2])
    quiet = replace(c, measurements=replace(c.measurements, warnings=()), failures=())
    text = closing_text(quiet, REPORT)
    assert "warning" not in text and "could not be used" not in text
    one = replace(quiet, failures=(Failure("a", "b"),))
    assert "1 input could not be used" in closing_text(one, REPORT)
    assert measurements_json(one.measurements)
