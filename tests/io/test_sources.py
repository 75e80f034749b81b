from __future__ import annotations

from pathlib import Path

from dinoscope.io.sources import photograph_paths


def test_folders_stand_for_the_photographs_inside(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "deeper.png").mkdir()
    (tmp_path / "empty").mkdir()
    paths, failures = photograph_paths([tmp_path, tmp_path / "notes.txt", tmp_path / "empty"])
    assert [p.name for p in paths] == ["a.png", "b.JPG", "notes.txt"]
    assert [f.source for f in failures] == [str(tmp_path / "empty")]
    assert "without photographs" in failures[0].reason
