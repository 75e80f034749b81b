"""`dinoscope measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import COMPUTE


@examples(
    "dinoscope measure my-photos/ --models dinov2-reg-base,dinov3-vitb16",
    "dinoscope measure my-photos/ --models mini,mini-gram --masks my-masks/ -o out",
)
def measure_command(
    photos: options.Photos,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    masks: options.Masks = None,
    mask_kind: options.MaskKind = None,
    layout: options.Layout = None,
    models: options.Models,
    layer: options.Layer = None,
    facet: options.Facet = "token",
    grid: options.Grid = 32,
    finer: options.Finer = 1,
    resize: options.ResizeFilter = "bilinear",
    repair: options.Repair = "none",
    remove_position: options.RemovePosition = 0,
    controls: options.Controls = True,
    passes: Annotated[
        bool,
        option(
            "Also what needs 6 further forward passes: resolution, equivariance, correspondence.",
            COMPUTE,
            "--passes",
        ),
    ] = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    allow_inexact: options.AllowInexact = False,
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        out_option("Folder for metrics.csv, .json, table.md, .tex and plane.svg, .png; resumes there."),
    ] = None,
    as_json: options.Json = False,
    profile: options.Profile = False,
) -> None:
    """Measure models on photographs; no pictures, memory does not grow with their number."""
    from dinoscope.backbones.bundled import toys_told
    from dinoscope.backbones.load import torch_device
    from dinoscope.comparison.content_free import without_position
    from dinoscope.comparison.masks import laid_out, photographs_of
    from dinoscope.comparison.measure import measure
    from dinoscope.comparison.tables.files import measurements_json, measurements_text, write_measurements
    from dinoscope.names import printable
    from dinoscope.pipeline.fast import wanted_dtype
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.shell.paths import check_folders, check_out
    from dinoscope.shell.stages import Stage, stages
    from dinoscope.shell.terminal import end, load_models, looked_at, note, read_photographs, tell

    paths, failures = read_photographs(photos, recursive=recursive, pixel_range=pixel_range)
    check_folders(masks or (), "masks")
    known = laid_out(masks, layout)
    paths = photographs_of(paths, known)
    check_out(out, photos, recursive=recursive)
    arithmetic = wanted_dtype(dtype, torch_device(device), autocast=autocast)
    backbones = load_models(
        looked_at(models, facet, finer), grid=grid, device=device, dtype="float32", seed=seed
    )
    if remove_position:
        backbones = [without_position(b, remove_position, grid, layer=layer) for b in backbones]
    planned = (Stage("features", 0.8, total=len(paths)), Stage("controls, intervals", 0.2))
    with profile_told(tell, asked=profile):
        with stages(*planned) as course:
            result = measure(
                paths,
                backbones,
                grid=grid,
                masks=known,
                mask_kind=mask_kind,
                controls=controls,
                passes=passes,
                journal=None if out is None else out / "rows.jsonl",
                layers=[layer] * len(backbones),
                repair=repair,
                resize=resize,
                seed=seed,
                dtype=arithmetic,
                autocast=autocast,
                compiled=compiled,
                allow_inexact=allow_inexact,
                on_failure=note(failures),
                on_progress=course.advance,
            )
            course.next()
        if out is not None:
            with timed("write"):
                write_measurements(result, failures, out)
    if as_json:
        print(measurements_json(result, failures))
    else:
        toys = toys_told(backbone.spec.name for backbone in backbones)
        print("\n".join([measurements_text(result), *([f"note: {toys}"] if toys else [])]))
    if out is not None and not as_json:
        print(f"\nnumbers: {printable(str(out))}")
    end(failures)
