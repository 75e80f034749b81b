"""What a table says of each photograph, vectors aside, in an Arrow file that is mapped into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from dinoscope.io.arrow import arrow

_ORDER = ("stamp", "provenance", "session", "batch")
"""What readers never ask for."""


@dataclass(frozen=True, slots=True, eq=False)
class RowFacts:
    """The file at work.

    Attributes:
        reader: of its record batches.
        ends: how many rows there are up to the end of each batch.
    """

    reader: Any
    ends: Int64[np.ndarray, " batches"]

    def at(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """The columns of some rows, by their 0-based places, in the order asked for."""
        wanted = np.asarray(places, np.int64)
        numbers = np.searchsorted(self.ends, wanted, "right")
        rows: dict[int, dict[str, Any]] = {}
        for number in np.unique(numbers).tolist():
            batch, here = self.reader.get_batch(number), wanted[numbers == number]
            first = int(self.ends[number]) - batch.num_rows
            rows |= zip(here.tolist(), batch.take(arrow().array(here - first)).to_pylist(), strict=True)
        return [rows[place] for place in wanted.tolist()]


def fact_columns(schema: Any) -> list[str]:
    """The columns of a table that are neither vectors nor of its own order."""
    pa = arrow()
    nested = (pa.types.is_list, pa.types.is_fixed_size_list)
    return [
        field.name
        for field in schema
        if field.name not in _ORDER and not any(of_kind(field.type) for of_kind in nested)
    ]


def open_facts(path: Path) -> RowFacts:
    """A file that was compared with what was written.

    Raises:
        ValueError, OSError: it is no such file.
    """
    reader = arrow().ipc.open_file(arrow().memory_map(str(path)))
    sizes = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
    return RowFacts(reader, np.cumsum(sizes, dtype=np.int64))
