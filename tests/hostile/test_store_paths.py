"""A store lies where its path says, or is refused: nothing lands elsewhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dinoscope.errors import InputError
from dinoscope.store.files import store_folder
from dinoscope.store.reading import each_row
from dinoscope.store.store import FeatureStore, open_store
from tests.command_line import run
from tests.hostile.files import write_photographs

ODD = ("a:b", "~x", "~", "file:zz", "s3:", "x y", "x%20y", "x?y#z", "$HOME", "[x]*", "memory:", r"a\xff")
ADDRESSES = (
    "s3://bucket/store",
    "gs://bucket/store",
    "az://bucket/store",
    "memory://store",
    "file:///tmp/store",
    "https://example.org/store",
    "s3+ddb://bucket/store",
    "file-object-store:///tmp/store",
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with photographs in it, and a home that must stay empty."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    folder = tmp_path / "here"
    write_photographs(folder / "cats", ("a.png", "b.png"))
    write_photographs(folder / "dogs", ("c.png", "d.png", "e.png"))
    for i, path in enumerate(sorted(folder.rglob("*.png"))):
        path.touch()
        path.write_bytes(path.read_bytes() + bytes(i))  # all different
    monkeypatch.chdir(folder)
    return folder


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ODD)
def test_every_command_uses_the_folder_that_was_named(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("embed", "cats", name, "--model", "mini", "--grid", 6) == 0
    assert run("embed", "dogs", name, "--model", "mini", "--grid", 6) == 0
    assert contents(here) == {"cats", "dogs", name} and contents(here.parent) == {"here", "home"}
    assert contents(here / name) == {"dinoscope-store.json", "tables"} and not contents(here.parent / "home")
    assert len(list(each_row(open_store(name).table()))) == 5
    relative = FeatureStore(Path(name)).table()
    assert len(relative) == 5 and len(list(each_row(relative))) == 5
    capsys.readouterr()
    assert run("search", name, "cats/a.png", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 4
    assert run("index", name, "--from", 100) == 0
    assert run("doctor", name) == 0
    assert contents(here) == {"cats", "dogs", name} and not contents(here.parent / "home")


@pytest.mark.parametrize("name", ["a:b", "~x"])
def test_evaluate_too(here: Path, name: str) -> None:
    for folder in ("cats", "dogs"):
        assert run("embed", folder, name, "--model", "mini", "--grid", 6) == 0
    words = ("--poolings", "mean", "--suppressions", "centre")
    assert run("evaluate", name, "--labels", "folders", *words) == 0
    assert contents(here) == {"cats", "dogs", name}


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_are_refused_before_any_work(
    here: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("embed", "cats", address, "--model", "mini"),
        ("search", address, "cats/a.png"),
        ("evaluate", address, "--labels", "folders"),
        ("index", address),
        ("doctor", address),
        ("view", address),
    ):
        assert run(*words) == 2, words
        assert "is an address" in capsys.readouterr().err
    assert contents(here) == {"cats", "dogs"} and not contents(here.parent / "home")
    with pytest.raises(InputError, match="is an address"):
        store_folder(address)


@pytest.mark.parametrize("name", [os.fsdecode(b"st\xf6re"), "st\nore"])
def test_a_name_that_lance_cannot_be_told_is_refused(
    here: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("embed", "cats", name, "--model", "mini", "--grid", 6) == 2
    assert "choose another folder" in capsys.readouterr().err
    assert contents(here) == {"cats", "dogs"}


def test_a_folder_above_is_found_through_a_link(here: Path) -> None:
    (here.parent / "elsewhere" / "deep").mkdir(parents=True)
    (here / "link").symlink_to(here.parent / "elsewhere" / "deep")
    assert run("embed", "cats", "link/../store", "--model", "mini", "--grid", 6) == 0
    assert (here.parent / "elsewhere" / "store" / "tables").is_dir()
