"""Files that are cut, flipped, lying, of another kind, or none at all: our own error, which names them."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import ImageError, InputError
from dinoscope.io.collections.collection import each_item
from dinoscope.io.features import read_features, write_features
from dinoscope.io.foreign_features import read_foreign_features
from dinoscope.io.label_images import read_labels
from dinoscope.io.labels import labels_of
from dinoscope.io.region_mask import read_region_mask
from tests.hostile import bombs
from tests.hostile.files import png

GOOD = np.random.default_rng(0).standard_normal((6, 8, 5)).astype(np.float32)
SIZE = (64, 48)


def npy_of(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def npz_of(**arrays: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    return out.getvalue()


RAGGED = np.empty(2, object)
RAGGED[0], RAGGED[1] = np.zeros(3), np.zeros(4)

ARRAYS: dict[str, bytes] = {
    "empty": b"",
    "text": b"1.0 2.0 3.0\n",
    "magic-alone": b"\x93NUMPY",
    "version-9": bombs.npy("(2, 3)", version=b"\x09\0"),
    "no-dictionary": b"\x93NUMPY\1\0\4\0None",
    "header-of-code": b"\x93NUMPY\1\0\x20\0" + b"__import__('os').getcwd()".ljust(32),
    "cut": npy_of(GOOD)[:-100],
    "claims-a-terabyte": bombs.npy("(1000000, 1000000)"),
    "claims-2**70": bombs.npy("(1180591620717411303424, 2)"),
    "claims-negative": bombs.npy("(-3, 5)", body=bytes(60)),
    "one-too-many": bombs.npy("(6, 11)", body=bytes(6 * 10 * 4)),
    "objects": npy_of(RAGGED),
    "pickle": pickle.dumps(GOOD),
    "complex": npy_of(GOOD.astype(np.complex64)),
    "text-array": npy_of(np.array([["a", "b"], ["c", "d"]])),
    "structured": npy_of(np.zeros((3, 4), [("x", "f4"), ("y", "f4")])),
    "dates": npy_of(np.zeros((3, 4), "datetime64[s]")),
    "nan": npy_of(np.full_like(GOOD, np.nan)),
    "beyond-float32": npy_of(GOOD.astype(np.float64) * 1e300),
    "scalar": npy_of(np.float32(3)),
    "one-axis": npy_of(np.zeros(7, np.float32)),
    "five-axes": npy_of(np.zeros((2, 2, 2, 2, 2), np.float32)),
    "no-patches": npy_of(np.zeros((0, 5), np.float32)),
    "npz-inside": npz_of(x=GOOD),
    "png-inside": png(0),
}


def named(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def refused(read: Callable[[], object], name: str) -> None:
    with pytest.raises(InputError) as caught:
        read()
    assert name in str(caught.value)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize("kind", sorted(ARRAYS))
def test_arrays_of_features(tmp_path: Path, kind: str) -> None:
    path = named(tmp_path, "theirs.npy", ARRAYS[kind])
    refused(lambda: read_foreign_features(path), "theirs.npy")


@pytest.mark.parametrize("kind", sorted(ARRAYS))
def test_arrays_of_labels(tmp_path: Path, kind: str) -> None:
    path = named(tmp_path, "mask.npy", ARRAYS[kind])
    with pytest.raises(ImageError, match=r"mask\.npy"):
        read_labels(path, SIZE)


@pytest.mark.parametrize("kind", sorted(set(ARRAYS) - {"npz-inside"}))
def test_archives_of_features(tmp_path: Path, kind: str) -> None:
    path = named(tmp_path, "bare.npz", ARRAYS[kind])
    refused(lambda: read_foreign_features(path), "bare.npz")
    path = named(tmp_path, "theirs.npz", bombs.npz(x=ARRAYS[kind]))
    refused(lambda: read_foreign_features(path, key="x"), "theirs.npz")


def test_an_archive_that_unpacks_to_more_than_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dinoscope.io.arrays.ARRAY_BYTES", 2**22)
    data = bombs.npz_of_zeros(2**22 + 2**20)
    assert len(data) < 2**14
    path = named(tmp_path, "zeros.npz", data)
    refused(lambda: read_foreign_features(path), "zeros.npz")


def test_an_archive_of_members_without_end(tmp_path: Path) -> None:
    path = named(tmp_path, "many.npz", bombs.npz_of_many(300))
    refused(lambda: read_foreign_features(path), "many.npz")


def own_file(folder: Path, format_: str) -> Path:
    features = PatchFeatures.from_array(GOOD, image_size=SIZE, name="mini", image="a.png")
    path = folder / f"own.{format_}"
    write_features(path, {3: features}, format_=format_)  # type: ignore[arg-type]
    return path


HEADERS: dict[str, Callable[[dict], object]] = {
    "no-version": lambda h: h.pop("format_version"),
    "text-version": lambda h: h.update(format_version="1"),
    "newer": lambda h: h.update(format_version=99),
    "layers-a-list": lambda h: h.update(layers=[1, 2]),
    "layer-a-word": lambda h: h.update(layers={"last": h["layers"]["3"]}),
    "layer-not-there": lambda h: h.update(layers={"7": h["layers"]["3"]}),
    "no-grid": lambda h: h["layers"]["3"].pop("grid"),
    "grid-of-text": lambda h: h["layers"]["3"]["grid"].update(h="6"),
    "grid-of-floats": lambda h: h["layers"]["3"]["grid"].update(h=6.0),
    "grid-too-large": lambda h: h["layers"]["3"]["grid"].update(h=7),
    "grid-negative": lambda h: h["layers"]["3"]["grid"].update(h=-6),
    "image-of-nothing": lambda h: h["layers"]["3"]["grid"].update(image_size=[0, 0]),
    "image-of-one-side": lambda h: h["layers"]["3"]["grid"].update(image_size=[64]),
    "unknown-word": lambda h: h["layers"]["3"]["grid"].update(depth=3),
    "no-provenance": lambda h: h["layers"]["3"].pop("provenance"),
    "name-a-number": lambda h: h["layers"]["3"]["provenance"].update(image=7),
    "backbone-a-list": lambda h: h["layers"]["3"]["provenance"].update(backbone=["x"]),
}


@pytest.mark.parametrize("format_", ["npz", "safetensors"])
@pytest.mark.parametrize("change", sorted(HEADERS))
def test_own_files_with_other_words(tmp_path: Path, change: str, format_: str) -> None:
    path = own_file(tmp_path, format_)
    if format_ == "npz":
        with np.load(path) as archive:
            arrays = dict(archive)
        header = json.loads(str(arrays.pop("dinoscope")))
        HEADERS[change](header)
        np.savez(path, dinoscope=np.array(json.dumps(header)), **arrays)
    else:
        from safetensors import safe_open
        from safetensors.numpy import save_file

        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()["dinoscope"])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no dict)
        HEADERS[change](header)
        save_file(arrays, path, metadata={"dinoscope": json.dumps(header)})
    refused(lambda: read_features(path), path.name)


@pytest.mark.parametrize("format_", ["npz", "safetensors"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_own_files_that_are_cut(tmp_path: Path, format_: str, part: float) -> None:
    path = own_file(tmp_path, format_)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(lambda: read_features(path), path.name)


MASKS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"no mask",
    "zip": lambda: npz_of(x=GOOD),
    "cut": lambda: png(0)[:200],
    "colours": lambda: png(0),
    "float": lambda: _tiff(np.ones((48, 64), np.float32)),
    "13000-wide": lambda: bombs.png(13_000, 13_000, colours=0, depth=16, rows=False),
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n",
    "svg": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='48'/>",
}


def _tiff(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "TIFF")
    return out.getvalue()


@pytest.mark.parametrize("kind", sorted(MASKS))
def test_masks_that_are_none(tmp_path: Path, kind: str) -> None:
    path = named(tmp_path, "mask.png", MASKS[kind]())
    with pytest.raises(ImageError, match=r"mask\.png"):
        read_labels(path, SIZE)
    with pytest.raises(ImageError, match=r"mask\.png"):
        read_region_mask(path, SIZE)


ENDLESS = ("pipe", "zero", "random", "socket", "folder", "terabyte")


def endless(folder: Path, kind: str, name: str) -> Path:
    """A file that never ends, or never begins."""
    path = folder / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        import socket

        listener = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(folder)  # its whole path may be too long
        listener.bind(name)
        os.chdir(here)
        listener.close()
    elif kind == "folder":
        path.mkdir()
    elif kind == "terabyte":
        bombs.sparse(path, 2**40)
    else:
        path.symlink_to("/dev/zero" if kind == "zero" else "/dev/urandom")
    return path


READERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "features": ("f.npy", read_foreign_features),
    "archive": ("f.npz", read_foreign_features),
    "own": ("f.safetensors", read_features),
    "labels": ("m.npy", lambda p: read_labels(p, SIZE)),
    "label-image": ("m.png", lambda p: read_labels(p, SIZE)),
    "region": ("m.png", lambda p: read_region_mask(p, SIZE)),
    "photograph": ("p.png", lambda p: [item.load() for item in each_item(p)]),
    "table": ("t.csv", lambda p: [item.load() for item in each_item(p)]),
    "parquet": ("t.parquet", lambda p: [item.load() for item in each_item(p)]),
    "tar": ("t.tar", lambda p: [item.load() for item in each_item(p)]),
    "classes": ("l.csv", lambda p: labels_of(p, ["a.png"], ["0"])),
    "classes-json": ("l.json", lambda p: labels_of(p, ["a.png"], ["0"])),
}


@pytest.mark.parametrize("kind", ENDLESS)
@pytest.mark.parametrize("reader", sorted(READERS))
def test_what_never_ends_is_not_opened(tmp_path: Path, kind: str, reader: str) -> None:
    name, read = READERS[reader]
    path = endless(tmp_path, kind, name)
    refused(lambda: read(path), name)


TARS: dict[str, bytes] = {
    "claims-a-terabyte": bombs.tar(10**12, good=png(0)),
    "claims-two-gigabytes": bombs.tar(2**31, good=png(0)),
    "more-than-there-is": bombs.tar(100_000, good=png(0)),
    "long-name": bombs.tar(10**11, kind=tarfile.GNUTYPE_LONGNAME, good=png(0)),
    "pax-header": bombs.tar(10**10, kind=tarfile.XHDTYPE, good=png(0)),
    "other-file": bombs.tar(10**12, name="film.mp4", good=png(0)),
}


@pytest.mark.parametrize("how", ["tar", "tar.gz"])
@pytest.mark.parametrize("kind", sorted(TARS))
def test_archives_that_claim_what_they_do_not_hold(tmp_path: Path, kind: str, how: str) -> None:
    data = TARS[kind] if how == "tar" else bombs.packed(TARS[kind])
    path = named(tmp_path, f"photos.{how}", data)
    good, *rest = each_item(path)
    assert good.load().name == "good.png"
    for item in rest:
        refused(item.load, "photos.tar")


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b", b"BZh9", b"\xfd7zXZ\0\0", b"PK\3\4", bytes(2000), png(0)])
def test_archives_that_are_none(tmp_path: Path, data: bytes) -> None:
    path = named(tmp_path, "photos.tar.gz", data)
    with pytest.raises(InputError, match=r"photos\.tar\.gz|tar"):
        [item.load() for item in each_item(path)]


LABELS: dict[str, tuple[str, bytes]] = {
    "deep-json": ("l.json", b"[" * 100_000),
    "list-json": ("l.json", b"[1, 2]"),
    "number-json": ("l.json", b'{"a.png": 3}'),
    "cut-json": ("l.json", b'{"a.png": "ca'),
    "nul-csv": ("l.csv", b"name,label\na.png\0,cat\n"),
    "giant-csv": ("l.csv", b"name,label\na.png," + b"x" * 200_000 + b"\n"),
    "no-header": ("l.csv", b"1,2\n3,4\n"),
    "many-columns": ("l.csv", b",".join(b"c%d" % i for i in range(20_000)) + b"\n"),
    "empty": ("l.csv", b""),
    "picture": ("l.csv", png(0)),
}


@pytest.mark.parametrize("kind", sorted(LABELS))
def test_labels_that_are_none(tmp_path: Path, kind: str) -> None:
    name, data = LABELS[kind]
    path = named(tmp_path, name, data)
    with pytest.raises(InputError) as caught:
        labels_of(path, ["/photos/a.png"], ["0"])
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("seed", range(12))
def test_parquet_with_flipped_bytes(tmp_path: Path, seed: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"path": [f"p{i}.png" for i in range(400)]}), tmp_path / "t.parquet")
    data = bytearray((tmp_path / "t.parquet").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(4, len(data) - 8, 1 + seed):
        data[place] ^= int(rng.integers(1, 256))
    path = named(tmp_path, "t.parquet", bytes(data))
    said = []
    try:
        for item in each_item(path):  # from here on unreadable: an item, too
            refused(item.load, "p")
    except InputError as error:
        said.append(str(error))
    assert all("t.parquet" in words for words in said)


_EVERY_BYTE = """
import sys
from pathlib import Path
from dinoscope.errors import DinoscopeError
from dinoscope.io.collections.collection import each_item

path = Path(sys.argv[1])
data = path.read_bytes()
for place in range(len(data)):
    for value in (0, 1, 2, data[place] ^ 0x10, 0xFF):
        path.write_bytes(data[:place] + bytes([value]) + data[place + 1 :])
        try:
            list(each_item(path))
        except DinoscopeError:
            pass
"""


def test_no_byte_of_a_parquet_file_ends_the_process(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"path": ["p0.png", "p1.png"]}), tmp_path / "t.parquet")
    command = [sys.executable, "-c", _EVERY_BYTE, str(tmp_path / "t.parquet")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
