"""Photographs named or held by tables: CSV, Parquet, and Hugging Face data sets on disk."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dinoscope.errors import InputError, shortened
from dinoscope.io.arrow import arrow
from dinoscope.io.collections.web import is_url
from dinoscope.io.images import SUFFIXES
from dinoscope.io.limits import MEMBER_BYTES, TEXT_BYTES, file_size, in_units
from dinoscope.names import readable

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet")
PLACE_COLUMNS = (
    "path",
    "file",
    "file_name",
    "filename",
    "filepath",
    "file_path",
    "image",
    "image_path",
    "url",
    "image_url",
    "source",
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line of a list that cannot be read.

    Attributes:
        line: its number, from 1.
        reason: in words.
    """

    line: int
    reason: str


def listed_places(file: Path) -> Iterator[str | Unreadable]:
    """Paths or URLs in a CSV, TSV or Parquet file, in its order; empty cells are left out.

    Bytes that are not UTF-8 are those of a file name. A line of a CSV that cannot be read is one that costs
    itself alone.

    The column is the first whose name is one of `PLACE_COLUMNS`, in that order, or the only column. A CSV
    whose first line already holds a URL or a photograph's name has no header: its first column is taken.

    Raises:
        InputError: no such column, or the file cannot be read.
        MissingExtraError: Parquet without the extra [store].
    """
    if file.suffix.lower() == ".parquet":
        yield from _parquet_places(file)
        return
    try:
        file_size(file, TEXT_BYTES)
        with open(file, newline="", encoding="utf-8-sig", errors="surrogateescape") as lines:
            rows = csv.reader(lines, delimiter="\t" if file.suffix.lower() == ".tsv" else ",")
            head = next(rows, [])
            if head and _is_place(head[0].strip()):
                yield head[0].strip()
                column = 0
            else:
                column = _place_column([name.strip() for name in head], file)
            while (row := _next_row(rows)) is not None:
                if isinstance(row, Unreadable):
                    yield row
                elif len(row) > column and row[column].strip():
                    yield row[column].strip()
    except (OSError, csv.Error) as error:
        raise InputError(f"{readable(file)!r} cannot be read: {shortened(error)}") from error


def _next_row(rows: Any) -> list[str] | Unreadable | None:
    try:
        row: list[str] | None = next(rows, None)
    except csv.Error as error:
        return Unreadable(rows.line_num, str(error))
    return row


def _is_place(text: str) -> bool:
    return is_url(text) or Path(text).suffix.lower() in SUFFIXES


def _place_column(names: list[str], file: Path) -> int:
    lower = [name.lower() for name in names]
    for wanted in PLACE_COLUMNS:
        if wanted in lower:
            return lower.index(wanted)
    if len(names) == 1:
        return 0
    raise InputError(
        f"{str(file)!r} has no column of paths or URLs: name one of its columns "
        f"({', '.join(names) or 'there are none'}) {', '.join(PLACE_COLUMNS[:4])} or url"
    )


def _parquet_places(file: Path) -> Iterator[str]:
    with _parquet(file) as table:
        names = list(table.schema_arrow.names)
        column = names[_place_column(names, file)]
        if str(table.schema_arrow.field(column).type) not in ("string", "large_string", "string_view"):
            raise InputError(f"the column {column!r} of {str(file)!r} holds no text")
        for batch in _read_batches(table, file, columns=[column]):
            with _refusing(file, "from here on"):
                cells = batch.column(0).cast(arrow().large_binary()).to_pylist()
            places = (os.fsdecode(cell).strip() for cell in cells if cell)
            yield from (place for place in places if place)


def dataset_files(folder: Path) -> list[Path]:
    """The files of a Hugging Face data set folder, in order; none where the folder is something else.

    One that was saved with ``save_to_disk`` holds ``.arrow`` files (beside ``state.json``); a copy from
    the hub holds ``.parquet`` files with a column of images, there or one folder below.
    """
    states = sorted(p for p in [folder / "state.json", *folder.glob("*/state.json")] if p.exists())
    if states:
        return [file for state in states for file in sorted(state.parent.glob("*.arrow"))]
    files = sorted([*folder.glob("*.parquet"), *folder.glob("*/*.parquet")])
    found = {file: _has_images(file) for file in files}
    return [file for file, images in found.items() if images is not False] if any(found.values()) else []


