"""How much one input may take: every stated limit of what comes in files and over the web.

They are checked on what an input says of itself, before it is decoded, and held while it is read.
"""

from __future__ import annotations

import errno
import stat
from pathlib import Path

from dinoscope.names import readable

DECODED_BYTES = 2**30
"""A photograph or a label image: its file, together with everything that its decoder holds at once."""

ARRAY_BYTES = 2**30
"""All arrays that are read of one ``.npy``, ``.npz`` or ``.safetensors`` file of features."""

TEXT_BYTES = 256 * 2**20
"""A list, a table of labels, or any other file of text."""

MEMBER_BYTES = 2**30
"""A photograph in an archive, or a cell of a Parquet file, before it is decoded."""

SKIPPED_BYTES = 64 * 2**30
"""A member of a compressed archive that is no photograph: all of it is unpacked to get past it."""

FETCHED_BYTES = 256 * 2**20
"""A photograph behind a URL."""

FETCH_S = 120.0
"""The whole answer of a URL."""

LONGEST_TO_SHORTEST = 64
"""Sides of a photograph: of a thinner one the grid would be long beyond use."""

SCANS = 256
"""Most scans of a progressive JPEG, each of which goes over the whole picture; an ordinary one has 10."""


def file_size(path: Path, limit_bytes: int) -> int:
    """Bytes in an ordinary file that is not too large to be read; nothing is opened.

    Raises:
        OSError: no ordinary file (a pipe or a device may never end), or too large.
    """
    facts = path.stat()
    if not stat.S_ISREG(facts.st_mode):
        what = "a folder" if stat.S_ISDIR(facts.st_mode) else "a pipe, a device or the like"
        raise OSError(errno.EINVAL, f"not a regular file but {what}", readable(path))
    if facts.st_size > limit_bytes:
        reason = f"{in_units(facts.st_size)}, more than the {in_units(limit_bytes)} that are read"
        raise OSError(errno.EFBIG, reason, readable(path))
    return facts.st_size


def read_text(path: Path, *, errors: str = "strict") -> str:
    """The UTF-8 text of an ordinary file of at most `TEXT_BYTES`.

    Raises:
        OSError: as `file_size`, or it cannot be read.
        ValueError: not UTF-8.
    """
    file_size(path, TEXT_BYTES)
    return path.read_text(encoding="utf-8-sig", errors=errors)


def in_units(n_bytes: int) -> str:
    """A size in words.

    >>> in_units(2**30), in_units(1536 * 1024), in_units(12)
    ('1.0 GiB', '1.5 MiB', '12 bytes')
    """
    for unit, name in ((2**30, "GiB"), (2**20, "MiB")):
        if n_bytes >= unit:
            return f"{n_bytes / unit:,.1f} {name}"
    return f"{n_bytes:,} bytes"
