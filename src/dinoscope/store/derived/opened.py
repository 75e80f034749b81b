"""A derived index at work: nearest rows, and rows by digest, from files that are mapped into memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float16, Float64, Int64, UInt64

from dinoscope.errors import CorruptStoreError, InputError
from dinoscope.maths.patches import unit
from dinoscope.maths.ranking import exact_cosines
from dinoscope.store.derived.folder import DIGESTS, LISTS, ROWS, VECTORS, DerivedFiles, damaged_derived
from dinoscope.store.derived.quantised import Quantised, read_lists
from dinoscope.store.derived.rows import RowFacts, open_facts


@dataclass(frozen=True, slots=True, eq=False)
class OpenDerived:
    """Files that were found to be as they were written. From any number of threads.

    Attributes:
        vectors: of every row, as the table has them.
        lists: where candidates come from.
        digests: sha256 of each row's photograph, as four numbers.
        facts: the other columns of each row.
    """

    vectors: Float16[np.ndarray, "n dim"]
    lists: Quantised
    digests: UInt64[np.ndarray, "n 4"]
    facts: RowFacts

    def nearest(
        self, query: Float[np.ndarray, " dim"], k: int, *, probes: int, refine: int
    ) -> tuple[Int64[np.ndarray, " found"], Float64[np.ndarray, " found"]]:
        """Rows, nearest first, and their exact cosines; of equal ones the lower row comes first.

        Args:
            query: of any length but 0.
            k: rows; fewer where the lists hold fewer.
            probes: lists looked into.
            refine: candidates compared exactly, over ``k``.

        Raises:
            InputError: NaN in the query, or no length.
        """
        wide = unit(query.astype(np.float64))
        if not abs(wide @ wide - 1.0) < 1e-3:
            raise InputError("a query of length 0, or with NaN, has no direction to search in")
        wanted = min(k * refine, len(self.vectors))
        places = self.lists.candidates(wide[None].astype(np.float32), wanted, probes)[0]
        if places[-1] < 0:
            places = places[places >= 0]
        scores = exact_cosines(wide, self.vectors[places])
        order = np.lexsort((places, -scores))[:k]
        return places[order], scores[order]

    def place_of(self, digest: str) -> int | None:
        """The row of a photograph; None where it has none."""
        wanted = np.frombuffer(bytes.fromhex(digest), np.uint64)
        ascending, order = _ascending(self)
        first = int(ascending.searchsorted(wanted[0]))
        while first < len(order) and ascending[first] == wanted[0]:
            if (self.digests[order[first]] == wanted).all():
                return int(order[first])
            first += 1
        return None


def open_files(files: DerivedFiles, dim: int) -> OpenDerived:
    """The index; files are compared with what was written when this process first sees them as they are now.

    Raises:
        CorruptStoreError: a file is gone, or not what was written.
        MissingExtraError: faiss is not installed.
    """
    return _opened(files, dim, tuple(stamp(files.folder / name) for name, _, _ in files.sums))


@lru_cache(maxsize=8)
def _ascending(opened: OpenDerived) -> tuple[UInt64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    order = np.argsort(opened.digests[:, 0])
    return opened.digests[order, 0], order


@lru_cache(maxsize=8)
def _opened(files: DerivedFiles, dim: int, _: tuple[tuple[int, int], ...]) -> OpenDerived:
    try:
        for path in damaged_derived(files):
            raise CorruptStoreError(f"{str(path)!r} is gone, or not what was written")
        lists = read_lists(files.folder / LISTS, dim)
        vectors = np.memmap(files.folder / VECTORS, np.float16, "r", shape=(files.key.n_rows, dim))
        facts = open_facts(files.folder / ROWS)
        digests = np.memmap(files.folder / DIGESTS, np.uint64, "r", shape=(files.key.n_rows, 4))
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptStoreError(f"{str(files.folder)!r} cannot be read: {str(error)[:200]}") from error
    return OpenDerived(np.asarray(vectors), lists, np.asarray(digests), facts)


def stamp(path: Path) -> tuple[int, int]:
    """A file's size and time of change; zeros where it is gone."""
    try:
        facts = path.stat()
    except OSError:
        return 0, 0
    return facts.st_size, facts.st_mtime_ns
