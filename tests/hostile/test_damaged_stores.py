"""Stores that somebody edited, cut or zeroed: exit code 4, a message that names the place, no traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import run
from tests.hostile.files import write_photographs

PHOTOS = tuple(f"{i}.png" for i in range(4))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_photographs(folder / "photos", PHOTOS)
    assert run("embed", folder / "photos", folder / "store", "--model", "mini", "--grid", 4) == 0
    return folder


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole / "store", tmp_path / "store")
    return tmp_path / "store"


def settings_file(store: Path) -> Path:
    (found,) = store.glob("tables/*/settings.json")
    return found


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


SETTINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "dim-text": lambda s: s.update(dim="192"),
    "dim-zero": lambda s: s.update(dim=0),
    "dim-negative": lambda s: s.update(dim=-3),
    "dim-huge": lambda s: s.update(dim=10**12),
    "dim-float": lambda s: s.update(dim=192.0),
    "layer-none": lambda s: s.update(layer=None),
    "grid-text": lambda s: s.update(grid="4"),
    "grid-three": lambda s: s.update(grid=[4, 4, 4]),
    "grid-zero": lambda s: s.update(grid=0),
    "mean-short": lambda s: s.update(mean=[0.5]),
    "mean-text": lambda s: s.update(mean=["a", "b", "c"]),
    "std-zero": lambda s: s.update(std=[0, 0, 0]),
    "std-nan": lambda s: s.update(std=[float("nan")] * 3),
    "norm-number": lambda s: s.update(final_norm=3),
    "backbone-number": lambda s: s.update(backbone=7),
    "backbone-list": lambda s: s.update(backbone=["mini"]),
    "dense-number": lambda s: s.update(dense=7),
    "dense-word": lambda s: s.update(dense="rank:many"),
    "more": lambda s: s.update(colour="red"),
    "less": lambda s: s.pop("resize"),
}


@pytest.mark.parametrize("change", sorted(SETTINGS))
def test_edited_settings(store: Path, whole: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = settings_file(store)
    facts = json.loads(file.read_text())
    SETTINGS[change](facts["settings"])
    file.write_text(json.dumps(facts))
    assert run("search", store, whole / "photos" / PHOTOS[0]) == 4
    err = capsys.readouterr().err
    assert "settings.json" in err and "Traceback" not in err and err.count("\n") == 1


TEXTS = {
    "empty": b"",
    "cut": b'{"schema_version": 1, "set',
    "list": b"[]",
    "deep": b"[" * 100_000,
    "binary": bytes(range(256)),
    "no-version": b"{}",
    "version-text": b'{"schema_version": "1"}',
    "newer": b'{"schema_version": 99}',
}


@pytest.mark.parametrize("where", ["settings", "store"])
@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_small_files_of_other_words(
    store: Path, whole: Path, kind: str, where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = settings_file(store) if where == "settings" else store / "dinoscope-store.json"
    file.write_bytes(TEXTS[kind])
    assert run("search", store, whole / "photos" / PHOTOS[0]) == 4
    err = capsys.readouterr().err
    assert str(store) in err and "Traceback" not in err and len(err) < 1500


PARTS = {
    "moments": "tables/*/moments/*.safetensors",
    "manifest": "tables/*/vectors.lance/_versions/*.manifest",
    "data": "tables/*/vectors.lance/data/*.lance",
    "transaction": "tables/*/vectors.lance/_transactions/*.txn",
}


def harmed(store: Path, part: str, how: str) -> list[Path]:
    paths = sorted(store.glob(PARTS[part]))
    assert paths
    for path in paths:
        if how == "zeros":
            zeroed(path)
        elif how == "empty":
            path.write_bytes(b"")
        elif how == "half":
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        elif how == "gone":
            path.unlink()
        else:
            path.write_bytes(b"<html>404</html>" * 20)
    return paths


@pytest.mark.parametrize("how", ["zeros", "empty", "half", "gone", "page"])
@pytest.mark.parametrize("part", ["moments", "manifest", "data"])
def test_parts_that_are_damaged(
    store: Path, whole: Path, part: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    harmed(store, part, how)
    words = ("--suppress", "centre") if part == "moments" else ()
    code = run("search", store, whole / "photos" / PHOTOS[0], "--pooling", "mean", *words)
    err = capsys.readouterr().err
    assert "Traceback" not in err and "a fault of dinoscope's own" not in err
    assert code == 4 or (code, part) == (0, "moments")
    assert code == 0 or str(store) in err


READERS = ["search", "duplicates", "view", "index", "evaluate", "doctor", "embed"]


def asking(command: str, store: Path, photos: Path) -> tuple[object, ...]:
    """A command line that reads the store."""
    return {
        "search": ("search", store, photos / PHOTOS[0]),
        "duplicates": ("search", store, "--duplicates", 0.9),
        "view": ("view", store, "--port", 99_999),  # refused, were the store not
        "index": ("index", store, "--from", 1),
        "evaluate": ("evaluate", store, "--labels", "folders"),
        "doctor": ("doctor", store),
        "embed": ("embed", photos, store, "--model", "mini", "--grid", 4),
    }[command]


@pytest.mark.parametrize("command", READERS)
@pytest.mark.parametrize("how", ["zeros", "gone"])
@pytest.mark.parametrize("part", ["manifest", "data"])
def test_every_command_that_reads_one(
    store: Path, whole: Path, part: str, how: str, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    paths = harmed(store, part, how)
    code = run(*asking(command, store, whole / "photos"))
    err = capfd.readouterr().err
    assert code == 4, err
    assert "Traceback" not in err and "a fault of dinoscope's own" not in err and "panicked" not in err
    assert command == "doctor" or paths[0].parent.name in err or "vectors.lance" in err


def test_an_older_version_is_not_taken_for_the_newest(
    store: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photographs(whole / "more", ("x.png", "y.png", "z.png", "u.png", "v.png"))
    assert run("embed", whole / "more", store, "--model", "mini", "--grid", 4) == 0
    before = sorted(store.glob(PARTS["manifest"]), key=lambda path: path.stat().st_mtime_ns)
    before[-1].unlink()
    assert run("search", store, whole / "photos" / PHOTOS[0]) == 4
    err = capsys.readouterr().err
    assert before[-1].name in err and "put it back from a copy" in err


@pytest.mark.parametrize("command", READERS)
def test_settings_that_are_gone(
    store: Path, whole: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings_file(store).unlink()
    code = run(*asking(command, store, whole / "photos"))
    out, err = capsys.readouterr()
    if command == "embed":  # writes them anew
        assert code == 0 and run(*asking("search", store, whole / "photos")) == 0
        return
    assert code == 4 and "settings.json" in out + err and "put it back" in out + err


@pytest.mark.parametrize("command", READERS[:-1])
@pytest.mark.parametrize("kind", ["none", "file", "empty", "others"])
def test_a_store_that_is_not_there(
    tmp_path: Path, whole: Path, command: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "nowhere"
    if kind == "file":
        place.write_bytes(b"x")
    elif kind != "none":
        place.mkdir()
        (place / ".keep").write_bytes(b"")
    if kind == "others":
        (place / "notes.txt").write_text("x")
    assert run(*asking(command, place, whole / "photos")) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err and (command == "view" or str(place) in err)


def test_the_file_that_says_it_is_a_store_is_gone(
    store: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (store / "dinoscope-store.json").unlink()
    assert run("search", store, whole / "photos" / PHOTOS[0]) == 4
    assert "lacks its dinoscope-store.json" in capsys.readouterr().err
    assert run("embed", whole / "photos", store, "--model", "mini", "--grid", 4) == 0
    assert run("search", store, whole / "photos" / PHOTOS[0]) == 0


@pytest.mark.parametrize(
    "where",
    ["1/0 = 1", "cast(source as int) = 3", "regexp_match(source, '(') is not null", "10 / (h - h) > 0"],
)
@pytest.mark.parametrize("harm", [False, True])
def test_a_condition_that_fails_for_a_row_is_not_a_damaged_table(
    store: Path, whole: Path, where: str, harm: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if harm:
        harmed(store, "data", "gone")
    assert run("search", store, whole / "photos" / PHOTOS[0], "--where", where) == (4 if harm else 2)
    err = capsys.readouterr().err
    assert ("is gone" in err) == harm and ("cannot be used" in err and "columns are" in err) != harm


def test_a_condition_of_any_length_is_told_shortly(
    store: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = " OR ".join(f"nowhere = '{i}'" for i in range(3000))
    assert run("search", store, whole / "photos" / PHOTOS[0], "--where", where) == 2
    assert len(capsys.readouterr().err) < 1500
