"""Words of `dinoscope search` into values: suppressions by kind or by file."""

from __future__ import annotations

import sys
from pathlib import Path

from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.maths.suppression import SUPPRESSIONS, Suppression
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.store.store import FeatureStore
from dinoscope.store.suppressions import check_suppression, load_suppression, save_suppression


def suppression_of(store: FeatureStore, words: str, *, pooling: str, components: int | None) -> Suppression:
    """A kind, fitted on the table, or a file, which must be for it.

    Raises:
        InputError: neither a kind nor a file, or components with a file.
        EmptyIndexError: an empty table.
        ProvenanceMismatchError: a file of another backbone, settings or pooling.
    """
    table = store.table()
    if not len(table):
        raise EmptyIndexError(f"the table {table.name} has no photographs: embed some first")
    if words == "none" and components is not None:
        raise InputError("--directions is for a suppression: name one with --suppress")
    if words in SUPPRESSIONS:
        return fit_suppression(store, words, pooling=pooling, components=components)
    if not Path(words).is_file():
        raise InputError(
            f"no suppression {words!r}; there are {', '.join(SUPPRESSIONS)}, and files that "
            "--save-suppression makes"
        )
    if components is not None:
        raise InputError(f"--directions is for a fit: {words!r} has its own directions")
    found = load_suppression(words)
    check_suppression(table, pooling, found)
    return found


def keep_suppression(suppression: Suppression, path: Path) -> None:
    """Into a file, and say so on stderr.

    Raises:
        InputError: nothing was fitted.
    """
    if suppression.kind == "none":
        raise InputError("nothing to keep: name a suppression with --suppress")
    save_suppression(suppression, path)
    print(f"suppression: {path}", file=sys.stderr)
