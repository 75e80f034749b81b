"""Do damaged files of every kind end in our own error? Seeded mutations of small files, for every reader.

    python -m benchmarks.fuzz [--n 2000] [--seed 0] [--only tiff,npz] [--findings DIR]

Prints, for each reader, how many files were tried and refused, the slowest, and what else was raised; the
first file of each such finding is written to DIR, and it ends with 1. Another seed tries other files.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import DinoscopeError, InputError
from dinoscope.io.collections.collection import each_item
from dinoscope.io.features import read_features, write_features
from dinoscope.io.foreign_features import read_foreign_features
from dinoscope.io.images import decode_photograph
from dinoscope.io.label_images import read_labels
from dinoscope.io.labels import labels_of
from dinoscope.io.tiff import BrokenTiffError, read_tiff

SIZE = (32, 24)
SLOW_S = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """One reader.

    Attributes:
        suffix: of its files.
        seeds: whole files.
        read: raises `InputError` of what it refuses.
    """

    suffix: str
    seeds: Sequence[bytes]
    read: Callable[[Path], object]


@dataclass(slots=True)
class Tally:
    """What came of the files of one reader."""

    tried: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    findings: Counter[str] = field(default_factory=Counter)


def mutated(seed: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, bytes set, numbers made large, parts cut, doubled, swapped, zeroed: one to six times."""
    data = bytearray(seed)
    for _ in range(int(rng.integers(1, 7))):
        if not data:
            break
        place, length = int(rng.integers(len(data))), int(rng.integers(1, 33))
        how = int(rng.integers(8))
        if how == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif how == 1:
            data[place] = int(rng.integers(256))
        elif how == 2:
            large = rng.choice([0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1])
            data[place : place + 4] = int(large).to_bytes(4, str(rng.choice(["little", "big"])))
        elif how == 3:
            del data[place : place + length]
        elif how == 4:
            data[place:place] = data[place : place + length]
        elif how == 5:
            other = int(rng.integers(len(data)))
            data[place : place + length] = data[other : other + length]
        elif how == 6:
            data[place : place + length] = bytes(min(length, len(data) - place))
        else:
            del data[place:]
    return bytes(data)


