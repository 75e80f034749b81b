"""`dinoscope index`."""

from __future__ import annotations

from typing import Annotated

from dinoscope.errors import InputError
from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option
from dinoscope.shell.panels import OUTPUT


@examples("dinoscope index my-store", "dinoscope index my-store --pooling mean,cls --recall 0.99")
def index_command(
    store: options.Store,
    *,
    table: options.Table = None,
    pooling: Annotated[
        str,
        option("Kinds of vectors: mean, cls, gem, foreground.", OUTPUT, metavar="A[,B...]"),
    ] = "mean",
    recall: Annotated[
        float,
        option("Share of the ten nearest to find, in (0, 1].", OUTPUT),
    ] = 0.98,
    least: Annotated[
        int | None, option("Photographs from which an index is built.", OUTPUT, "--from", metavar="N")
    ] = None,
    kind: Annotated[
        choices.IndexKind | None,
        option("IVF_SQ8 by faiss, IVF_RQ by Lance; the first where it is installed.", OUTPUT),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Build the approximate index of a large store, and measure what it finds of the nearest."""
    from dinoscope.shell.index_line import index_line
    from dinoscope.shell.terminal import read_words
    from dinoscope.store.schema import POOLED
    from dinoscope.store.store import open_store
    from dinoscope.strict_json import strict_json

    opened = open_store(store, table=table)
    kinds = read_words(pooling)
    if not kinds or not set(kinds) <= set(POOLED):
        raise InputError(f"no pooling {pooling!r}; there are {', '.join(POOLED)}, separated by commas")
    told = {name: index_line(opened, name, recall=recall, least=least, kind=kind) for name in kinds}
    print(strict_json({"indices": told}) if as_json else "\n".join(told.values()))
