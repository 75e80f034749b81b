"""`dinoscope index`."""

from __future__ import annotations

from typing import Annotated

import typer

from dinoscope.shell.options import Store


def index_command(
    store: Store,
    *,
    pooling: Annotated[
        str, typer.Option(help="Kinds of vectors: mean, cls, gem, foreground.", metavar="A[,B...]")
    ] = "mean",
    table: Annotated[
        str | None, typer.Option(help="Table or model, where the store has several.", show_default=False)
    ] = None,
    recall: Annotated[float, typer.Option(help="Share of the ten nearest to find, in (0, 1].")] = 0.95,
    least: Annotated[
        int | None,
        typer.Option("--from", help="Photographs from which an index is built.", show_default=False),
    ] = None,
) -> None:
    """Build the approximate index of a large store, and measure what it finds of the nearest."""
    from dinoscope.shell.index_line import index_line
    from dinoscope.shell.terminal import read_words
    from dinoscope.store.store import open_store

    opened = open_store(store, table=table)
    for name in read_words(pooling):
        print(index_line(opened, name, recall=recall, least=least))
