"""When, with what and where a table's photographs were taken: columns to filter by."""

from __future__ import annotations

from dataclasses import dataclass

from dinoscope.io.arrow import arrow
from dinoscope.store.lance import batches, exists, open_dataset
from dinoscope.store.schema import SHOT_COLUMNS
from dinoscope.store.store import FeatureTable


@dataclass(frozen=True, slots=True)
class ShotFacts:
    """What is known of a table's photographs.

    Attributes:
        first, last: when the earliest and the latest was taken; empty where that is known of none.
        cameras: by name, sorted.
        n_placed: photographs with a place.
    """

    first: str = ""
    last: str = ""
    cameras: tuple[str, ...] = ()
    n_placed: int = 0


NO_SHOTS = ShotFacts()


def has_shots(table: FeatureTable) -> bool:
    """Whether a table has these columns."""
    if not exists(table.vectors_path):
        return False
    return set(SHOT_COLUMNS) <= set(open_dataset(table.vectors_path).schema.names)


def shot_facts(table: FeatureTable) -> ShotFacts:
    """In one pass over these columns alone.

    Raises:
        CorruptStoreError: the table cannot be read.
    """
    if not has_shots(table):
        return NO_SHOTS
    rows = arrow().Table.from_batches(batches(table.vectors_path, SHOT_COLUMNS)).to_pydict()
    times = [time for time in rows["taken"] if time]
    cameras = sorted({camera for camera in rows["camera"] if camera})
    placed = sum(latitude is not None for latitude in rows["latitude"])
    return ShotFacts(min(times, default=""), max(times, default=""), tuple(cameras), placed)
