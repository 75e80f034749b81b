"""Photographs and names that have stopped programs."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = tuple(
    os.fsdecode(name)
    for name in (
        b"latin-\xe9t\xe9.png",
        b"\xff\xfe.png",
        b"half-\xc3.png",
        rb"literally-\xe9.png",
        "combining-e\u0301.png".encode(),
        b" leading and trailing .png",
        b"percent-%E9 #1?.png",
        b"-dash.png",
        b"new\nline\x1b[31m.png",
    )
)
"""As Linux has them; `os.fsdecode` gives what Python sees. The fourth looks like the first, escaped."""

LONG = "n" * 300 + ".png"


def colours(seed: int, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    """Smooth colours, H W 3."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))


def png(seed: int) -> bytes:
    """A photograph's file."""
    out = io.BytesIO()
    Image.fromarray(colours(seed)).save(out, "PNG")
    return out.getvalue()


def write_photographs(folder: Path, names: tuple[str, ...] = NAMES) -> Path:
    """One a name, each another picture."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names):
        (folder / name).write_bytes(png(i))
    return folder


def write_tar(path: Path, names: tuple[str, ...] = NAMES) -> Path:
    """The same photographs as members."""
    with tarfile.open(path, "w") as archive:
        for i, name in enumerate(names):
            data = png(i)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path
