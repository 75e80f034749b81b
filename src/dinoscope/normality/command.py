"""`dinoscope normal`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import INPUT


@examples(
    "dinoscope normal good/ new/ --models dinov2-reg-base,dinov3-vitb16",
    "dinoscope normal mvtec/bottle --models dinov3-vitb16 --rate 0.01 -o normal",
)
def normal_command(
    good: Annotated[
        Path,
        typer.Argument(
            help="Folder of normal photographs, or one that holds train/good and test.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    queries: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Photographs to judge, or folders of them.", show_default=False, rich_help_panel=INPUT
        ),
    ] = None,
    *,
    masks: Annotated[
        Path | None,
        option(
            "Folder of masks of known defects: KIND/NAME_mask.png.", INPUT, metavar="DIR", show_default=False
        ),
    ] = None,
    models: options.Models,
    layer: options.Layer = None,
    grid: options.Grid = 32,
    resize: options.ResizeFilter = "bilinear",
    rate: Annotated[
        float | None,
        option("Share of false alarms; 0.05, or the least that can be held.", show_default=False),
    ] = None,
    coverage: Annotated[
        float | None,
        option(
            "Keep only patches enough that each lies within this distance of a kept one.", show_default=False
        ),
    ] = None,
    controls: options.Controls = True,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        out_option("Folder for normal.json and normal.png."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """What is not normal in these photographs? Distances to the patches of normal ones, by several models."""
    from dinoscope.comparison.controls import plan_controls
    from dinoscope.data.results import Failure
    from dinoscope.io.defect_folders import defect_folders
    from dinoscope.normality.judge import NormalSettings, judge_queries
    from dinoscope.normality.output import judged_json, judged_text, write_judged
    from dinoscope.shell.paths import check_out
    from dinoscope.shell.terminal import end, load_models, note, progress

    check_out(out)
    folders = defect_folders(good, queries or [], masks)
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    beside = plan_controls(backbones, seed=seed).backbones if controls else ()
    failures: list[Failure] = []
    with progress("photographs", len(folders.queries)) as advance:
        judged = judge_queries(
            folders,
            backbones,
            NormalSettings(grid, layer, resize, coverage, rate),
            controls=beside,
            on_failure=note(failures),
            on_progress=advance,
        )
    if out is not None:
        write_judged(judged, out)
    print(judged_json(judged) if as_json else judged_text(judged), end="" if as_json else "\n")
    end(failures)