def targets() -> Mapping[str, Target]:
    """Every reader of files that may come from anybody, with small whole files of its kinds."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (*SIZE[::-1], 3), dtype=np.uint8))
    grey, deep = colour.convert("L"), Image.fromarray(rng.integers(0, 65536, SIZE[::-1]).astype(np.uint16))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    found = {
        "jpeg": _pictures(("JPEG", colour, {"exif": exif}), ("JPEG", colour, {"progressive": True})),
        "png": _pictures(
            ("PNG", colour, {"exif": exif}), ("PNG", colour.convert("P"), {}), ("PNG", deep, {})
        ),
        "webp": _pictures(("WEBP", colour, {"exif": exif}), ("WEBP", colour, {"lossless": True})),
        "gif": _pictures(
            ("GIF", colour.convert("P"), {"save_all": True, "append_images": [grey.convert("P")]})
        ),
        "bmp": _pictures(("BMP", colour, {}), ("BMP", grey, {})),
        "avif": _pictures(("AVIF", colour, {"speed": 10})),
        "tiff": _pictures(
            ("TIFF", colour, {"compression": "tiff_lzw"}),
            ("TIFF", deep, {}),
            ("TIFF", grey, {"big_tiff": True}),
            ("TIFF", colour, {"compression": "jpeg"}),
        ),
    }
    features = PatchFeatures.from_array(rng.standard_normal((6, 8, 5)), image_size=SIZE, name="m", image="a")
    own = {kind: _written(features, kind) for kind in ("npz", "safetensors")}
    masks = [_saved("PNG", grey, {}), _saved("TIFF", deep, {}), _saved("PNG", colour.convert("P"), {})]
    return {
        **found,
        "tiff-directories": Target(".tif", found["tiff"].seeds, _directories),
        "npy": Target(
            ".npy", [_npy(np.ones((4, 3), np.float32)), _npy(np.ones((2, 2, 3)))], read_foreign_features
        ),
        "npz": Target(".npz", [own["npz"], _npz()], read_foreign_features),
        "features": Target(".npz", [own["npz"]], read_features),
        "safetensors": Target(".safetensors", [own["safetensors"]], read_features),
        "masks": Target(".png", masks, lambda path: read_labels(path, SIZE)),
        "tar": Target(".tar", [_tar("w"), _tar("w:gz")], _loaded),
        "csv": Target(".csv", [b'path\na.png\n"b,c.png"\n', b"url,label\nfile:x,1\n"], _loaded),
        "labels": Target(".csv", [b"name,label\na.png,cat\nb.png,dog\n"], _labelled),
        "labels-json": Target(".json", [json.dumps({"a.png": "cat"}).encode()], _labelled),
        **({"parquet": Target(".parquet", [parquet], _loaded)} if (parquet := _parquet()) else {}),
    }


def fuzz(target: Target, n: int, seed: int, work: Path, keep: Callable[[str, bytes], None]) -> Tally:
    """Try ``n`` files; ``keep`` gets the first of each finding."""
    rng = np.random.default_rng(seed)
    tally = Tally()
    path = work / f"at{target.suffix}"
    for _ in range(n):
        data = mutated(target.seeds[int(rng.integers(len(target.seeds)))], rng)
        path.write_bytes(data)
        begun = time.perf_counter()
        try:
            target.read(path)
        except (DinoscopeError, BrokenTiffError):
            tally.refused += 1
        except Exception as error:  # noqa: BLE001 (a finding)
            said = f"{type(error).__name__}: {str(error)[:120]}"
            if said not in tally.findings:
                keep(said, data)
            tally.findings[said] += 1
        passed = time.perf_counter() - begun
        if passed > SLOW_S:
            keep(f"slow: {passed:.1f} s", data)
            tally.findings["slow"] += 1
        tally.slowest_s = max(tally.slowest_s, passed)
        tally.tried += 1
    return tally


def main() -> int:
    """Every target in turn; 1 where there are findings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=2000, help="files for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="readers, separated by commas")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    words = parser.parse_args()
    known = targets()
    chosen = [name for name in words.only.split(",") if name] or list(known)
    bad = total = 0
    warnings.simplefilter("ignore")
    for name in chosen:
        kept = 0

        def keep(said: str, data: bytes, name: str = name) -> None:
            nonlocal kept
            words.findings.mkdir(parents=True, exist_ok=True)
            (words.findings / f"{name}-{words.seed}-{kept}{known[name].suffix}").write_bytes(data)
            print(f"  {name}: {said}", flush=True)
            kept += 1

        with tempfile.TemporaryDirectory() as folder:
            tally = fuzz(known[name], words.n, words.seed, Path(folder), keep)
        bad, total = bad + sum(tally.findings.values()), total + tally.tried
        print(
            f"{name:18} tried {tally.tried:8,}  refused {tally.refused:8,}  slowest {tally.slowest_s:6.3f} s"
            f"  findings {sum(tally.findings.values())}",
            flush=True,
        )
    print(f"tried {total:,}, findings {bad}")
    return int(bad > 0)


def _saved(kind: str, image: Image.Image, options: Mapping[str, object]) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)  # type: ignore[arg-type]
    return out.getvalue()


def _pictures(*plans: tuple[str, Image.Image, Mapping[str, object]]) -> Target:
    def read(path: Path) -> object:
        return decode_photograph(path.read_bytes(), name=path.name)

    return Target(".img", [_saved(*plan) for plan in plans], read)


def _directories(path: Path) -> object:
    return read_tiff(path.read_bytes())


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


if __name__ == "__main__":
    raise SystemExit(main())
