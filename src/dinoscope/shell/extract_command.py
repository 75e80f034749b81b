"""`dinoscope extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.data.features import Provenance
from dinoscope.shell import options


def extract_command(
    photos: options.Photos,
    *,
    model: Annotated[str, typer.Option(help="NAME, PATH or NAME=PATH.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    grid: options.Grid = 32,
    layers: Annotated[
        str, typer.Option(help="0-based layers, separated by commas; the last by default.")
    ] = "",
    file_format: Annotated[str, typer.Option("--format", help="safetensors or npz.")] = "safetensors",
    facet: options.Facet = "token",
    finer: options.Finer = 1,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    resize: options.ResizeFilter = "bilinear",
    tile: options.Tile = None,
    overlap: options.Overlap = None,
    compiled: options.Compile = False,
    profile: options.Profile = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    seed: options.Seed = 0,
) -> None:
    """Write the patch features of photographs, one file each."""
    from dinoscope.io.features import check_format, feature_path, write_features
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.pipeline.extract import extract_layers
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.pipeline.run import Run
    from dinoscope.shell.terminal import (
        end,
        load_model,
        looked_at,
        note,
        progress,
        read_ints,
        read_photographs,
        tell,
    )

    suffix = check_format(file_format)
    use_range(read_range(pixel_range))
    paths, failures = read_photographs(photos, recursive=recursive)
    whole = grid if tile is None else min(grid, 1)  # with tiles, a grid need not fit in memory
    backbone = load_model(
        looked_at(model, facet, finer), grid=whole, device=device, dtype=dtype, autocast=autocast, seed=seed
    )
    chosen = read_ints(layers, "--layers") or None

    with profile_told(tell, asked=profile), progress("photographs", len(paths)) as advance:
        written = 0
        for by_layer in extract_layers(
            paths,
            backbone,
            Run(grid, layers=chosen, resize=resize, tile=tile, overlap=overlap),
            compiled=compiled,
            on_failure=note(failures),
        ):
            for features in by_layer.values():
                _tell_seam(features.provenance)
            path = feature_path(out, next(iter(by_layer.values())).provenance, suffix)
            with timed("write"):
                write_features(path, by_layer, format_=suffix)
            written += 1
            advance(written + len(failures))
    print(f"{written} of {len(paths)} photographs: {out}")
    end(failures)


def _tell_seam(provenance: Provenance) -> None:
    from dinoscope.names import printable
    from dinoscope.shell.terminal import tell

    if provenance.tiles:
        seam = "no tiles overlap" if provenance.seam is None else f"seam score {provenance.seam:.4f}"
        tell(f"{printable(provenance.image)}, layer {provenance.layer}: tiles of {provenance.tiles}; {seam}")
