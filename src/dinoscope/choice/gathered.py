"""What each photograph gives under every setting: kept in memory, or in a folder so that a run goes on."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Int64

from dinoscope.atomic import write_bytes
from dinoscope.errors import InputError, shortened
from dinoscope.io.arrays import open_npz
from dinoscope.io.journal import Journal
from dinoscope.names import readable

ROWS, PLACES = "rows.jsonl", "places"


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """One photograph under every setting.

    Attributes:
        image, group: its name, and what it is held out with.
        classes: of its places.
        vectors: for each setting those of its places.
        values: by metric, one for each setting; NaN where undefined.
        seconds: for each setting, of its forward pass.
    """

    image: str
    group: str
    classes: Int64[np.ndarray, " n"]
    vectors: tuple[Float16[np.ndarray, "n _"], ...]
    values: Mapping[str, Sequence[float]]
    seconds: Sequence[float]


class Gathering:
    """Photographs that are gathered, by digest.

    Args:
        folder: where they are kept; None for memory.
        settings: what decides them. A folder of other settings is refused.
    """

    def __init__(self, folder: Path | None, settings: Mapping[str, object]) -> None:
        self._held: dict[str, Gathered] = {}
        self._folder = folder
        self._journal = None if folder is None else Journal(folder / ROWS, settings)

    def __contains__(self, digest: object) -> bool:
        if self._journal is None or self._folder is None:
            return digest in self._held
        return digest in self._journal and self._places(str(digest)).is_file()

    def add(self, digest: str, one: Gathered) -> None:
        """Keep a photograph."""
        if self._journal is None or self._folder is None:
            self._held[digest] = one
            return
        out = io.BytesIO()
        np.savez(out, classes=one.classes, **{f"s{k}": v for k, v in enumerate(one.vectors)})  # type: ignore[arg-type]
        write_bytes(self._places(digest), out.getvalue())
        values = {key: [None if v != v else float(v) for v in row] for key, row in one.values.items()}
        row = {"image": one.image, "group": one.group, "values": values, "seconds": list(one.seconds)}
        self._journal.add(digest, row)

    def read(self, digest: str) -> Gathered:
        """A photograph that is there.

        Raises:
            InputError: what was kept of it is damaged.
        """
        if self._journal is None or self._folder is None:
            return self._held[digest]
        path = self._places(digest)
        try:
            with open_npz(path) as arrays:
                vectors = tuple(arrays.read(f"s{k}") for k in range(len(arrays.names) - 1))
                classes = arrays.read("classes")
        except Exception as error:  # a damaged file can raise anything
            raise InputError(
                f"{readable(path)!r} is damaged ({shortened(error)}): delete it and run the same command "
                "again, which looks at that photograph again"
            ) from error

        def gathered(row: dict[str, Any]) -> Gathered:
            values = {key: [np.nan if v is None else v for v in line] for key, line in row["values"].items()}
            return Gathered(row["image"], row["group"], classes, vectors, values, row["seconds"])

        return self._journal.read(digest, gathered)

    def _places(self, digest: str) -> Path:
        return (self._folder or Path()) / PLACES / f"{digest}.npz"
