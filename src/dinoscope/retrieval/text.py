"""Hits as text for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from dinoscope.data.retrieval import Hits
from dinoscope.names import printable


def hits_text(hits: Hits) -> str:
    """Rank, cosine and place of every hit, then what must be read beside them."""
    lines = [f"{'rank':>4}  {'cosine':>7}  photograph"]
    lines += [f"{hit.rank:>4}  {hit.score:>7.3f}  {printable(hit.source)}" for hit in hits.hits]
    said = f"{hits.pooling} vectors of {hits.table}"
    if hits.suppression != "none":
        count = "" if hits.k_removed is None else f", {hits.k_removed} directions"
        said += f"; suppression {hits.suppression}{count}, fitted on {hits.fitted_on}"
    return "\n".join([*lines, "", f"{said}.", *(f"note: {note}" for note in hits.notes)])


def hits_json(hits: Hits) -> str:
    """One object; ``hits`` is the list of hits, best first."""
    return json.dumps(asdict(hits), indent=2, allow_nan=False)


def duplicates_text(pairs: Sequence[tuple[str, str, float]], *, as_json: bool = False) -> str:
    """Pairs of photographs that are nearly the same, most alike first."""
    if as_json:
        found = [{"first": first, "second": second, "cosine": score} for first, second, score in pairs]
        return json.dumps({"duplicates": found}, indent=2)
    if not pairs:
        return "no pair is that much alike"
    return "\n".join(
        f"{score:.4f}  {printable(first)}  {printable(second)}" for first, second, score in pairs
    )
