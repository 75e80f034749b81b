"""Where a derived index lies: a folder of four files, and their description, which is written last.

::

    indexes/mean-4f1c…/lists.faiss      what candidates are found in, with each channel's scale behind it
    indexes/mean-4f1c…/vectors.f16      the vectors as the table has them, in row order
    indexes/mean-4f1c…/digests.sha256   each photograph's digest, in row order
    indexes/mean-4f1c…/rows.arrow       the other columns, in row order
    indexes/mean.json                   its measured recall, its rows, and what these files were when written

A description that names no folder is of another kind of index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dinoscope.errors import CorruptStoreError
from dinoscope.store.derived.key import TableKey
from dinoscope.store.derived.sums import file_sum

LISTS, VECTORS, DIGESTS, ROWS = "lists.faiss", "vectors.f16", "digests.sha256", "rows.arrow"
_FILES = (LISTS, VECTORS, DIGESTS, ROWS)


@dataclass(frozen=True, slots=True)
class DerivedFiles:
    """The files of a derived index, and what they are of.

    Attributes:
        folder: of the files, absolute.
        key: the rows of the table.
        trained_rows: how many the table had when the lists' centres were fitted.
        sums: name, size in bytes and `file_sum` of each file.
    """

    folder: Path
    key: TableKey
    trained_rows: int
    sums: tuple[tuple[str, int, str], ...]

    @property
    def n_bytes(self) -> int:
        """On disk."""
        return sum(size for _, size, _ in self.sums)


def sums_of(folder: Path) -> tuple[tuple[str, int, str], ...]:
    """Name, size and sum of each of the files."""
    return tuple((name, (folder / name).stat().st_size, file_sum(folder / name)) for name in _FILES)


def damaged_derived(files: DerivedFiles) -> Iterator[Path]:
    """Files that are gone, or whose content is not what was written; all are read once.

    Raises:
        OSError: one cannot be read.
    """
    for name, size, known in files.sums:
        path = files.folder / name
        if not path.is_file() or path.stat().st_size != size or file_sum(path) != known:
            yield path


def files_to_facts(files: DerivedFiles) -> dict[str, object]:
    """As the description keeps them."""
    return {
        "folder": files.folder.name,
        "version": files.key.version,
        "fragments": list(files.key.fragments),
        "trained_rows": files.trained_rows,
        "files": {name: [size, known] for name, size, known in files.sums},
    }


def files_from_facts(facts: Any, indexes: Path, n_rows: int) -> DerivedFiles:
    """The other way.

    Args:
        facts: what a description has.
        indexes: the folder that it lies in.
        n_rows: that it states.

    Raises:
        CorruptStoreError: it describes no derived index.
    """
    try:
        name = str(facts["folder"])
        if Path(name).name != name:
            raise ValueError(f"{name!r} is no folder beside it")
        key = TableKey(int(facts["version"]), tuple(map(str, facts["fragments"])), n_rows)
        sums = tuple((n, int(facts["files"][n][0]), str(facts["files"][n][1])) for n in _FILES)
        return DerivedFiles(indexes / name, key, int(facts["trained_rows"]), sums)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise CorruptStoreError(f"no derived index is described: {error}") from error
