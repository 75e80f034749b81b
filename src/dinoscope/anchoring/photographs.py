"""Training photographs, decoded once and kept in memory as 8 bits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from dinoscope.anchoring.checks import require
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import ImageError, InputError, NoUsablePhotographError
from dinoscope.io.images import read_photograph
from dinoscope.io.sources import photograph_paths

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
"""A folder, or several folders and files."""


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
    pixels: tuple[UInt8[np.ndarray, "_ _ 3"], ...]
    digest: str
    failures: tuple[Failure, ...] = ()

    def __len__(self) -> int:
        return len(self.pixels)


def listed(sources: Photographs) -> list[Path]:
    """The sources, one by one."""
    return [Path(sources)] if isinstance(sources, str | Path) else [Path(source) for source in sources]


def read_memory(sources: Photographs, *, batch: int, crop_px: int, memory_px: int) -> PhotographMemory:
    """Read photographs, in the order of the sources and by name inside a folder.

    Args:
        sources: a folder, or several folders and files.
        batch: how many are needed at least.
        crop_px: shortest side a photograph may have.
        memory_px: larger ones are reduced to this short side; 0 keeps them. Memory is about
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
    paths, failures = photograph_paths(wanted)
    photographs: list[Photograph] = []
    too_small: list[str] = []
    for path in paths:
        try:
            photograph = read_photograph(path)
        except ImageError as error:
            failures.append(Failure(error.source, error.reason))
            continue
        require(
            photograph.digest not in DEMO,
            f"{str(path)!r} is one of the demo's photographs, on which networks are shown: take it out",
        )
        if min(photograph.size) < crop_px:
            too_small.append(f"{photograph.name} ({photograph.size[0]}x{photograph.size[1]})")
        photographs.append(_reduced(photograph, memory_px))
    if not photographs:
        reasons = "; ".join(f"{f.source}: {f.reason}" for f in failures[:3])
        raise NoUsablePhotographError(f"no photograph in {_named(wanted)} can be used: {reasons}")
    require(
        not too_small,
        f"{len(too_small)} photographs are smaller than a crop of {crop_px} px on their short side: "
        f"{', '.join(too_small[:5])}{', ...' if len(too_small) > 5 else ''}; take them out, or ask for "
        "smaller crops",
    )
    require(
        len(photographs) >= batch,
        f"{len(photographs)} photographs are fewer than a batch of {batch}; give more, or a smaller batch",
    )
    digests = [photograph.digest for photograph in photographs]
    # Files that differ may decode to one picture, so the pixels are compared, not the files.
    first = photographs[0].pixels
    require(
        any(not np.array_equal(first, photograph.pixels) for photograph in photographs[1:]),
        f"all {len(photographs)} photographs are the same picture: there is nothing to tell apart",
    )
    return PhotographMemory(
        names=tuple(photograph.name for photograph in photographs),
        pixels=tuple(photograph.pixels for photograph in photographs),
        digest=hashlib.sha256("\n".join([*digests, str(memory_px)]).encode()).hexdigest(),
        failures=tuple(failures),
    )


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
    return Photograph(
        name=photograph.name,
        digest=photograph.digest,
        size=photograph.size,
        pixels=np.asarray(image),
        notes=photograph.notes,
        source=photograph.source,
    )
