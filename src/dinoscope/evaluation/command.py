"""`dinoscope evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import INPUT


@examples(
    "dinoscope evaluate my-store --labels folders",
    "dinoscope evaluate my-store --labels labels.csv --poolings mean,cls -o scores",
)
def evaluate_command(
    store: options.Store,
    *,
    labels: Annotated[
        str, option("folders, or a CSV or JSON file of names and labels.", INPUT, metavar="folders|FILE")
    ],
    table: options.Table = None,
    poolings: Annotated[
        str, option("Of mean, cls, gem, foreground; all by default.", metavar="A[,B...]")
    ] = "",
    suppressions: Annotated[
        str, option("Of centre, common, whiten, background; all by default.", metavar="A[,B...]")
    ] = "",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        out_option("Folder for page.html, scores.csv and .json."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Score a store by class: every pooling and suppression, with held-out ranks, intervals and controls."""
    from dinoscope.backbones.bundled import kind_told
    from dinoscope.errors import InputError
    from dinoscope.evaluation.background_alone import background_alone
    from dinoscope.evaluation.evaluate import evaluate_retrieval
    from dinoscope.evaluation.text import scores_json, scores_text
    from dinoscope.shell.paths import check_out
    from dinoscope.shell.terminal import read_words, tell
    from dinoscope.store.store import open_store

    check_out(out)
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
        tell(f"not searched by backgrounds alone: {error}")
    if out is not None:
        from dinoscope.evaluation.pictures import retrieval_pictures
        from dinoscope.evaluation.report.page import write_retrieval

        shows = any(row.pooling == "mean" and row.suppression == "background" for row in scores.rows)
        pictures = retrieval_pictures(opened, scores, labels=labels) if shows else None
        tell(f"page: {write_retrieval(scores, out, pictures, backgrounds)}")
    print(scores_json(scores, backgrounds) if as_json else scores_text(scores, backgrounds))
    if (said := kind_told(opened.table().settings.backbone)) and not as_json:
        print(f"note: {said}")
