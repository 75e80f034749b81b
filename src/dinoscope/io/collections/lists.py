"""Photographs named or held by tables: CSV, Parquet, and Hugging Face data sets on disk."""

from __future__ import annotations

import codecs
import csv
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

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
    Cells of a CSV are parted by commas; by semicolons or tabs where the first line can only be read so.

    Raises:
        InputError: no such column, or the file cannot be read.
        MissingExtraError: Parquet without the extra [store].
    """
    if file.suffix.lower() == ".parquet":
        yield from _parquet_places(file)
        return
    try:
        file_size(file, TEXT_BYTES)
        with _opened(file) as lines:
            delimiter = "\t" if file.suffix.lower() == ".tsv" else _delimiter(lines.readline())
            lines.seek(0)
            rows = csv.reader(lines, delimiter=delimiter)
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


def _opened(file: Path) -> TextIO:
    """Text of UTF-8, or of UTF-16 where its first bytes say so, as some spreadsheets write it."""
    with open(file, "rb") as raw:
        wide = raw.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    if wide:
        return open(file, newline="", encoding="utf-16", errors="replace")
    return open(file, newline="", encoding="utf-8-sig", errors="surrogateescape")


def _delimiter(line: str) -> str:
    """The first of comma, semicolon and tab under which a line has a column of places."""
    for delimiter in (",", ";", "\t"):
        cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
        if _is_place(cells[0]) or any(cell.lower() in PLACE_COLUMNS for cell in cells):
            return delimiter
    return ","


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
        if names.count(column) > 1:
            raise InputError(f"{readable(file)!r} has several columns named {column!r}: rename all but one")
        kind = table.schema_arrow.field(column).type
        if not _is_text(kind):
            raise InputError(
                f"the column {column!r} of {readable(file)!r} holds no text but {shortened(str(kind))}: a "
                "list has a column of paths or URLs; a data set with the images in it is given as its folder"
            )
        for batch in _read_batches(table, file, columns=[column]):
            with _refusing(file, "from here on"):
                held = batch.column(0)
                plain = held.dictionary_decode() if arrow().types.is_dictionary(held.type) else held
                cells = plain.cast(arrow().large_binary()).to_pylist()
            places = (os.fsdecode(cell).strip() for cell in cells if cell)
            yield from (place for place in places if place)


def holds_photographs(file: Path) -> bool:
    """Whether a Parquet file has photographs in it, and no column that says where photographs are.

    Raises:
        InputError: the file cannot be read.
        MissingExtraError: without the extra [store].
    """
    with _parquet(file) as table:
        schema = table.schema_arrow
        lower = [name.lower() for name in schema.names]
        places = next((lower.index(wanted) for wanted in PLACE_COLUMNS if wanted in lower), None)
        listed = places is not None and _is_text(schema.field(places).type)
        return not listed and _image_column(schema) is not None


def _is_text(kind: Any) -> bool:
    values = kind.value_type if arrow().types.is_dictionary(kind) else kind
    return str(values) in ("string", "large_string", "string_view")


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
        _check_sizes(table, file)
    yield from _refused_where_damaged(file, table.iter_batches(**options))


def _refused_where_damaged(file: Path, batches: Any) -> Iterator[Any]:
    walk = iter(batches)
    while True:
        with _refusing(file, "from here on"):
            batch = next(walk, None)
        if batch is None:
            return
        yield batch


def _check_sizes(table: Any, file: Path) -> None:
    """A row group that says to take more than `MEMBER_BYTES`, and 100 times its file, is not unpacked.

    Its columns' own sizes are not asked for: over damaged statistics of one, pyarrow ends the process.
    """
    metadata, packed = table.metadata, file.stat().st_size
    for announced in (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)):
        if announced > max(MEMBER_BYTES, 100 * packed):
            raise InputError(f"{in_units(announced)} are announced in {in_units(packed)}")


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
