"""Deep photographs in every command: black and white as asked for, the same again when a store is asked."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import dinoscope as ds
from dinoscope.cli import COMMANDS
from dinoscope.io.defect_folders import defect_folders
from dinoscope.maths.pooling import FOREGROUND_RULE, GEM_FLOOR, GEM_POWER
from dinoscope.store.schema import TableSettings, settings_from_facts, settings_to_json
from tests.command_line import run
from tests.hostile.files import write_photographs
from tests.hostile.test_photographs import DEEP, grey

NO_PHOTOGRAPHS = {"combine", "compress", "evaluate", "index", "scenes", "watch", "export", "models"}
ONE_BY_ONE = {"look", "match", "search", "doctor"}


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_that_reads_photographs_has_the_options(command: str) -> None:
    module, _, name = COMMANDS[command].where.partition(":")
    words = inspect.signature(getattr(importlib.import_module(module), name)).parameters
    assert ("pixel_range" in words) == (command not in NO_PHOTOGRAPHS)
    assert ("recursive" in words) == (command not in NO_PHOTOGRAPHS | ONE_BY_ONE)


def deep(folder: Path, n: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(n):
        values = np.roll(DEEP["narrow"], 7 * i, axis=1)
        (folder / f"{i}.tif").write_bytes(grey(values))
    return folder


def test_a_store_keeps_the_range_and_is_asked_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, store = deep(tmp_path / "photos", 3), tmp_path / "store"
    words = ("embed", photos, store, "--model", "mini", "--grid", 4)
    assert run(*words, "--range", "auto", "--recursive") == 0
    assert "3 photographs" in capsys.readouterr().out
    (table,) = (opened := ds.open_store(store)).tables
    assert opened.table(table).settings.pixel_range == "auto"
    hits = ds.search(opened, str(photos / "0.tif"), k=2)
    assert len(hits.hits) == 2
    assert any("the query itself is in the store" in note for note in hits.notes)
    assert run("search", store, photos / "0.tif", "--range", "full", "--json") == 0  # another picture
    found = json.loads(capsys.readouterr().out)
    assert len(found["hits"]) == 3
    assert run(*words, "--range", "200,700") == 0
    assert len(ds.open_store(store).tables) == 2


def test_a_table_of_the_full_range_is_named_as_ever() -> None:
    words = {"backbone": "b", "weights_digest": "w", "layer": 1, "final_norm": True, "dtype": "float32"}
    words |= {"resize": "bilinear", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "dim": 3, "grid": 4}
    full, auto = TableSettings(**words), TableSettings(**words, pixel_range="auto")  # type: ignore[arg-type]
    rules = {"gem_power": GEM_POWER, "gem_floor": GEM_FLOOR, "foreground_rule": FOREGROUND_RULE}
    known = json.dumps({**words, **rules, "dense": None, "weights_source": ""}, sort_keys=True)
    assert full.digest == hashlib.sha256(known.encode()).hexdigest()[:16] != auto.digest
    assert "pixel_range" not in settings_to_json(full)
    for settings in (full, auto):
        assert settings_from_facts(json.loads(settings_to_json(settings))) == settings


@pytest.mark.parametrize("command", ["choose", "look", "match", "normal", "extract", "certify"])
def test_no_warning_where_the_range_is_asked_for(
    tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    photos = deep(tmp_path / "photos", 3)
    masks = tmp_path / "masks"
    masks.mkdir()
    for i in range(3):
        values = np.zeros((48, 64), np.int64)
        values[:, 20 + i :] = 1
        np.save(masks / f"{i}.npy", values)
    one, other = photos / "0.tif", photos / "1.tif"
    words = {
        "choose": (photos, "--masks", masks, "--models", "pixels", "--grids", "6", "--mask-kind", "classes"),
        "look": (one, "--models", "mini", "--grid", 4, "--out", tmp_path / "out"),
        "match": (one, other, "--models", "pixels", "--grid", 4),
        "normal": (photos, one, other, "--models", "pixels", "--grid", 4, "--no-controls"),
        "extract": (photos, "--model", "pixels", "--grid", 4, "--out", tmp_path / "out"),
        "certify": ("mini", tmp_path / "none.onnx", photos),
    }[command]
    if command == "certify":
        (tmp_path / "none.onnx").write_bytes(b"")
    said = {}
    for range_ in ("full", "auto"):
        caplog.clear()
        run(command, *words, "--range", range_)
        said[range_] = capsys.readouterr().err + caplog.text
        assert "Traceback" not in said[range_] and "No such option" not in said[range_]
    if command != "certify":
        assert "--range auto" in said["full"] and "--range auto" not in said["auto"]
    assert run(command, *words, "--range", "9,3") == 2


def test_what_is_normal_in_folders_of_folders(tmp_path: Path) -> None:
    for name in ("good/a", "good/b/c", "new/x/y", "new/z"):
        write_photographs(tmp_path / name, ("1.png", "2.png"))
    found = defect_folders(tmp_path / "good", [tmp_path / "new"], None, recursive=True)
    assert found.good == (tmp_path / "good" / "a", tmp_path / "good" / "b" / "c")
    assert [(q.kind, q.path.name) for q in found.queries] == [
        ("y", "1.png"),
        ("y", "2.png"),
        ("z", "1.png"),
        ("z", "2.png"),
    ]
