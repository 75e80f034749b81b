"""`dinoscope measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import options


def measure_command(
    photos: options.Photos,
    *,
    models: options.Models,
    grid: options.Grid = 32,
    masks: options.Masks = None,
    mask_kind: options.MaskKind = None,
    controls: options.Controls = True,
    remove_position: options.RemovePosition = 0,
    passes: Annotated[
        bool,
        typer.Option(
            "--passes",
            help="Also what needs 6 further forward passes: resolution, equivariance, correspondence.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for metrics.csv, .json, table.md, .tex and plane.svg, .png; resumes there."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    layer: options.Layer = None,
    facet: options.Facet = "token",
    finer: options.Finer = 1,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    resize: options.ResizeFilter = "bilinear",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    allow_inexact: options.AllowInexact = False,
    profile: options.Profile = False,
    seed: options.Seed = 0,
) -> None:
    """Measure models on photographs; no pictures, memory does not grow with their number."""
    from dinoscope.backbones.load import torch_device
    from dinoscope.comparison.content_free import without_position
    from dinoscope.comparison.measure import measure
    from dinoscope.comparison.tables.files import measurements_json, measurements_text, write_measurements
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.pipeline.fast import wanted_dtype
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.shell.terminal import end, load_models, looked_at, note, progress, read_photographs, tell

    use_range(read_range(pixel_range))
    paths, failures = read_photographs(photos, recursive=recursive)
    arithmetic = wanted_dtype(dtype, torch_device(device), autocast=autocast)
    backbones = load_models(
        looked_at(models, facet, finer), grid=grid, device=device, dtype="float32", seed=seed
    )
    if remove_position:
        backbones = [without_position(b, remove_position, grid, layer=layer) for b in backbones]
    with profile_told(tell, asked=profile):
        with progress("photographs", len(paths)) as advance:
            result = measure(
                paths,
                backbones,
                grid=grid,
                masks=masks or None,
                mask_kind=mask_kind,
                controls=controls,
                passes=passes,
                journal=None if out is None else out / "rows.jsonl",
                layers=[layer] * len(backbones),
                resize=resize,
                seed=seed,
                dtype=arithmetic,
                autocast=autocast,
                compiled=compiled,
                allow_inexact=allow_inexact,
                on_failure=note(failures),
                on_progress=advance,
            )
        if out is not None:
            with timed("write"):
                write_measurements(result, failures, out)
    print(measurements_json(result, failures) if as_json else measurements_text(result))
    end(failures)