def dataset_photographs(file: Path) -> Iterator[tuple[int, str, Callable[[], bytes]]]:
    """Row number, name, and what reads the bytes, of every image in one file of a data set, streamed.

    Raises:
        InputError: no column of images, or the file cannot be read.
    """
    row = 0
    for batch in _batches(file):
        column = _image_column(batch.schema)
        if column is None:
            raise InputError(f"{str(file)!r} has no column of images (a structure of bytes and path)")
        cells = batch.column(column)
        with _refusing(file, "from here on"):
            places = cells.field("path").cast(arrow().large_binary())
        for cell, place, data in zip(cells, places, cells.field("bytes"), strict=True):
            if cell.is_valid:
                path = os.fsdecode(place.as_py() or b"")
                yield (
                    row,
                    readable(Path(path or f"row-{row}").name),
                    _reader(data.as_py(), file.parent / path),
                )
            row += 1


def _batches(file: Path) -> Iterator[Any]:
    pa = arrow()
    if file.suffix == ".parquet":
        with _parquet(file) as table:
            yield from _read_batches(table, file, batch_size=16, columns=[_image_column(table.schema_arrow)])
        return
    with _refusing(file):
        source = pa.memory_map(os.fsencode(file))
        stream = pa.ipc.open_stream(source)
    with source, stream:
        yield from _refused_where_damaged(file, stream)


def _read_batches(table: Any, file: Path, **options: Any) -> Iterator[Any]:
    with _refusing(file):
        _check_sizes(table, options["columns"])
    yield from _refused_where_damaged(file, table.iter_batches(**options))


def _refused_where_damaged(file: Path, batches: Any) -> Iterator[Any]:
    walk = iter(batches)
    while True:
        with _refusing(file, "from here on"):
            batch = next(walk, None)
        if batch is None:
            return
        yield batch


def _check_sizes(table: Any, columns: Sequence[str]) -> None:
    """A column of a row group that says to take more than `MEMBER_BYTES` unpacked is not unpacked."""
    for group in (table.metadata.row_group(i) for i in range(table.metadata.num_row_groups)):
        for column in (group.column(i) for i in range(group.num_columns)):
            announced = column.total_uncompressed_size
            packed = max(1, column.total_compressed_size)
            if column.path_in_schema.partition(".")[0] in columns and announced > max(
                MEMBER_BYTES, 100 * packed
            ):
                raise InputError(f"a column of {in_units(announced)} in {in_units(packed)} is announced")


@contextmanager
def _refusing(file: Path, words: str = "") -> Iterator[None]:
    """What Arrow raises of a damaged file, as `InputError`."""
    try:
        yield
    except Exception as error:  # it has errors of many kinds; all mean the same here
        said = " ".join(part for part in ("cannot be read", words) if part)
        raise InputError(f"{readable(file)!r} {said}: {shortened(error)}") from error


def _reader(data: bytes | None, path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        file_size(path, MEMBER_BYTES)
        return path.read_bytes()

    return read if data is None else lambda: data


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    pa = arrow()
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        with _refusing(file):
            if not file.is_file():
                raise OSError("not a regular file")
            source = stack.enter_context(pa.OSFile(os.fsencode(file)))
            table = stack.enter_context(pq.ParquetFile(source))
        yield table


def _has_images(file: Path) -> bool | None:
    """None where nobody can tell."""
    try:
        with _parquet(file) as table:
            return _image_column(table.schema_arrow) is not None
    except InputError:
        return None


def _image_column(schema: Any) -> str | None:
    pa = arrow()
    for field in schema:
        if pa.types.is_struct(field.type) and {"bytes", "path"} <= {part.name for part in field.type}:
            return str(field.name)
    return None
