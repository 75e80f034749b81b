"""`dinoscope normal`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import INPUT


@examples(
    "dinoscope normal good/ new/ --models dinov2-reg-base,dinov3-vitb16",
    "dinoscope normal mvtec/bottle --models dinov3-vitb16 --rate 0.01 -o normal",
)
def normal_command(
    good: Annotated[
        Path, argument("Folder of normal photographs, or one that holds train/good and test.", INPUT)
    ],
    queries: Annotated[
        list[Path] | None, argument("Photographs to judge, or folders of them.", INPUT)
    ] = None,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    masks: Annotated[
        Path | None, option("Folder of masks of known defects: KIND/NAME_mask.png.", INPUT, metavar="DIR")
    ] = None,
    models: options.Models,
    layer: options.Layer = None,
    grid: options.Grid = 32,
    resize: options.ResizeFilter = "bilinear",
    rate: Annotated[
        float | None, option("Share of false alarms; 0.05, or the least that can be held.")
    ] = None,
    coverage: Annotated[
        float | None, option("Keep only patches enough that each lies within this distance of a kept one.")
    ] = None,
    exact: Annotated[
        bool | None,
        option(
            "Compare every patch, or use lists (faiss), as above 200,000 patches where it is installed.",
            None,
            "--exact/--lists",
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
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.normality.judge import NormalSettings, judge_queries
    from dinoscope.normality.output import judged_json, judged_text, write_judged
    from dinoscope.shell.paths import check_out
    from dinoscope.shell.terminal import end, load_models, note, progress, with_kinds

    use_range(read_range(pixel_range))
    folders = defect_folders(good, queries or [], masks, recursive=recursive)
    check_out(out, (*folders.good, *(queries or ())), recursive=recursive)
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    beside = plan_controls(backbones, seed=seed).backbones if controls else ()
    failures: list[Failure] = []
    with progress("photographs", len(folders.queries)) as advance:
        judged = judge_queries(
            folders,
            backbones,
            NormalSettings(grid, layer, resize, coverage, rate, exact),
            controls=beside,
            on_failure=note(failures),
            on_progress=advance,
        )
    if out is not None:
        write_judged(judged, out)
    print(judged_json(judged) if as_json else with_kinds(judged_text(judged), (*backbones, *beside)), end="")
    end(failures)
