"""`dinoscope measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.options import (
    Controls,
    Device,
    Dtype,
    Grid,
    Layer,
    Masks,
    Models,
    Photos,
    RemovePosition,
    ResizeFilter,
    Seed,
)


def measure_command(
    photos: Photos,
    *,
    models: Models,
    grid: Grid = 32,
    masks: Masks = None,
    controls: Controls = True,
    remove_position: RemovePosition = 0,
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
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Measure models on photographs; no pictures, memory does not grow with their number."""
    from dinoscope.analyses.content_free import without_position
    from dinoscope.analyses.measure import measure
    from dinoscope.present.tables import measurements_json, measurements_text, write_measurements
    from dinoscope.terminal import end, load_models, note, progress, read_photographs

    paths, failures = read_photographs(photos)
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    if remove_position:
        backbones = [without_position(b, remove_position, grid, layer=layer) for b in backbones]
    with progress("photographs", len(paths)) as advance:
        result = measure(
            paths,
            backbones,
            grid=grid,
            masks=masks,
            controls=controls,
            passes=passes,
            journal=None if out is None else out / "rows.jsonl",
            layers=[layer] * len(backbones),
            resize=resize,
            seed=seed,
            on_failure=note(failures),
            on_progress=advance,
        )
    if out is not None:
        write_measurements(result, failures, out)
    print(measurements_json(result, failures) if as_json else measurements_text(result))
    end(failures)
