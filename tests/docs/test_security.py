"""The threat model names a test for each line, and every one of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dinoscope.drawing.server import limits as server
from dinoscope.io import limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
THREATS = [
    line
    for line in PAGE.partition("## Threats")[2].partition("## What is not")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| Threat |")
]


def test_there_are_threats() -> None:
    assert len(THREATS) >= 18


@pytest.mark.parametrize("line", THREATS, ids=lambda line: line[2:40])
def test_every_line_has_its_test(line: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:: (\w+))?`", line.rsplit("|", 2)[1])
    assert named
    for path, function in named:
        assert f"def {function}" in (ROOT / path).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("row", "numbers"),
    [
        ("a photograph or a label image", f"{limits.DECODED_BYTES >> 30} GiB"),
        ("sides", f"{limits.LONGEST_TO_SHORTEST} : 1"),
        ("scans", f"{limits.SCANS}"),
        ("all arrays read", f"{limits.ARRAY_BYTES >> 30} GiB"),
        ("a list, a table", f"{limits.TEXT_BYTES >> 20} MiB"),
        ("in an archive", f"{limits.MEMBER_BYTES >> 30} GiB"),
        ("to get past it", f"{limits.SKIPPED_BYTES >> 30} GiB"),
        ("behind a URL", f"{limits.FETCHED_BYTES >> 20} MiB, {limits.FETCH_S / 60:g} minutes"),
        ("one upload", f"{server.UPLOAD_BYTES >> 20} MiB; {server.UPLOADS_BYTES >> 20} MiB"),
    ],
)
def test_the_limits_are_those_of_the_code(row: str, numbers: str) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith("|") and row in line.split("|")[1]]
    assert numbers in line.split("|")[2]
