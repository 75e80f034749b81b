"""Vectors in lists around centres, 8 bits a channel: candidates for a query, to be compared exactly.

What all vectors share is taken off, and a random rotation makes all channels alike: then whole numbers from
-127 to 127, which faiss compares fastest, hold vectors of unit length, whose distances rank as cosines do.
Source: inverted files, Jégou et al., TPAMI 33 (2011), section 4; rotation before scalar codes, Gao & Long,
arXiv 2405.12497, section 3; faiss, Douze et al., arXiv 2401.08281.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from dinoscope.extras import extra_package

POINTS = 50
"""Vectors of the sample for each list."""
ROUNDS = 8
"""Rounds of k-means."""
_LARGEST = np.float32(127.0)
_BLOCK = 65_536


def has_faiss() -> bool:
    """Whether faiss is installed; does not import it."""
    return importlib.util.find_spec("faiss") is not None


def faiss() -> Any:
    """The package faiss.

    Raises:
        MissingExtraError: it is not installed.
    """
    return extra_package("faiss", "the derived index", "index")


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """Lists of codes.

    Attributes:
        turn: the rotation, times how many whole numbers there are for one unit of length.
        mean: of the vectors, turned.
        lists: faiss's index of the codes, numbered from 0 as they were added.
    """

    turn: Float32[np.ndarray, "dim dim"]
    mean: Float32[np.ndarray, " dim"]
    lists: Any

    @property
    def n_rows(self) -> int:
        """Vectors added."""
        return int(self.lists.ntotal)

    @property
    def partitions(self) -> int:
        """How many lists there are."""
        return int(self.lists.nlist)

    def add(self, rows: Float32[np.ndarray, "n dim"]) -> None:
        """Put more vectors of unit length into the lists of their nearest centres; changes the index."""
        centres = faiss().IndexFlatL2(len(self.mean))  # many at a time it compares faster than in 8 bits
        centres.add(self.lists.quantizer.reconstruct_n(0, self.partitions))
        for start in range(0, len(rows), _BLOCK):
            codes = _codes(rows[start : start + _BLOCK], self.turn, self.mean)
            nearest = np.ascontiguousarray(centres.search(codes, 1)[1].ravel(), np.int64)
            numbers = np.arange(self.n_rows, self.n_rows + len(codes), dtype=np.int64)
            pointers = [faiss().swig_ptr(array) for array in (codes, numbers, nearest)]
            self.lists.add_core(len(codes), *pointers)

    def candidates(
        self, queries: Float32[np.ndarray, "q dim"], n: int, probes: int, *, without: tuple[int, int] = (0, 0)
    ) -> Int64[np.ndarray, "q n"]:
        """About the nearest rows, best first, of the lists of the ``probes`` centres nearest to each query.

        Args:
            queries: of unit length.
            n: rows; -1 stands where the lists held fewer.
            probes: lists looked into.
            without: first and last + 1 of rows that do not count.
        """
        asked = _asked(probes)
        if without[0] < without[1]:
            own = faiss().IDSelectorRange(*without)
            asked = faiss().SearchParametersIVF(nprobe=probes, sel=faiss().IDSelectorNot(own))
        found: Int64[np.ndarray, "q n"]
        _, found = self.lists.search(_codes(queries, self.turn, self.mean), n, params=asked)
        return found


def fitted(sample: Float32[np.ndarray, "n dim"], partitions: int, *, seed: int = 0) -> Quantised:
    """Lists without vectors, around the centres of a sample of unit length.

    Args:
        sample: ``POINTS`` for each list are enough.
        partitions: at most as many as there are rows.
        seed: of the rotation and of k-means.
    """
    module = faiss()
    dim = sample.shape[1]
    turn = np.linalg.qr(np.random.default_rng(seed).standard_normal((dim, dim)))[0].astype(np.float32)
    turned = sample @ turn
    widest = float(np.abs(turned - turned.mean(axis=0)).max())
    turn *= np.float32(_LARGEST / (widest or 1.0))
    mean = (sample @ turn).mean(axis=0)
    means = module.Kmeans(
        dim,
        partitions,
        niter=ROUNDS,
        min_points_per_centroid=1,
        max_points_per_centroid=POINTS,
        seed=seed,
    )
    means.train(_codes(sample, turn, mean))
    kind = module.ScalarQuantizer.QT_8bit_direct_signed
    centres = module.IndexScalarQuantizer(dim, kind, module.METRIC_L2)
    centres.is_trained = True  # these codes have nothing to learn
    centres.add(np.rint(means.centroids))
    lists = module.IndexIVFScalarQuantizer(centres, dim, partitions, kind, module.METRIC_L2, False)
    lists.is_trained = True
    return Quantised(turn, mean, lists)


@cache
def _asked(probes: int) -> Any:
    return faiss().SearchParametersIVF(nprobe=probes)


def _codes(
    rows: Float32[np.ndarray, "n dim"],
    turn: Float32[np.ndarray, "dim dim"],
    mean: Float32[np.ndarray, " dim"],
) -> Float32[np.ndarray, "n dim"]:
    codes = rows @ turn
    codes -= mean
    np.rint(codes, out=codes)
    np.maximum(codes, -_LARGEST, out=codes)
    return np.minimum(codes, _LARGEST, out=codes)


def write_lists(index: Quantised, path: Path) -> None:
    """All of it in one file: faiss's own, and behind it the space that the codes lie in.

    Raises:
        OSError: it cannot be written.
    """
    try:
        faiss().write_index(index.lists, str(path))
    except RuntimeError as error:
        raise OSError(f"{str(path)!r} cannot be written: {str(error)[:200]}") from error
    with path.open("ab") as file:
        file.write(np.vstack([index.turn, index.mean]).tobytes())


def read_lists(path: Path, dim: int, *, mapped: bool = True) -> Quantised:
    """What `write_lists` wrote; its content must have been checked: faiss believes what it reads.

    Args:
        path: of the file.
        dim: channels.
        mapped: read as it is needed; such an index takes no more vectors.
    """
    module = faiss()
    with path.open("rb") as file:
        file.seek(-4 * dim * (dim + 1), 2)
        space = np.frombuffer(file.read(), np.float32).reshape(dim + 1, dim)
    lists = module.read_index(str(path), module.IO_FLAG_MMAP | module.IO_FLAG_READ_ONLY if mapped else 0)
    if mapped:  # it would start threads for every query, to read ahead
        module.downcast_InvertedLists(lists.invlists).prefetch_nthread = 0
    return Quantised(space[:dim], space[dim], lists)
