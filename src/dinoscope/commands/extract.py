"""`dinoscope extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.options import Device, Dtype, Grid, Photos, ResizeFilter, Seed


def extract_command(
    photos: Photos,
    *,
    model: Annotated[str, typer.Option(help="NAME, PATH or NAME=PATH.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    grid: Grid = 32,
    layers: Annotated[
        str, typer.Option(help="0-based layers, separated by commas; the last by default.")
    ] = "",
    file_format: Annotated[str, typer.Option("--format", help="safetensors or npz.")] = "safetensors",
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Write the patch features of photographs, one file each."""
    from dinoscope.io.features import check_format, feature_path, write_features
    from dinoscope.pipeline.extract import extract_layers
    from dinoscope.terminal import end, load_models, note, progress, read_ints, read_photographs

    suffix = check_format(file_format)
    paths, failures = read_photographs(photos)
    backbone, *others = load_models(model, grid=grid, device=device, dtype=dtype, seed=seed)
    if others:
        raise InputError("extract takes one model at a time")
    chosen = read_ints(layers, "--layers") or None

    with progress("photographs", len(paths)) as advance:
        written = 0
        for by_layer in extract_layers(
            paths, backbone, layers=chosen, grid=grid, resize=resize, on_failure=note(failures)
        ):
            path = feature_path(out, next(iter(by_layer.values())).provenance, suffix)
            write_features(path, by_layer, format_=suffix)
            written += 1
            advance(written + len(failures))
    print(f"{written} of {len(paths)} photographs: {out}")
    end(failures)
