"""The small files of a store: JSON that says its schema version, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

from dinoscope.atomic import write_whole
from dinoscope.errors import CorruptStoreError, SchemaVersionError
from dinoscope.store.schema import SCHEMA_VERSION


def check_version(facts: dict[str, Any], path: Path) -> None:
    """Refuse what a newer dinoscope wrote.

    Raises:
        SchemaVersionError: it did.
        CorruptStoreError: no version is given.
    """
    version = facts.get("schema_version")
    if not isinstance(version, int):
        raise CorruptStoreError(f"{str(path)!r} does not say which schema it has")
    if version > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"{str(path)!r} has schema {version}, this dinoscope reads up to {SCHEMA_VERSION}: "
            "upgrade with pip install -U dinoscope"
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        CorruptStoreError: it cannot be read, or holds something else.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorruptStoreError(f"{str(path)!r} cannot be read: {error}") from error
    if not isinstance(facts, dict):
        raise CorruptStoreError(f"{str(path)!r} cannot be read: it holds no JSON object")
    return facts


def write_text(path: Path, text: str) -> None:
    """Write a small file whole or not at all."""

    def write(file: BinaryIO) -> None:
        file.write(text.encode())

    write_whole(path, write)
