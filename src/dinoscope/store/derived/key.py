"""Which rows of a table is something about, and is it still the beginning of the table?

Lance's files never change under one name, so that the names of a fragment's files, with those of its deleted
rows, say what its rows are; rewritten, compacted or deleted rows have other names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TableKey:
    """The first rows of a table.

    Attributes:
        version: of the table, by Lance, when it was looked at.
        fragments: the names of the files of each fragment that has some of them, in row order.
        n_rows: how many rows they are.
    """

    version: int
    fragments: tuple[str, ...]
    n_rows: int


def key_of(dataset: Any, n_rows: int | None = None) -> TableKey:
    """The key of the first rows of an open dataset; all of them where None."""
    names: list[str] = []
    count = 0
    for fragment in _in_order(dataset):
        if n_rows is not None and count >= n_rows:
            break
        names.append(_name(fragment))
        count += fragment.count_rows()
    return TableKey(int(dataset.version), tuple(names), count if n_rows is None else n_rows)


def begins(key: TableKey, dataset: Any) -> bool:
    """Whether the rows of a key still begin the table: others may have come after them, and nothing else."""
    names = map(_name, _in_order(dataset))
    return all(next(names, None) == known for known in key.fragments)


def _in_order(dataset: Any) -> list[Any]:
    return sorted(dataset.get_fragments(), key=lambda fragment: fragment.fragment_id)


def _name(fragment: Any) -> str:
    return " ".join([*(file.path for file in fragment.data_files()), fragment.deletion_file() or ""])
