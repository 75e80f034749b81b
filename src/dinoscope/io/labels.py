"""Which class does each stored photograph belong to? From folder names, a CSV, a JSON file, or a mapping."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
            mapping. What is named is a digest, a path as it was embedded, how that path ends, or a file's
            name or stem where only one photograph has it.
        sources: where the photographs were found: paths, URLs, or ``ARCHIVE::MEMBER``.
        digests: of the photographs, in the same order.

    Raises:
        InputError: no such file, no such columns, a name that means several photographs, or two labels of
            one photograph.
    """
    if isinstance(labels, str) and labels == FOLDERS:
        return [inside(source).parent.name or None for source in sources]
    known = _known(labels)
    found: list[str | None] = [None] * len(sources)
    named_by: dict[int, str] = {}
    for name, places, _ in _each_named(known, sources, digests):
        if len({digests[place] for place in places}) > 1:
            raise InputError(
                f"the label of {name!r} fits {len(places)} photographs, such as {sources[places[0]]!r} and "
                f"{sources[places[1]]!r}: name them by their paths or digests"
            )
        for place in places:
            if found[place] not in (None, known[name]):
                raise InputError(
                    f"{sources[place]!r} has two labels: {found[place]!r} as {named_by[place]!r}, and "
                    f"{known[name]!r} as {name!r}"
                )
            found[place], named_by[place] = known[name], name
    if not any(label is not None for label in found):
        example = next(iter(known), "nothing")
        raise InputError(
            f"none of the {len(known)} labels names a photograph of the store: the labels name {example!r}, "
            f"the store holds {sources[0] if sources else 'nothing'!r}"
        )
    return found


def labels_told(
    labels: Labels, found: Sequence[str | None], sources: Sequence[str], digests: Sequence[str]
) -> tuple[str, ...]:
    """What may be wrong with labels that can be read, in sentences.

    Args:
        labels, sources, digests: as for `labels_of`.
        found: what that gave.
    """
    spellings: dict[str, Counter[str]] = {}
    for label in found:
        if label is not None:
            spellings.setdefault(label.strip().casefold(), Counter())[label] += 1
    told = [
        f"Labels that differ in case or spaces alone count as different classes: "
        f"{', '.join(f'{label!r} ({n})' for label, n in sorted(counts.items()))}."
        for counts in spellings.values()
        if len(counts) > 1
    ]
    if isinstance(labels, str) and labels == FOLDERS:
        return tuple(told)
    known = _known(labels)
    named = list(_each_named(known, sources, digests))
    moved = [(name, places) for name, places, by_file in named if by_file and places]
    if moved:
        name, places = moved[0]
        told.append(
            f"{len(moved)} of {len(known)} labels name a photograph in another folder than the store and "
            f"were taken by the file's name alone, such as {name!r} for {sources[places[0]]!r}: check that "
            "they are of these photographs."
        )
    unused = [name for name, places, _ in named if not places]
    if unused and None in found:
        told.append(
            f"{len(unused)} of {len(known)} labels name no photograph of the store, such as {unused[0]!r}, "
            f"while photographs have no label, such as {sources[found.index(None)]!r}."
        )
    return tuple(told)


def _known(labels: Labels) -> dict[str, str]:
    said = labels if isinstance(labels, Mapping) else _read(Path(labels))
    return {well_formed(name): well_formed(label) for name, label in said.items()}


def _each_named(
    names: Mapping[str, str], sources: Sequence[str], digests: Sequence[str]
) -> Iterator[tuple[str, list[int], bool]]:
    """Each name, the places of the photographs it means, and whether by the file's name alone though it names
    a folder.
    """
    by_name: dict[str, list[int]] = {}
    for place, (source, digest) in enumerate(zip(sources, digests, strict=True)):
        path = inside(source)
        for name in {digest, source, str(path), path.name, path.stem}:
            by_name.setdefault(name, []).append(place)
    for name in names:
        if name in by_name:
            yield name, by_name[name], False
            continue
        path = PurePosixPath(name)
        there = by_name.get(path.name, [])
        fitting = [place for place in there if _ends(inside(sources[place]), path)]
        yield name, fitting or there, not fitting


def _ends(path: PurePosixPath, end: PurePosixPath) -> bool:
    parts = end.parts
    return parts in (path.parts[-len(parts) :], path.with_suffix("").parts[-len(parts) :])


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
    rows = csv.DictReader(text.splitlines(), skipinitialspace=True)
    columns = [name.strip().lower() for name in rows.fieldnames or ()]
    key = next((name for name in KEYS if name in columns), None)
    value = next((name for name in VALUES if name in columns), None)
    if key is None or value is None:
        raise InputError(
            f"labels: {str(path)!r} needs a header with one of {', '.join(KEYS)} and one of "
            f"{', '.join(VALUES)}; it has {shortened(', '.join(columns)) or 'none'}"
        )
    rows.fieldnames = columns
    found: dict[str, str] = {}
    for row in rows:
        if any(row.get(None, ())):  # the key of cells beyond the header's
            raise InputError(
                f"labels: {readable(path)!r}, line {rows.line_num}, has more cells than the header's "
                f'{len(columns)}: put what holds a comma in "quotes"'
            )
        if row[key] and row[value]:
            _add(found, row[key].strip(), row[value].strip(), path)
    return found


def _add(found: dict[str, str], name: str, label: str, path: Path) -> None:
    if found.setdefault(name, label) != label:
        raise InputError(
            f"labels: {readable(path)!r} gives {shortened(name)!r} two labels, "
            f"{shortened(found[name])!r} and {shortened(label)!r}"
        )


def _read_json(text: str, path: Path) -> dict[str, str]:
    try:
        content = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise InputError(f"labels: {str(path)!r} is not JSON ({shortened(error)})") from None
    pairs = content if text.lstrip().startswith("{") else None
    if pairs is None or not all(isinstance(label, str) for _, label in pairs):
        raise InputError(f"labels: {str(path)!r} must be an object from names to labels")
    found: dict[str, str] = {}
    for name, label in pairs:
        _add(found, name, label, path)
    return found
