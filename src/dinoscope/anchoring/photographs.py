"""Training photographs, decoded once and kept in memory as 8 bits."""

from __future__ import annotations

import hashlib
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


def read_memory(folder: str | Path, *, batch: int, crop_px: int, memory_px: int) -> PhotographMemory:
    """Read the photographs directly inside a folder, by name.

    Args:
        folder: of photographs.
        batch: how many are needed at least.
        crop_px: shortest side a photograph may have.
        memory_px: larger ones are reduced to this short side; 0 keeps them. Memory is about
            ``4 * memory_px²`` bytes for each.

    Raises:
        NoUsablePhotographError: none can be read.
        InputError: not a folder, fewer than a batch, smaller than a crop, or all the same picture.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{str(folder)!r} is not a folder of photographs")
    paths, failures = photograph_paths([folder])
    photographs: list[Photograph] = []
    too_small: list[str] = []
    for path in paths:
        try:
            photograph = read_photograph(path)
        except ImageError as error:
            failures.append(Failure(str(path), error.reason))
            continue
        if min(photograph.size) < crop_px:
            too_small.append(f"{photograph.name} ({photograph.size[0]}x{photograph.size[1]})")
        photographs.append(_reduced(photograph, memory_px))
    if not photographs:
        reasons = "; ".join(f"{f.source}: {f.reason}" for f in failures[:3])
        raise NoUsablePhotographError(f"no photograph in {str(folder)!r} can be used: {reasons}")
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
