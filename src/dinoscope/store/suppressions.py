"""Suppressions on disk: one safetensors file each, with what it was fitted on and which vectors it is for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from dinoscope.atomic import write_bytes
from dinoscope.errors import InputError, ProvenanceMismatchError, SchemaVersionError
from dinoscope.io.limits import ARRAY_BYTES, file_size
from dinoscope.maths.suppression import ANY_POOLING, FittedFor, Suppression
from dinoscope.names import readable
from dinoscope.store.lance import batches, exists
from dinoscope.store.schema import SCHEMA_VERSION, TableSettings
from dinoscope.store.store import FeatureTable

_WHAT = "dinoscope suppression"


def save_suppression(suppression: Suppression, path: str | Path) -> None:
    """Write a fitted suppression, whole or not at all; the words are in the file's metadata, too.

    Raises:
        InputError: it does not say which vectors it is for: `fit_suppression` makes one that does. Or
            something else lies at that path: only an earlier suppression is replaced.
        OSError: it cannot be written.
    """
    from safetensors.numpy import save

    fitted_for = suppression.fitted_for
    if fitted_for is None:
        raise InputError(
            f"this suppression {suppression.kind!r} does not say which vectors it is for: save one made by "
            "fit_suppression(store, ...)"
        )
    check_place(path)
    metadata = {
        "what": _WHAT,
        "schema_version": str(SCHEMA_VERSION),
        "kind": suppression.kind,
        "k": str(suppression.k),
        "fitted_on": suppression.fitted_on,
        **asdict(fitted_for),
    }
    content = save(suppression.as_arrays(), metadata)
    write_bytes(Path(path), content)


def check_place(path: str | Path) -> None:
    """Refuse to write a suppression over something else.

    Raises:
        InputError: the file is there, and is no suppression.
        SchemaVersionError: it is one of a later version.
    """
    if Path(path).exists():
        try:
            load_suppression(path)
        except InputError as error:
            raise InputError(
                f"{readable(path)!r} is there already and no suppression, and is not written over: name "
                "another file"
            ) from error


def load_suppression(path: str | Path) -> Suppression:
    """A suppression as `save_suppression` wrote it.

    Raises:
        InputError: the file is missing, damaged, or something else.
        SchemaVersionError: a newer dinoscope wrote it.
    """
    from safetensors import SafetensorError, safe_open

    try:
        file_size(Path(path), ARRAY_BYTES)
        with safe_open(path, "numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError) as error:
        raise InputError(f"the suppression {str(path)!r} cannot be read: {error}") from error
    if metadata.get("what") != _WHAT:
        raise InputError(
            f"{str(path)!r} is no suppression: save_suppression, or --save-suppression, writes them"
        )
    version = metadata.get("schema_version", "")
    if not version.isdigit():
        raise InputError(f"the suppression {str(path)!r} does not say which schema it has")
    if int(version) > SCHEMA_VERSION:
        raise SchemaVersionError(
            f"{str(path)!r} has schema {version}, this dinoscope reads up to "
            f"{SCHEMA_VERSION}: upgrade with pip install -U dinoscope"
        )
    return Suppression.from_arrays(arrays)


def fitted_for(table: FeatureTable, pooling: str) -> FittedFor:
    """What a suppression fitted on all of a table now is for."""
    settings = table.settings
    return FittedFor(settings.backbone, _words(settings), pooling, collection_digest(table))


def collection_digest(table: FeatureTable) -> str:
    """16 hexadecimal digits for the photographs of a table in row order: another one after any is added."""
    found = hashlib.sha256()
    if exists(table.vectors_path):
        for batch in batches(table.vectors_path, ["digest"]):
            found.update("".join(batch.column(0).to_pylist()).encode())
    return found.hexdigest()[:16]


def check_suppression(table: FeatureTable, pooling: str | None, suppression: Suppression) -> None:
    """Refuse a suppression of other vectors than a table's; one that says nothing of itself passes.

    Args:
        table: whose vectors, or patches, it is to be applied to.
        pooling: of the vectors; None for patches.
        suppression: to check.

    Raises:
        ProvenanceMismatchError: another backbone, another setting, another pooling or other channels.
    """
    if suppression.dim != table.settings.dim:
        raise ProvenanceMismatchError(
            f"the suppression is for {suppression.dim} channels, the table {table.name} has "
            f"{table.settings.dim}: {_AGAIN}"
        )
    known = suppression.fitted_for
    if known is None:
        return
    own, theirs = json.loads(_words(table.settings)), json.loads(known.settings)
    found = [
        f"{name}: {own.get(name)!r} in the table, {theirs.get(name)!r} in the suppression"
        for name in sorted({*own, *theirs})
        if own.get(name) != theirs.get(name)
    ]
    if pooling is not None and known.pooling not in (ANY_POOLING, pooling):
        found.append(f"pooling: {pooling!r} searched, {known.pooling!r} in the suppression")
    if found:
        raise ProvenanceMismatchError(
            f"this suppression does not belong to the table {table.name}: {'; '.join(found)}. {_AGAIN}"
        )


_AGAIN = "Fit one on this table (fit_suppression, or --suppress KIND)"


def _words(settings: TableSettings) -> str:
    """All settings but how whole maps are kept, which changes no vector."""
    facts = settings.facts
    del facts["dense"]
    return json.dumps(facts, sort_keys=True)
