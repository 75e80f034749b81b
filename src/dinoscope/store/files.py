"""Where a store lies, and its small files: JSON that says its schema version, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from dinoscope.errors import CorruptStoreError, InputError, SchemaVersionError, shortened
from dinoscope.io.limits import read_text
from dinoscope.names import readable, well_formed
from dinoscope.store.schema import SCHEMA_VERSION

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ADDRESS_AS_PATH = re.compile(r"(s3[\w+]*|gs|gcs|az\w*|abfss?|adl|oss|cos|hdfs|https?|memory|file[\w-]*):/")
"""`Path` makes one slash of two."""


def check_no_address(path: str | Path) -> None:
    """Refuse what an object store is addressed by.

    Raises:
        InputError: an address such as ``s3://...``, or nothing.
    """
    text = os.fspath(path)
    if not text:
        raise InputError("the path of the store is empty: name a folder")
    if _ADDRESS.match(text) or _ADDRESS_AS_PATH.match(text):
        raise InputError(
            f"{text!r} is an address: give a path on this machine (a store is a folder, whose locks it needs)"
        )


def store_folder(path: str | Path) -> Path:
    """The absolute folder that a store's path means: Lance takes others for addresses.

    Raises:
        InputError: an address such as ``s3://...``, or a name that Lance cannot be told.
    """
    check_no_address(path)
    folder = Path(path)
    folder = Path(os.path.realpath(folder)) if ".." in folder.parts else folder.absolute()
    unfit = well_formed(str(folder)) != str(folder) or any(ord(c) < 32 or ord(c) == 127 for c in str(folder))
    if unfit:
        raise InputError(
            f"the path {readable(folder)!r} has characters that Lance cannot be told (control characters, or "
            "bytes that are not UTF-8): choose another folder for the store"
        )
    return folder


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
        facts = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise CorruptStoreError(f"{str(path)!r} cannot be read: {shortened(error)}") from error
    if not isinstance(facts, dict):
        raise CorruptStoreError(f"{str(path)!r} cannot be read: it holds no JSON object")
    return facts
