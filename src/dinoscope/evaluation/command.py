"""`dinoscope evaluate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell.options import Seed


def evaluate_command(
    store: Annotated[str, typer.Argument(help="Folder that `dinoscope embed` filled.", show_default=False)],
    *,
    labels: Annotated[
        str, typer.Option(help="folders, or a CSV or JSON file of names and labels.", show_default=False)
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for page.html, scores.csv and .json.", show_default=False),
    ] = None,
    table: Annotated[
        str | None, typer.Option(help="Table or model, where the store has several.", show_default=False)
    ] = None,
    poolings: Annotated[str, typer.Option(help="Of mean, cls, gem, foreground; all by default.")] = "",
    suppressions: Annotated[
        str, typer.Option(help="Of centre, common, whiten, background; all by default.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    seed: Seed = 0,
) -> None:
    """Score a store by class: every pooling and suppression, with held-out ranks, intervals and controls."""
    from dinoscope.errors import InputError
    from dinoscope.evaluation.background_alone import background_alone
    from dinoscope.evaluation.evaluate import evaluate_retrieval
    from dinoscope.evaluation.text import scores_json, scores_text
    from dinoscope.shell.terminal import read_words
    from dinoscope.store.store import open_store

    opened = open_store(store, table=table)
    scores = evaluate_retrieval(
        opened,
        labels=labels,
        poolings=read_words(poolings) or None,
        suppressions=read_words(suppressions) or None,
        seed=seed,
    )
    backgrounds = None
    try:
        backgrounds = background_alone(opened, labels=labels, seed=seed)
    except InputError as error:  # the scores stand without it
        print(f"not searched by backgrounds alone: {error}", file=sys.stderr)
    if out is not None:
        from dinoscope.evaluation.pictures import retrieval_pictures
        from dinoscope.evaluation.report.page import write_retrieval

        shows = any(row.pooling == "mean" and row.suppression == "background" for row in scores.rows)
        pictures = retrieval_pictures(opened, scores, labels=labels) if shows else None
        print(f"page: {write_retrieval(scores, out, pictures, backgrounds)}", file=sys.stderr)
    print(scores_json(scores, backgrounds) if as_json else scores_text(scores, backgrounds))
