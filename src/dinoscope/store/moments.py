"""What a table remembers of all its patches: exact moments, in step with the rows.

The moments of everything a writer has committed lie in one file, written under the number of the batch
before its rows are appended; the newest batch number among the writer's rows says which file counts.
So a writer that is killed between the two leaves a file that nobody reads. They are added up and written
before the writer asks for the right to commit, and again only where another shard overtook a row of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dinoscope.atomic import write_bytes
from dinoscope.errors import CorruptStoreError, InputError, ShapeError
from dinoscope.maths.pca import PatchMoments, with_sample
from dinoscope.store.digests import check_whole

SAMPLE = 1024
"""Patches kept for the colour limits of a basis: those with the smallest keys, as in `PatchMoments`."""


def smaller_sample(moments: PatchMoments) -> PatchMoments:
    """Moments with at most `SAMPLE` sampled patches."""
    return with_sample(moments, SAMPLE)


class MomentsSum:
    """Moments of photographs added one by one, in place: the same to the last bit wherever it is cut.

    A sum that is written, read and gone on with has the same bits as one that never stopped, so that a run
    that was killed ends as if nothing had happened.
    """

    def __init__(self, start: PatchMoments | None = None) -> None:
        self._n = 0 if start is None else start.n
        self._mean = np.zeros(0) if start is None else start.mean.copy()
        self._scatter = np.zeros((0, 0)) if start is None else start.scatter.copy()
        self._sample = [] if start is None else list(start.sample)
        self._keys = [] if start is None else list(start.keys)
        self._trim()

    def add(self, part: PatchMoments) -> None:
        """Take one photograph's moments of patches as they are.

        Source: Chan, Golub & LeVeque, Updating formulae and a pairwise algorithm for computing sample
        variances (1979), in matrix form.

        Raises:
            ShapeError: other channels.
        """
        from scipy.linalg.blas import dger

        if not self._n:
            self._mean, self._scatter = np.zeros_like(part.mean), np.zeros_like(part.scatter)
        if part.mean.shape != self._mean.shape:
            raise ShapeError("moments", expected=f"dim={len(self._mean)}", actual=part.mean.shape)
        n = self._n + part.n
        shift = part.mean - self._mean
        self._scatter += part.scatter
        factor = self._n * part.n / n
        self._scatter = dger(factor, shift, shift, a=self._scatter.T, overwrite_a=1).T  # in place
        self._mean += shift * (part.n / n)
        self._n = n
        for sample, keys in zip(part.sample, part.keys, strict=True):
            smaller = keys < self._largest
            self._sample.append(sample[smaller])
            self._keys.append(keys[smaller])
        if sum(map(len, self._keys)) > 2 * SAMPLE:
            self._trim()

    def value(self) -> PatchMoments:
        """What was added so far, to be written at once: its arrays are those of the sum.

        Raises:
            InputError: nothing was.
        """
        if not self._n:
            raise InputError("a commit needs at least one row")
        self._trim()
        return PatchMoments(
            self._n, self._mean, self._scatter, tuple(self._sample), tuple(self._keys), normalised=False
        )

    def _trim(self) -> None:
        """Keep the patches of smallest keys, of equal ones those that came first."""
        if self._keys:
            keys = np.concatenate(self._keys)
            kept = np.argsort(keys, kind="stable")[:SAMPLE]
            self._sample, self._keys = [np.concatenate(self._sample)[kept]], [keys[kept]]
        full = bool(self._keys) and len(self._keys[0]) == SAMPLE
        self._largest = self._keys[0][-1] if full else np.uint64(2**64 - 1)


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
    write_bytes(moments_path(folder, session, batch), save(arrays))


def read_moments(folder: Path, session: str, batch: int) -> PatchMoments:
    """A writer's moments up to and with a batch.

    Raises:
        CorruptStoreError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = moments_path(folder, session, batch)
    check_whole(folder, [path])
    try:
        arrays = load_file(path)
        _check_arrays(arrays)
        return PatchMoments(
            n=int(arrays["n"][0]),
            mean=arrays["mean"],
            scatter=arrays["scatter"],
            sample=(arrays["sample"],),
            keys=(arrays["keys"],),
            normalised=False,
        )
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CorruptStoreError(
            f"the statistics file {str(path)!r} is missing or damaged, and they cannot be had from the rows: "
            "put it back from a copy, or delete the table's folder and embed again"
        ) from error


def _check_arrays(arrays: Mapping[str, np.ndarray]) -> None:
    n, mean, scatter = arrays["n"], arrays["mean"], arrays["scatter"]
    sample, keys = arrays["sample"], arrays["keys"]
    dim = len(mean) if mean.ndim == 1 else -1
    shapes = n.shape == (1,) and scatter.shape == (dim, dim) and keys.ndim == 1
    shapes = shapes and sample.shape == (len(keys), dim)
    kinds = [array.dtype.name for array in (n, mean, scatter, sample, keys)]
    if not shapes or kinds != ["int64", "float64", "float64", "float32", "uint64"] or n[0] < 1:
        raise ValueError("other arrays than were written")
    if not (np.isfinite(mean).all() and np.isfinite(scatter).all() and (np.diagonal(scatter) >= 0).all()):
        raise ValueError("values that no patches have")


def remove_other_moments(folder: Path, session: str, batch: int) -> None:
    """Remove the writer's files of every other batch."""
    for path in (folder / "moments").glob("*.safetensors"):
        match = re.fullmatch(r"(.+)\.(\d+)", path.stem)
        if match and match[1] == session and int(match[2]) != batch:
            path.unlink(missing_ok=True)


def moments_path(folder: Path, session: str, batch: int) -> Path:
    """Where a writer's moments up to and with a batch lie."""
    return folder / "moments" / f"{session}.{batch:08d}.safetensors"
