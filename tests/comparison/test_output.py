from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from dinoscope.comparison import output
from dinoscope.comparison.output import FILES, write_comparison
from dinoscope.comparison.report import report
from dinoscope.data.results import Comparison
from dinoscope.errors import InputError
from tests.samples import comparison as sample


@pytest.fixture
def compared() -> Comparison:
    return sample()


def header(page: Path) -> dict[str, list[object]]:
    found = re.search(r'<script type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_everything_lies_in_the_folder_and_nothing_else(compared: Comparison, tmp_path: Path) -> None:
    page = write_comparison(compared, tmp_path / "out")
    assert page == tmp_path / "out" / "report.html"
    assert {p.name for p in (tmp_path / "out").iterdir()} == set(FILES)
    assert len(header(page)["photographs"]) == len(compared.photographs)


def test_the_view_is_bounded_and_says_so(
    compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "MOST_IN_VIEW", 1)
    page = write_comparison(compared, tmp_path)
    assert len(header(page)["photographs"]) == 1
    assert f"holds the 1 photograph of {len(compared.photographs)} that" in page.read_text()


def test_a_failure_leaves_what_was_there(
    compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_comparison(compared, tmp_path)
    before = (tmp_path / "report.html").read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output, "write_figures", fail)
    with pytest.raises(InputError, match="No space left"):
        write_comparison(replace(compared, points=((0.1, 0.1),)), tmp_path)
    assert (tmp_path / "report.html").read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == set(FILES)


def test_a_file_is_no_folder(compared: Comparison, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("x")
    with pytest.raises(InputError, match="taken"):
        write_comparison(compared, tmp_path / "taken")
