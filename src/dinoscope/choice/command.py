"""`dinoscope choose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell.options import Device, Dtype, MaskKind, Models, Photos, Seed


def choose_command(
    photos: Photos,
    *,
    models: Models,
    masks: Annotated[Path, typer.Option(help="Folder of class masks, or of scenes.", show_default=False)],
    mask_kind: MaskKind = None,
    layers: Annotated[str, typer.Option(help="0-based layers, separated by commas, or all.")] = "all",
    grids: Annotated[str, typer.Option(help="Patches on the short side, separated by commas.")] = "32",
    facets: Annotated[str, typer.Option(help="token, key, query, value; separated by commas.")] = "token",
    by: Annotated[
        str,
        typer.Option(
            help="place_knn_miou, place_linear_miou; on one grid boundary_auc, matched_coherence_auc."
        ),
    ] = "place_knn_miou",
    group: Annotated[
        str | None,
        typer.Option(
            help="Regular expression: photographs whose names match by the same text are held out as one.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for choose.json and choose.png; resumes there.", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Which backbone, layer, grid and facet for these photographs and masks? Scored on what is held out."""
    from dinoscope.choice.choose import Sweep, chosen_of
    from dinoscope.choice.output import choice_json, choice_text, write_choice
    from dinoscope.data.results import Failure
    from dinoscope.shell.terminal import (
        end,
        load_models,
        note,
        progress,
        read_ints,
        read_photographs,
        read_words,
    )

    paths, failures = read_photographs(photos)
    sides = read_ints(grids, "--grids")
    sweep = Sweep(
        "all" if layers.strip() == "all" else read_ints(layers, "--layers"),
        sides,
        tuple(read_words(facets)),
        by,
        group,
        mask_kind,
    )
    backbones = load_models(models, grid=max(sides), device=device, dtype=dtype, seed=seed)
    told: list[Failure] = []
    with progress("photographs", len(paths)) as advance:
        choice = chosen_of(
            paths, masks, backbones, sweep, folder=out, on_failure=note(told), on_progress=advance
        )
    if out is not None:
        write_choice(choice, out)
    print(choice_json(choice) if as_json else choice_text(choice), end="" if as_json else "\n")
    end([*failures, *told])
