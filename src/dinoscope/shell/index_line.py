"""What `dinoscope index` and `dinoscope embed --index` do, and say in one line."""

from __future__ import annotations

from dinoscope.store.built_index import LANCE_KIND
from dinoscope.store.index import INDEX_FROM, RECALL, build_index
from dinoscope.store.store import FeatureStore

_WITHOUT_FAISS = "; with faiss (pip install 'dinoscope[index]') searches by an index are many times faster"


def index_line(
    store: FeatureStore,
    pooling: str,
    *,
    recall: float = RECALL,
    least: int | None = None,
    kind: str | None = None,
) -> str:
    """Build one index, where the table is large enough, and say in one line what was done.

    Raises:
        As `build_index`, but for a table that is too small.
    """
    table, wanted = store.table(), INDEX_FROM if least is None else least
    if len(table) < wanted:
        return (
            f"{pooling}: no index: {len(table):,} photographs are searched exactly; one pays from "
            f"{wanted:,} (--from)"
        )
    built = build_index(table, pooling=pooling, recall=recall, least_rows=wanted, kind=kind)
    short = "" if built.recall >= recall else f"; {recall:g} was asked for"
    advice = _WITHOUT_FAISS if built.kind == LANCE_KIND and kind is None else ""
    return (
        f"{pooling}: {built.words}{short}; nprobes {built.nprobes} of {built.partitions}, refine factor "
        f"{built.refine_factor}; {built.n_rows:,} photographs in {built.build_s:.1f} s, "
        f"{built.n_bytes / 1e6:,.1f} MB{advice}"
    )
