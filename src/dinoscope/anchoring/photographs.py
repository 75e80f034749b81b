"""Training photographs, decoded once and kept as 8 bits in a file that is mapped into memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dinoscope.anchoring.checks import require
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import ImageError, InputError, NoUsablePhotographError
from dinoscope.io.collections.archives import TAR_SUFFIXES
from dinoscope.io.collections.collection import each_item
from dinoscope.io.images import read_photograph
from dinoscope.io.sources import photograph_paths
from dinoscope.names import readable

DEMO = frozenset(
    {
        "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb",
        "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5",
        "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7",
        "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c",
        "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179",
        "a77f6ec41e353afdf8bdff2ea981b2955535d8d83294f8cfa49cf4e423dd5638",
    }
)
"""Digests of the demo's photographs: what is shown must not have been learnt."""

Photographs = str | Path | Sequence[str | Path]
"""A folder, or several folders, tar files and photographs."""


class Packed(Sequence[UInt8[np.ndarray, "_ _ 3"]]):
    """Pictures of any size, one behind the other in a temporary file that nobody else sees.

    Mapped into memory, so that tens of thousands of them need not fit there; gone with this value. What it
    gives are views, read-only.
    """

    def __init__(self, pictures: Iterator[UInt8[np.ndarray, "_ _ 3"]]) -> None:
        self._sizes: list[tuple[int, int]] = []
        with tempfile.TemporaryFile(prefix="dinoscope-") as file:
            for picture in pictures:
                self._sizes.append(picture.shape[:2])
                file.write(np.ascontiguousarray(picture).data)
            file.flush()
            self._flat = np.memmap(file, np.uint8, "r") if self._sizes else np.zeros(0, np.uint8)
        self._ends = np.cumsum([3 * h * w for h, w in self._sizes], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._sizes)

    def __getitem__(self, i: int) -> UInt8[np.ndarray, "_ _ 3"]:  # type: ignore[override]  # no slices
        height, width = self._sizes[i]
        end = int(self._ends[i])
        return self._flat[end - 3 * height * width : end].reshape(height, width, 3)


@dataclass(frozen=True, slots=True, eq=False)
class PhotographMemory:
    """Photographs to train on.

    Attributes:
        names: of the files, in order.
        pixels: upright RGB, each of its own size, read-only.
        digest: sha256 over the digests of all files in order: the same photographs, the same digest.
        failures: files that could not be read, and are left out.
    """

    names: tuple[str, ...]
    pixels: Sequence[UInt8[np.ndarray, "_ _ 3"]]
    digest: str
    failures: tuple[Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


def listed(sources: Photographs) -> list[Path]:
    """The sources, one by one."""
    return [Path(sources)] if isinstance(sources, str | Path) else [Path(source) for source in sources]


def read_memory(sources: Photographs, *, batch: int, crop_px: int, memory_px: int) -> PhotographMemory:
    """Read photographs, in the order of the sources, by name inside a folder and as they come inside a tar.

    Args:
        sources: a folder, or several folders, tar files and photographs.
        batch: how many are needed at least.
        crop_px: shortest side a photograph may have.
        memory_px: larger ones are reduced to this short side; 0 keeps them. The temporary file takes about
            ``4 * memory_px²`` bytes for each.

    Raises:
        NoUsablePhotographError: none can be read.
        InputError: no such folder, fewer than a batch, smaller than a crop, all the same picture, or
            photographs of the demo among them.
    """
    wanted = listed(sources)
    for source in wanted:
        if not os.path.exists(source):
            raise InputError(f"{str(source)!r} is neither a folder of photographs nor a photograph")
    failures: list[Failure] = []
    names: list[str] = []
    digests: list[str] = []
    too_small: list[str] = []

    def pictures() -> Iterator[UInt8[np.ndarray, "_ _ 3"]]:
        for place, load in _places(wanted, failures):
            try:
                photograph = load()
            except ImageError as error:
                failures.append(Failure(place, error.reason))
                continue
            require(
                photograph.digest not in DEMO,
                f"{place!r} is one of the demo's photographs, on which networks are shown: take it out",
            )
            if min(photograph.size) < crop_px:
                too_small.append(f"{photograph.name} ({photograph.size[0]}x{photograph.size[1]})")
            names.append(photograph.name)
            digests.append(photograph.digest)
            yield _reduced(photograph, memory_px).pixels

    pixels = Packed(pictures())
    if not names:
        reasons = "; ".join(f"{f.source}: {f.reason}" for f in failures[:3])
        raise NoUsablePhotographError(f"no photograph in {_named(wanted)} can be used: {reasons}")
    require(
        not too_small,
        f"{len(too_small)} photographs are smaller than a crop of {crop_px} px on their short side: "
        f"{', '.join(too_small[:5])}{', ...' if len(too_small) > 5 else ''}; take them out, or ask for "
        "smaller crops",
    )
    require(
        len(names) >= batch,
        f"{len(names)} photographs are fewer than a batch of {batch}; give more, or a smaller batch",
    )
    # Files that differ may decode to one picture, so the pixels are compared, not the files.
    require(
        any(not np.array_equal(pixels[0], pixels[i]) for i in range(1, len(names))),
        f"all {len(names)} photographs are the same picture: there is nothing to tell apart",
    )
    return PhotographMemory(
        names=tuple(names),
        pixels=pixels,
        digest=hashlib.sha256("\n".join([*digests, str(memory_px)]).encode()).hexdigest(),
        failures=tuple(failures),
    )


def _places(
    sources: Sequence[Path], failures: list[Failure]
) -> Iterator[tuple[str, Callable[[], Photograph]]]:
    """Where each photograph is, and what reads it; sources without any are added to ``failures``."""
    for source in sources:
        if os.path.isfile(source) and source.name.lower().endswith(TAR_SUFFIXES):
            for item in each_item(source):
                yield item.source, item.load
            continue
        paths, failed = photograph_paths([source])
        failures.extend(failed)
        for path in paths:
            yield readable(path), partial(read_photograph, path)


def _named(sources: Sequence[Path]) -> str:
    return ", ".join(repr(str(source)) for source in sources[:3]) + (", ..." if len(sources) > 3 else "")


def _reduced(photograph: Photograph, memory_px: int) -> Photograph:
    width, height = photograph.size
    short = min(width, height)
    if not memory_px or short <= memory_px:
        return photograph
    size = (
        max(memory_px, round(width * memory_px / short)),
        max(memory_px, round(height * memory_px / short)),
    )
    image = Image.fromarray(np.asarray(photograph.pixels)).resize(size, Image.Resampling.LANCZOS)
    return replace(photograph, pixels=np.asarray(image))
