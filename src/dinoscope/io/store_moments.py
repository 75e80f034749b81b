"""What a table remembers of all its patches: exact moments, in step with the rows.

The moments of everything a writer has committed lie in one file, written under the number of the batch
just before its rows are appended; the newest batch number among the writer's rows says which file counts.
So a writer that is killed between the two leaves a file that nobody reads.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from dinoscope.atomic import write_whole
from dinoscope.errors import CorruptStoreError
from dinoscope.maths.pca import PatchMoments, with_sample

SAMPLE = 1024
"""Patches kept for the colour limits of a basis: those with the smallest keys, as in `PatchMoments`."""


def smaller_sample(moments: PatchMoments) -> PatchMoments:
    """The same moments with at most `SAMPLE` sampled patches."""
    return with_sample(moments, SAMPLE)


def moments_bytes(moments: PatchMoments) -> int:
    """Memory of the arrays."""
    return sum(part.nbytes for part in (moments.scatter, moments.mean, *moments.sample, *moments.keys))


def write_moments(folder: Path, session: str, batch: int, moments: PatchMoments) -> None:
    """Write a writer's moments up to and with a batch."""
    from safetensors.numpy import save

    arrays = {
        "n": np.array([moments.n], np.int64),
        "mean": moments.mean,
        "scatter": np.ascontiguousarray(moments.scatter),
        "sample": np.concatenate(moments.sample),
        "keys": np.concatenate(moments.keys),
    }

    def write(file: BinaryIO) -> None:
        file.write(save(arrays))

    write_whole(_path(folder, session, batch), write)


def read_moments(folder: Path, session: str, batch: int) -> PatchMoments:
    """A writer's moments up to and with a batch.

    Raises:
        CorruptStoreError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = _path(folder, session, batch)
    try:
        arrays = load_file(path)
        return PatchMoments(
            n=int(arrays["n"][0]),
            mean=arrays["mean"],
            scatter=arrays["scatter"],
            sample=(arrays["sample"],),
            keys=(arrays["keys"],),
            normalised=False,
        )
    except (OSError, SafetensorError, KeyError) as error:
        raise CorruptStoreError(
            f"the statistics file {str(path)!r} is missing or damaged, and they cannot be had from the rows: "
            "put it back from a copy, or delete the table's folder and embed again"
        ) from error


def remove_other_moments(folder: Path, session: str, batch: int) -> None:
    """Remove the writer's files of every other batch."""
    for path in (folder / "moments").glob("*.safetensors"):
        match = re.fullmatch(r"(.+)\.(\d+)", path.stem)
        if match and match[1] == session and int(match[2]) != batch:
            path.unlink(missing_ok=True)


def _path(folder: Path, session: str, batch: int) -> Path:
    return folder / "moments" / f"{session}.{batch:08d}.safetensors"
