"""Every reader of what may come from anybody, and the grids and maths behind it, each with whole inputs.

A target takes bytes: readers of files get them in a file, grids and maths read their arguments off them.
"""

from __future__ import annotations

import io
import json
import struct
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.laws import fuzzed
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import InputError
from dinoscope.io.collections.collection import each_item
from dinoscope.io.features import read_features, write_features
from dinoscope.io.foreign_features import read_foreign_features
from dinoscope.io.images import decode_photograph
from dinoscope.io.keypoints import read_keypoints
from dinoscope.io.label_images import read_labels
from dinoscope.io.labels import labels_of
from dinoscope.io.metadata import orientation_in, without_metadata
from dinoscope.io.pixel_range import read_range
from dinoscope.io.tiff import read_tiff
from dinoscope.maths.patches import unit
from dinoscope.maths.pca import merge_moments, patch_moments
from dinoscope.maths.pooling import gem_pool, mean_pool, weighted_pool
from dinoscope.names import path_named, printable, readable, without_secrets

SIZE = (32, 24)


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    Attributes:
        suffix: of the file that it reads; None where it takes the bytes as they are.
        seeds: whole inputs.
        read: raises a `DinoscopeError` or a `BrokenTiffError` of what it refuses, and nothing else.
        share: of all executions, in any unit.
        decodes: whether pixels are made.
        guided: whether its own code is Python, so that coverage can guide it.
        mend: makes checksums fit again, so that a mutation gets past them.
    """

    suffix: str | None
    seeds: Sequence[bytes]
    read: Callable[[Path], object] | Callable[[bytes], object]
    share: float
    decodes: bool = False
    guided: bool = True
    mend: Callable[[bytes], bytes] = bytes


def targets() -> Mapping[str, Target]:
    """By name."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8))
    grey, deep = colour.convert("L"), Image.fromarray(rng.integers(0, 65536, SIZE[::-1]).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    pictures = {
        "jpeg": (("JPEG", colour, {"exif": exif}), ("JPEG", colour, {"progressive": True})),
        "png": (("PNG", colour, {"exif": exif}), ("PNG", colour.convert("P"), {}), ("PNG", deep, {})),
        "webp": (("WEBP", colour, {"exif": exif}), ("WEBP", colour, {"lossless": True})),
        "gif": (("GIF", colour.convert("P"), {"save_all": True, "append_images": [grey.convert("P")]}),),
        "bmp": (("BMP", colour, {}), ("BMP", grey, {})),
        "avif": (("AVIF", colour, {"speed": 10}),),
        "tiff": (
            ("TIFF", colour, {"compression": "tiff_lzw"}),
            ("TIFF", deep, {}),
            ("TIFF", grey, {"big_tiff": True}),
            ("TIFF", colour, {"compression": "jpeg"}),
        ),
    }
    saved = {name: [_saved(*plan) for plan in plans] for name, plans in pictures.items()}
    decoders = {
        name: Target(
            None, files, _decoded, 4, decodes=True, guided=False, mend=_with_sums if name == "png" else bytes
        )
        for name, files in saved.items()
    }
    features = PatchFeatures.from_array(rng.standard_normal((6, 8, 5)), image_size=SIZE, name="m", image="a")
    own = {kind: _written(features, kind) for kind in ("npz", "safetensors")}
    masks = [_saved("PNG", grey, {}), _saved("TIFF", deep, {}), _saved("PNG", colour.convert("P"), {})]
    parquet = _parquet()
    every = [data for files in saved.values() for data in files]
    return {
        **decoders,
        "masks": Target(".png", masks, lambda path: read_labels(path, SIZE), 4, decodes=True, guided=False),
        "tiff-directories": Target(None, saved["tiff"], read_tiff, 240),
        "metadata": Target(None, every, _metadata, 240),
        "names": Target(
            None, [b"caf\xe9 \\xe9.png", b"https://me:pw@host/a?token=1", b"a\x1b[31m"], _names, 160
        ),
        "ranges": Target(None, [b"auto", b"full", b"300,555", b"-1e3,1e308"], _range, 60),
        "grids": Target(
            None, [struct.pack("<4q", 640, 480, 14, 32), struct.pack("<4q", 8, 512, 16, 1)], _grid, 60
        ),
        "maths": Target(None, [rng.standard_normal((6, 4)).astype("<f4").tobytes(), bytes(96)], _maths, 20),
        "laws": Target(None, [rng.bytes(2000) for _ in range(64)], fuzzed, 20, guided=False),
        "npy": Target(
            ".npy", [_npy(np.ones((4, 3), np.float32)), _npy(np.ones((2, 2, 3)))], read_foreign_features, 20
        ),
        "npz": Target(".npz", [own["npz"], _npz()], read_foreign_features, 8),
        "features": Target(".npz", [own["npz"]], read_features, 8),
        "safetensors": Target(".safetensors", [own["safetensors"]], read_features, 12),
        "tar": Target(".tar", [_tar("w"), _tar("w:gz")], _loaded, 4),
        "csv": Target(".csv", [b'path\na.png\n"b,c.png"\n', b"url,label\nfile:x,1\n"], _loaded, 20),
        "labels": Target(".csv", [b"name,label\na.png,cat\nb.png,dog\n"], _labelled, 20),
        "labels-json": Target(".json", [json.dumps({"a.png": "cat"}).encode()], _labelled, 20),
        "keypoints": Target(".csv", [_PAIRS], read_keypoints, 20),
        **({"parquet": Target(".parquet", [parquet], _loaded, 4, guided=False)} if parquet else {}),
    }


_PAIRS = b"source_image,target_image,class,XA,YA,XB,YB\na.png,b.png,1,1;2,3;4,5;6,7;8\n"


def _with_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what is in them now. Source: PNG specification, 5.3."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4])
        parts += [data[place:end], struct.pack(">I", zlib.crc32(data[place + 4 : end]))]
        place = end + 4
    return b"".join([*parts, data[place:]])


def _decoded(data: bytes) -> object:
    return decode_photograph(data, name="x")


def _metadata(data: bytes) -> None:
    without_metadata(data)
    found = orientation_in(data)
    assert 1 <= found <= 8, f"orientation {found}"


def _names(data: bytes) -> None:
    """Text leads back to the file, and nothing of it steers a terminal."""
    name = data.replace(b"\0", b"").decode("utf-8", "surrogateescape")
    text = readable(name)
    text.encode()
    assert str(path_named(text)) == str(Path(name)), "a name that leads to another file"
    shown = printable(without_secrets(text))
    assert shown.isprintable(), "a name that steers the terminal"


def _range(data: bytes) -> None:
    found = read_range(data.decode("latin-1"))
    assert found.kind != "fixed" or found.low < found.high, "an empty range"


def _grid(data: bytes) -> None:
    """A grid covers its photograph, and every place of it has its patch."""
    width, height, patch, side = struct.unpack("<4q", data[:32].ljust(32, b"\1"))
    grid = PatchGrid.fit((width, height), patch, grid=side)
    assert min(grid.shape) >= 1, "no patch"
    for x, y in ((0.0, 0.0), (1.0, 1.0), (0.5, 0.5)):
        row, column = grid.patch_at(x, y)
        assert 0 <= row < grid.h, "a patch outside the grid"
        assert 0 <= column < grid.w, "a patch outside the grid"


def _maths(data: bytes) -> None:
    """Laws of pooling and of moments, for any finite patches."""
    values = np.frombuffer(data[: len(data) // 4 * 4], "<f4")
    values = values[np.isfinite(values) & (np.abs(values) < 1e6)].astype(np.float32)
    rows = len(values) // 4
    if rows < 2:
        return
    patches = values[: 4 * rows].reshape(rows, 4)
    directions = unit(patches.astype(np.float64))
    lengths = np.linalg.norm(directions, axis=1)[np.linalg.norm(patches, axis=1) > 1e-6]
    assert np.all(np.abs(lengths - 1) < 1e-6), "a direction of another length"
    assert np.allclose(weighted_pool(patches, np.ones(rows)), mean_pool(patches), rtol=1e-5, atol=1e-3), (
        "pooling"
    )
    assert np.isfinite(gem_pool(patches)).all(), "a generalised mean that is no number"
    half = rows // 2
    whole, parts = (
        patch_moments(patches),
        merge_moments(patch_moments(patches[:half]), patch_moments(patches[half:])),
    )
    assert whole.n == parts.n, "moments of another number"
    assert np.allclose(whole.mean, parts.mean, rtol=1e-6, atol=1e-3), "moments"


def _saved(kind: str, image: Image.Image, options: Mapping[str, object]) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _written(features: PatchFeatures, kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"own.{kind}"
        write_features(path, {3: features}, format_=kind)  # type: ignore[arg-type]
        return path.read_bytes()


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def _npz() -> bytes:
    out = io.BytesIO()
    np.savez_compressed(out, x=np.ones((4, 4, 3), np.float32))
    return out.getvalue()


def _tar(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name in ("a.png", "deep/b.jpg", "notes.txt"):
            data = _saved("PNG", Image.new("RGB", SIZE), {})
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _parquet() -> bytes:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return b""
    out = io.BytesIO()
    pq.write_table(pa.table({"path": [f"p{i}.png" for i in range(50)]}), out)
    return out.getvalue()


def _loaded(path: Path) -> object:
    items = list(each_item(path))
    for item in items:
        with suppress(InputError):
            item.load()
    return items


def _labelled(path: Path) -> object:
    return labels_of(path, ["/photos/a.png", "/photos/b.png"], ["0", "1"])


def photograph_file(seed: int) -> bytes:
    """A small whole photograph."""
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return _saved("PNG", Image.fromarray(pixels), {})
