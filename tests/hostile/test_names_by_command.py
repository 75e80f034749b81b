"""Every command takes file names that are no Unicode text, writes them escaped, and finds the files again."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dinoscope.io.features import read_features
from dinoscope.names import path_named, readable
from dinoscope.retrieval.stored import StoreFinder
from dinoscope.store.reading import each_row, read_failures
from dinoscope.store.store import open_store
from tests.command_line import run
from tests.hostile.files import NAMES, colours, png, write_photographs, write_tar

MODEL = ("--grid", 6)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photos"))


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "store"
    assert run("embed", photos, path, "--model", "mini", *MODEL) == 0
    return path


def sources(store: Path) -> set[str]:
    return {row.source for row in each_row(open_store(store).table())}


def test_embed_keeps_every_photograph_and_knows_it_again(photos: Path, store: Path) -> None:
    assert sources(store) == {readable(photos / name) for name in NAMES}
    assert {path_named(source) for source in sources(store)} == {photos / name for name in NAMES}
    assert run("embed", photos, store, "--model", "mini", *MODEL) == 0
    assert len(sources(store)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_search_for_a_photograph_that_is_not_there(
    store: Path, photos: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("search", store, photos / f"no-{name}") == 2
    err = capsys.readouterr().err
    assert "no such file" in err and "\x1b" not in err


def test_embed_lists_what_it_cannot_use_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = os.fsdecode(b"bad-\xe9.png")
    photos = write_photographs(tmp_path / "photos", ("a.png",))
    (photos / bad).write_bytes(b"no picture")
    assert run("embed", photos, tmp_path / "store", "--model", "mini", *MODEL) == 1
    assert r"bad-\xe9.png" in capsys.readouterr().err
    (failure,) = read_failures(open_store(tmp_path / "store").table())
    assert failure.source == readable(photos / bad)
    (photos / bad).write_bytes(png(7))
    assert run("embed", photos, tmp_path / "store", "--model", "mini", *MODEL) == 0
    assert read_failures(open_store(tmp_path / "store").table()) == []


@pytest.mark.parametrize("kind", ["tar", "csv", "parquet", "pattern"])
def test_embed_takes_them_from_everywhere(tmp_path: Path, kind: str) -> None:
    photos = write_photographs(tmp_path / os.fsdecode(b"fold\xe9r"))
    names = [name for name in NAMES if "\n" not in name and name == name.strip()]
    if kind == "tar":
        source = write_tar(tmp_path / os.fsdecode(b"\xe9.tar"))
        expected = {f"{readable(source)}::{readable(name)}" for name in NAMES}
    elif kind == "pattern":
        source, expected = photos / "*.png", {readable(photos / name) for name in NAMES}
    else:
        source = photos / os.fsdecode(b"list-\xe9." + kind.encode())
        expected = {readable(photos / name) for name in names}
        cells = [os.fsencode(name) for name in names]
        if kind == "csv":
            source.write_bytes(b"path\n" + b"".join(b'"' + cell + b'"\n' for cell in cells))
        else:
            offsets = np.cumsum([0, *map(len, cells)]).astype(np.int32)
            buffers = [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(cells))]
            column = pa.Array.from_buffers(pa.string(), len(cells), buffers)
            with source.open("wb") as file:
                pq.write_table(pa.table({"path": column}), file)
    assert run("embed", source, tmp_path / "store", "--model", "mini", *MODEL) == 0
    assert sources(tmp_path / "store") == expected


def test_search_prints_them_and_takes_them(
    photos: Path, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    query = photos / NAMES[0]
    assert run("search", store, query, "--json", "--k", 20, "--why", tmp_path / "why") == 0
    hits = json.loads(capsys.readouterr().out)
    assert {hit["source"] for hit in hits["hits"]} == sources(store) - {readable(query)}
    assert len(list((tmp_path / "why").iterdir())) == len(NAMES) - 1
    assert run("search", store, query) == 0
    shown = capsys.readouterr().out
    assert r"\xff\xfe.png" in shown and r"literally-\x5cxe9.png" in shown and "\x1b" not in shown


@pytest.mark.parametrize("said", ["as the shell gives it", "as it was printed"])
def test_search_knows_a_stored_one_without_its_file(tmp_path: Path, said: str) -> None:
    photos = write_photographs(tmp_path / "photos")
    assert run("embed", photos, tmp_path / "store", "--model", "mini", *MODEL) == 0
    path = photos / NAMES[0]
    path.unlink()
    query = path if said.startswith("as the shell") else readable(path)
    assert run("search", tmp_path / "store", query, "--json") == 0


def test_evaluate_labels_them(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    classes = {os.fsdecode(b"caf\xe9"): NAMES[:4], "bar": NAMES[4:]}
    for label, names in classes.items():
        write_photographs(photos / label, names)
    for i, path in enumerate(sorted(photos.rglob("*.png"))):
        path.write_bytes(png(i))  # all different
    assert run("embed", photos, tmp_path / "store", "--model", "mini", *MODEL) == 0
    store, out = tmp_path / "store", tmp_path / os.fsdecode(b"out-\xe9")
    words = ("--poolings", "mean", "--suppressions", "background", "--out", out)
    assert run("evaluate", store, "--labels", "folders", *words) == 0
    assert (out / "page.html").read_text(encoding="utf-8")
    names = [name for name in NAMES if "\n" not in name and name == name.strip()]
    lines = [os.fsencode(f'"{name}",{i % 2}\n') for i, name in enumerate(names)]
    (tmp_path / "labels.csv").write_bytes(b"name,label\n" + b"".join(lines))
    assert run("evaluate", store, "--labels", tmp_path / "labels.csv", *words[:4]) == 0


def test_compare_writes_every_file_in_utf_8(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / os.fsdecode(b"out-\xe9")
    words = ("--models", "pixels", "--grid", 6, "--figures", "png", "--out", out)
    assert run("compare", photos, *words) == 0
    for path in out.rglob("*.*"):
        if path.suffix in (".html", ".json", ".csv", ".md", ".tex"):
            path.read_bytes().decode("utf-8")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert {p["source"] for p in manifest["photographs"]} == {readable(photos / name) for name in NAMES}
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    assert {image["name"] for image in metrics["images"]} == {readable(name) for name in NAMES}
    with (out / "metrics.csv").open(encoding="utf-8", newline="") as file:
        named = {row["image"].removeprefix("'") for row in csv.DictReader(file)}
    assert named == {readable(name) for name in NAMES}
    assert len(list((out / "figures").glob("[0-9]*.png"))) == len(NAMES)


def test_measure_finds_their_masks(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = tmp_path / os.fsdecode(b"masks-\xe9")
    masks.mkdir()
    for name in NAMES:
        labels = np.repeat(np.arange(2, dtype=np.uint8), 32)[None].repeat(48, axis=0)
        Image.fromarray(labels).save(masks / name)
    words = ("measure", photos, "--models", "pixels", "--grid", 6, "--masks", masks)
    assert run(*words, "--json", "--out", tmp_path / "out") == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["failures"] == [] and len(measured["images"]) == len(NAMES)
    assert run(*words, "--json", "--out", tmp_path / "out") == 0  # goes on from its journal
    assert measured == json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("format_", ["safetensors", "npz"])
def test_extract_writes_a_file_for_each(photos: Path, tmp_path: Path, format_: str) -> None:
    out = tmp_path / os.fsdecode(b"out-\xe9")
    words = ("extract", photos, "--model", "pixels", "--grid", 6, "--out", out, "--format", format_)
    assert run(*words) == 0
    names = {read_features(path)[0].provenance.image for path in out.iterdir()}
    assert names == {readable(name) for name in NAMES}


def test_the_search_page_shows_them(photos: Path, store: Path) -> None:
    finder = StoreFinder(open_store(store))
    table = finder.tables()[0].name
    shown = {one.digest: one.name for one in finder.listed(table, 0, 100)}
    assert set(shown.values()) == {readable(name) for name in NAMES}
    for digest, name in shown.items():
        place = NAMES.index(str(path_named(name)))
        np.testing.assert_array_equal(finder.picture(table, digest, 64).pixels, colours(place))


def test_doctor_explains_one(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--explain", "mini", "mini?layer=3", photos / NAMES[0], "--json") == 0
    assert json.loads(capsys.readouterr().out)["photo"] == readable(NAMES[0])


def test_scenes_go_into_such_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"sc\xe9nes")
    assert run("scenes", folder, "--n", 2, "--size", 32) == 0
    assert run("measure", folder / "images", "--models", "pixels", "--grid", 4, "--masks", folder) == 0


def test_a_model_in_such_a_folder(photos: Path, tmp_path: Path) -> None:
    import dinoscope.backbones.bundled as bundled

    weights = tmp_path / os.fsdecode(b"mod\xe9l.safetensors")
    weights.write_bytes((bundled.folder("mini") / "model.safetensors").read_bytes())
    assert run("embed", photos, tmp_path / "store", "--model", weights, *MODEL) == 0
    assert open_store(tmp_path / "store").table().settings.backbone == r"mod\xe9l"
