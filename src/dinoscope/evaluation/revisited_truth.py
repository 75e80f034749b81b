"""What are the right answers of the revisited Oxford and Paris protocol? Read from JSON.

The published files are pickles, which can run any code when they are opened, so they are not read here.
Convert one that you trust, once, with its own tools::

    import json, pickle
    truth = pickle.load(open("gnd_roxford5k.pkl", "rb"))
    json.dump(truth, open("gnd_roxford5k.json", "w"), default=lambda array: array.tolist())
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dinoscope.errors import InputError, shortened
from dinoscope.io.limits import read_text

LISTS = ("easy", "hard", "junk")


@dataclass(frozen=True, slots=True)
class RevisitedQuery:
    """One query.

    Attributes:
        name: of its photograph, without a suffix.
        box: left, top, right, bottom in pixels of the photograph: what is searched for.
        easy, hard, junk: places in `RevisitedTruth.names`.
    """

    name: str
    box: tuple[float, float, float, float]
    easy: tuple[int, ...]
    hard: tuple[int, ...]
    junk: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RevisitedTruth:
    """A collection and its queries.

    Attributes:
        names: of the photographs searched, without suffixes.
        queries: none of them is among the photographs searched.
    """

    names: tuple[str, ...]
    queries: tuple[RevisitedQuery, ...]


def read_revisited(path: str | Path) -> RevisitedTruth:
    """Read the JSON of a published ground truth: ``imlist``, ``qimlist`` and ``gnd``.

    Source: ``filipradenovic/revisitop python/dataset.py@3bb68d3`` for the fields.

    Raises:
        InputError: it cannot be read, is a pickle, or a field is missing or not as published.
    """
    path = Path(path)
    if path.suffix.lower() in (".pkl", ".pickle"):
        raise InputError(
            f"{str(path)!r} is a pickle, which could run anything: convert it to JSON with its own tools "
            "(the three lines are in the documentation of dinoscope.evaluation.revisited_truth)"
        )
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"the ground truth {str(path)!r} cannot be read ({shortened(error)})") from None
    try:
        names = tuple(str(name) for name in content["imlist"])
        asked = [str(name) for name in content["qimlist"]]
        queries = tuple(
            _query(name, given, len(names)) for name, given in zip(asked, content["gnd"], strict=True)
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"the ground truth {str(path)!r} needs imlist, qimlist and, for every query, gnd with bbx, easy, "
            f"hard and junk: {shortened(repr(error))}"
        ) from None
    both = set(names) & set(asked)
    if both:
        raise InputError(f"{min(both)!r} is a query and is searched too: this is no revisited ground truth")
    return RevisitedTruth(names, queries)


def _query(name: str, given: dict[str, Any], n: int) -> RevisitedQuery:
    left, top, right, bottom = (float(value) for value in given["bbx"])
    if not (left < right and top < bottom):
        raise ValueError(f"the box of {name!r} has no area")
    easy, hard, junk = (tuple(int(i) for i in given[key]) for key in LISTS)
    if any(not 0 <= i < n for i in (*easy, *hard, *junk)):
        raise ValueError(f"{name!r} lists a place that imlist does not have")
    return RevisitedQuery(name, (left, top, right, bottom), easy, hard, junk)
