"""Journal: finished rows of a long run, one line each, so that an interrupted run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar

from dinoscope.atomic import lock, write_whole
from dinoscope.errors import InputError

_T = TypeVar("_T")


class Journal:
    """A file of JSON lines: first what the rows were made with, then a row for each finished item.

    Rows stay on disk; only their keys are held. A last line that an interruption cut short is taken
    away; everything before it counts. Several processes may write one journal.

    Args:
        path: created where missing.
        settings: what decides the rows, as JSON values. A journal of other settings is refused.

    Raises:
        InputError: a journal of other settings, or a file that is none.
    """

    def __init__(self, path: str | Path, settings: Mapping[str, object]) -> None:
        self._path = Path(path)
        self._places: dict[str, int] = {}
        wanted = json.loads(json.dumps(dict(settings)))
        try:
            if not self._path.exists():
                header = json.dumps({"settings": wanted}) + "\n"
                write_whole(self._path, lambda file: _ignore(file.write(header.encode())))
            self._open(wanted)
        except OSError as error:
            raise InputError(f"{str(self._path)!r} cannot be used: {error.strerror}") from error

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, key: str, make: Callable[[dict[str, Any]], _T]) -> _T:
        """What ``make`` makes of a key's row.

        Raises:
            KeyError: there is none.
            InputError: it cannot make anything of it, or the file was changed.
        """
        place = self._places[key]
        try:
            with self._path.open("rb") as file:
                file.seek(place)
                row = json.loads(file.readline())
            if row["key"] != key:
                raise ValueError("it is another one")
            return make(row)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(
                f"the row of {key[:12]} in {str(self._path)!r} is not what was written ({error}): take that "
                "line out and run the same command again"
            ) from error

    def add(self, key: str, row: Mapping[str, object]) -> None:
        """Append a row; once this returns, a killed process does not lose it.

        Raises:
            InputError: it cannot be written.
        """
        line = json.dumps({"key": key, **row}, allow_nan=False) + "\n"
        try:
            with self._held("ab") as file:
                place = file.seek(0, os.SEEK_END)
                file.write(line.encode())
                file.flush()
        except OSError as error:
            raise InputError(f"cannot write to {str(self._path)!r}: {error.strerror}") from error
        self._places[key] = place

    def _open(self, wanted: Mapping[str, object]) -> None:
        whole = 0
        with self._held("rb+") as file:
            for number, line in enumerate(file):
                if not line.endswith(b"\n"):
                    break
                try:
                    row = json.loads(line)
                    if number == 0:
                        self._check(row["settings"], wanted)
                    else:
                        self._places[row["key"]] = whole
                except (ValueError, KeyError, TypeError, RecursionError) as error:
                    if isinstance(error, InputError):
                        raise
                    raise InputError(
                        f"{str(self._path)!r}, line {number + 1}: damaged, or no journal of ours; delete the "
                        "file to start anew"
                    ) from error
                whole += len(line)
            if whole == 0:
                raise InputError(f"{str(self._path)!r} is no journal of ours; delete the file to start anew")
            file.truncate(whole)

    @contextmanager
    def _held(self, mode: Literal["ab", "rb+"]) -> Iterator[BinaryIO]:
        """The file, which nobody else reads anew or writes meanwhile."""
        with self._path.open(mode) as file:
            lock(file.fileno(), wait=True)
            yield file

    def _check(self, found: Mapping[str, object], wanted: Mapping[str, object]) -> None:
        keys = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
        if keys:
            told = "; ".join(f"{key}: {found.get(key)} there, {wanted.get(key)} now" for key in keys)
            raise InputError(
                f"{str(self._path.parent)!r} holds rows made with other settings ({told}); name another "
                f"folder, or delete {self._path.name}"
            )


def _ignore(_: int) -> None:
    """`write_whole` wants a function that returns nothing."""
