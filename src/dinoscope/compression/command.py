"""`dinoscope compress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import INPUT, MODEL


@examples(
    "dinoscope compress my-store",
    "dinoscope compress my-store --keep-recall 0.95 -o small-store",
)
def compress_command(
    store: options.Store,
    *,
    table: options.Table = None,
    pooling: Annotated[
        str,
        option("Kinds of vectors that must keep it: mean, cls, gem, foreground.", INPUT, metavar="A[,B...]"),
    ] = "mean",
    keep_cosine: Annotated[
        float | None, option("Mean cosine with the whole vector to keep, below 1.", MODEL)
    ] = None,
    keep_recall: Annotated[
        float | None, option("Mean share of the ten nearest to keep, below 1.", MODEL)
    ] = None,
    centred: Annotated[
        bool,
        option("Take the mean vector away first, as `search --suppress centre` does.", MODEL, "--centred"),
    ] = False,
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        out_option("Store to write the smallest to that keep it; goes on there."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say what smaller vectors lose on a collection, and write the smallest that keep a promise."""
    from dinoscope.backbones.bundled import kind_told
    from dinoscope.compression.compress import compress
    from dinoscope.compression.text import compressed_json, compressed_text
    from dinoscope.shell.terminal import read_words
    from dinoscope.store.store import open_store
    from dinoscope.strict_json import strict_json

    whole = open_store(store)
    found = compress(
        whole,
        out,
        keep_cosine=keep_cosine,
        keep_recall=keep_recall,
        poolings=read_words(pooling),
        centred=centred,
        table=table,
        seed=seed,
    )
    if as_json:
        print(strict_json(compressed_json(found)))
        return
    note = kind_told(whole.table(table).settings.backbone)
    print("\n".join([compressed_text(found), *([f"note: {note}"] if note else [])]))
    if found.store is not None:
        print(f"\nstore: {out}")
