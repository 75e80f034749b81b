from __future__ import annotations

from pathlib import Path

import pytest

from dinoscope.errors import InputError
from dinoscope.io.journal import Journal

SETTINGS = {"grid": 8, "models": [["a", "", None]]}


def test_rows_come_back_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "out" / "rows.jsonl"
    first = Journal(path, SETTINGS)
    first.add("b", {"value": 0.1})
    first.add("a", {"value": None})
    again = Journal(path, SETTINGS)
    assert list(again) == ["b", "a"] and len(again) == 2
    assert again.read("b", dict) == {"key": "b", "value": 0.1}
    assert again.read("a", dict)["value"] is None
    assert "c" not in again


def test_a_line_cut_short_is_taken_away_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    journal = Journal(path, SETTINGS)
    journal.add("a", {"value": 1.0})
    whole = path.read_bytes()
    journal.add("b", {"value": 2.0})
    for cut in range(len(whole) + 1, path.stat().st_size, 5):
        path.write_bytes((whole + path.read_bytes()[len(whole) :])[:cut])
        again = Journal(path, SETTINGS)
        assert list(again) == ["a"]
        assert path.read_bytes() == whole
        again.add("b", {"value": 2.0})
        assert list(Journal(path, SETTINGS)) == ["a", "b"]


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    Journal(path, SETTINGS)
    with pytest.raises(InputError, match=r"grid: 8 there, 16 now.*rows\.jsonl"):
        Journal(path, {**SETTINGS, "grid": 16})


@pytest.mark.parametrize("content", [b"", b"no json\n", b'{"other": 1}\n', b'{"settings": {}', b"[1]\n"])
def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"rows\.jsonl"):
        Journal(path, SETTINGS)
    assert path.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match="cannot be used"):
        Journal(tmp_path / "file" / "rows.jsonl", SETTINGS)
