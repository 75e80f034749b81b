"""Photographs named or held by tables: CSV, Parquet, and Hugging Face data sets on disk; and by URLs."""

from __future__ import annotations

import csv
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dinoscope.errors import ImageError, InputError
from dinoscope.io.arrow import arrow
from dinoscope.io.images import SUFFIXES
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
FETCH_SECONDS = 30
FETCH_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A line of a list that cannot be read.

    Attributes:
        line: its number, from 1.
        reason: in words.
    """

    line: int
    reason: str


def is_url(text: str) -> bool:
    """Whether a place is fetched over the web."""
    return text.lower().startswith(("http://", "https://"))


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
        raise InputError(f"{str(file)!r} cannot be read: {error}") from error


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
    try:
        with pa.memory_map(os.fsencode(file)) as source, pa.ipc.open_stream(source) as stream:
            yield from stream
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{str(file)!r} cannot be read: {error}") from error


def _read_batches(table: Any, file: Path, **options: Any) -> Iterator[Any]:
    try:
        yield from table.iter_batches(**options)
    except (arrow().ArrowException, OSError) as error:
        raise InputError(f"{str(file)!r} cannot be read from here on: {error}") from error


def _reader(data: bytes | None, path: Path) -> Callable[[], bytes]:
    return path.read_bytes if data is None else lambda: data


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    pa = arrow()
    import pyarrow.parquet as pq

    with ExitStack() as stack:
        try:
            source = stack.enter_context(pa.OSFile(os.fsencode(file)))
            table = stack.enter_context(pq.ParquetFile(source))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{str(file)!r} cannot be read: {error}") from error
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


def fetch(address: str) -> bytes:
    """The bytes behind a URL: http and https only, at most `FETCH_MAX_BYTES`, within `FETCH_SECONDS` a read.

    Raises:
        ImageError: they cannot be had.
    """
    if not is_url(address):
        raise ImageError(address, "only http and https are fetched")
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "dinoscope"})
        with urllib.request.urlopen(request, timeout=FETCH_SECONDS) as answer:
            data: bytes = answer.read(FETCH_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        error.close()
        raise ImageError(address, f"the server says {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, OSError, ValueError) as error:
        raise ImageError(address, f"cannot be fetched: {getattr(error, 'reason', error)}") from error
    if len(data) > FETCH_MAX_BYTES:
        raise ImageError(address, f"more than {FETCH_MAX_BYTES:,} bytes")
    return data
