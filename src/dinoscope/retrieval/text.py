"""Hits as text for a terminal, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.data.retrieval import Hits
from dinoscope.drawing.text_table import text_table
from dinoscope.names import printable
from dinoscope.retrieval.duplicates import Pair, duplicate_groups
from dinoscope.strict_json import strict_json


def hits_text(hits: Hits) -> str:
    """Rank, cosine and place of every hit, then what must be read beside them."""
    rows = [(str(hit.rank), f"{hit.score:.3f}", hit.source) for hit in hits.hits]
    table = text_table(rows, ("rank", "cosine", "photograph"), right=(0, 1), unbroken=True)
    return "\n".join([table, "", f"{said_of(hits)}.", *(f"note: {note}" for note in hits.notes)])


def said_of(hits: Hits) -> str:
    """What was compared."""
    said = f"{hits.pooling} vectors of {hits.table}"
    if hits.suppression != "none":
        count = "" if hits.k_removed is None else f", {hits.k_removed} directions"
        said += f"; suppression {hits.suppression}{count}, fitted on {hits.fitted_on}"
    return said


def groups_text(pairs: Sequence[Pair]) -> str:
    """The paths of each group of near-duplicates, one a line, as other tools take them."""
    return "\n\n".join("\n".join(map(printable, group)) for group in duplicate_groups(pairs))


def duplicates_text(pairs: Sequence[Pair], *, as_json: bool = False) -> str:
    """Pairs of photographs that are nearly the same, most alike first."""
    if as_json:
        found = [{"first": first, "second": second, "cosine": score} for first, second, score in pairs]
        return strict_json({"duplicates": found})
    if not pairs:
        return "no pair is that much alike"
    return "\n".join(
        f"{score:.4f}  {printable(first)}  {printable(second)}" for first, second, score in pairs
    )
