"""An index that is built: what it was measured to find, in a file that is written last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dinoscope.atomic import write_text
from dinoscope.errors import CorruptStoreError
from dinoscope.store.files import check_version, read_json
from dinoscope.store.schema import SCHEMA_VERSION
from dinoscope.store.store import FeatureTable

DERIVED_KIND, LANCE_KIND = "IVF_SQ8", "IVF_RQ"
"""Files beside the table that faiss searches, and Lance's own index within it."""
KINDS = (DERIVED_KIND, LANCE_KIND)

MEASURED_K = 10
"""Recall is that of the ten nearest."""

AGAIN = (
    "Build it again (`dinoscope index STORE`, or build_index), or search without it (--exact, exact=True); "
    "the vectors are not touched"
)


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """An index that is built, and what it found of what exact search finds.

    Attributes:
        kind: one of `KINDS`.
        pooling: the kind of vector.
        n_rows: photographs indexed.
        partitions: lists.
        nprobes: lists looked into for a query.
        refine_factor: candidates ranked again, over hits asked for.
        recall: share of the true ten nearest that was found, in [0, 1], mean over ``n_queries`` photographs
            of the table, without themselves; the settings were chosen on others.
        n_queries: as said.
        wanted: the recall asked for.
        build_s: the build, without the measurement.
        n_bytes: on disk.
    """

    kind: str
    pooling: str
    n_rows: int
    partitions: int
    nprobes: int
    refine_factor: int
    recall: float
    n_queries: int
    wanted: float
    build_s: float
    n_bytes: int

    @property
    def words(self) -> str:
        """Kind and recall, for beside a list of hits."""
        return f"{self.kind}, recall@{MEASURED_K} {self.recall:.3f} on {self.n_queries} queries"


def report_path(table: FeatureTable, pooling: str) -> Path:
    """The file."""
    return table.folder / "indexes" / f"{pooling}.json"


def write_report(table: FeatureTable, index: VectorIndex, files: Mapping[str, object] | None = None) -> None:
    """State an index; from then on searches use it.

    Args:
        table: that it is of.
        index: as measured.
        files: of a derived index, in its own words.
    """
    facts: dict[str, object] = {"schema_version": SCHEMA_VERSION, **asdict(index)}
    if files is not None:
        facts["derived"] = files
    write_text(report_path(table, index.pooling), json.dumps(facts, indent=2) + "\n")


def read_report(table: FeatureTable, pooling: str) -> tuple[VectorIndex, Any] | None:
    """The index, and a derived one's files in its own words; None where none was built to the end.

    Raises:
        CorruptStoreError: the file cannot be read.
        SchemaVersionError: a newer dinoscope wrote it.
    """
    path = report_path(table, pooling)
    try:
        facts = read_json(path)
    except CorruptStoreError:
        if not path.exists():
            return None
        raise
    check_version(facts, path)
    try:
        index = VectorIndex(**{name: facts[name] for name in VectorIndex.__dataclass_fields__})
    except KeyError as error:
        raise CorruptStoreError(f"{str(path)!r} does not describe an index: {error}. {AGAIN}") from error
    return index, facts.get("derived")
