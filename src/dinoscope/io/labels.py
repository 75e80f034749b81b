"""Which class does each stored photograph belong to? From folder names, a CSV, a JSON file, or a mapping."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from dinoscope.errors import InputError, shortened
from dinoscope.io.limits import read_text
from dinoscope.io.sources import inside
from dinoscope.names import readable, well_formed

Labels = str | Path | Mapping[str, str]

FOLDERS = "folders"
KEYS = ("digest", "path", "source", "file", "filename", "file_name", "name", "image")
VALUES = ("label", "class", "category")


def labels_of(labels: Labels, sources: Sequence[str], digests: Sequence[str]) -> list[str | None]:
    """The label of each photograph; None where nothing is said of it.

    Args:
        labels: ``folders``: the name of the folder that holds the photograph; the path of a CSV file with
            a header that has one column of `KEYS` and one of `VALUES`; of a JSON file with an object; or a
            mapping. What is named is a digest, a path as it was embedded, or a file's name or stem where
            only one photograph has it.
        sources: where the photographs were found: paths, URLs, or ``ARCHIVE::MEMBER``.
        digests: of the photographs, in the same order.

    Raises:
        InputError: no such file, no such columns, or a name that means several photographs.
    """
    if isinstance(labels, str) and labels == FOLDERS:
        return [inside(source).parent.name or None for source in sources]
    said = labels if isinstance(labels, Mapping) else _read(Path(labels))
    known = {well_formed(name): well_formed(label) for name, label in said.items()}
    by_name: dict[str, list[int]] = {}
    for place, (source, digest) in enumerate(zip(sources, digests, strict=True)):
        path = inside(source)
        for name in {digest, source, str(path), path.name, path.stem}:
            by_name.setdefault(name, []).append(place)
    found: list[str | None] = [None] * len(sources)
    for name, label in known.items():
        places = by_name.get(name, by_name.get(PurePosixPath(name).name, []))
        if len({digests[place] for place in places}) > 1:
            raise InputError(
                f"the label of {name!r} fits {len(places)} photographs, such as {sources[places[0]]!r} and "
                f"{sources[places[1]]!r}: name them by their paths or digests"
            )
        for place in places:
            found[place] = label
    if not any(label is not None for label in found):
        example = next(iter(known), "nothing")
        raise InputError(
            f"none of the {len(known)} labels names a photograph of the store: the labels name {example!r}, "
            f"the store holds {sources[0] if sources else 'nothing'!r}"
        )
    return found


def _read(path: Path) -> dict[str, str]:
    try:
        text = read_text(path, errors="surrogateescape")
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = shortened(getattr(error, "strerror", None) or error)
        raise InputError(
            f"labels: {readable(path)!r} cannot be read ({reason}); use folders, a CSV or JSON file"
        ) from None
    if path.suffix.lower() == ".json":
        return _read_json(text, path)
    try:
        return _read_csv(text, path)
    except csv.Error as error:
        raise InputError(f"labels: {readable(path)!r} cannot be read as CSV: {shortened(error)}") from None


def _read_csv(text: str, path: Path) -> dict[str, str]:
    rows = csv.DictReader(text.splitlines())
    columns = [name.strip().lower() for name in rows.fieldnames or ()]
    key = next((name for name in KEYS if name in columns), None)
    value = next((name for name in VALUES if name in columns), None)
    if key is None or value is None:
        raise InputError(
            f"labels: {str(path)!r} needs a header with one of {', '.join(KEYS)} and one of "
            f"{', '.join(VALUES)}; it has {shortened(', '.join(columns)) or 'none'}"
        )
    rows.fieldnames = columns
    return {row[key].strip(): row[value].strip() for row in rows if row[key] and row[value]}


def _read_json(text: str, path: Path) -> dict[str, str]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"labels: {str(path)!r} is not JSON ({shortened(error)})") from None
    if not isinstance(content, dict) or not all(isinstance(v, str) for v in content.values()):
        raise InputError(f"labels: {str(path)!r} must be an object from names to labels")
    return content
