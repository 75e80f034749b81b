"""`dinoscope view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.options import Device, Dtype, Grid, Layer, Models, ResizeFilter, Seed


def view_command(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(help="Photographs to begin with, or folders of them.", show_default=False),
    ] = None,
    *,
    models: Models,
    grid: Grid = 32,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 chooses a free one.")] = 0,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a report, written once the photographs named here are ready, and again by "
            "the page's button.",
            show_default=False,
        ),
    ] = None,
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Open a page on this machine where photographs can be dropped and every model answers."""
    from dinoscope.analyses.measure import unique_labels
    from dinoscope.analyses.session import Session
    from dinoscope.io.images import decode_photograph, read_photograph
    from dinoscope.present.output import write_comparison
    from dinoscope.present.viewer import serve
    from dinoscope.terminal import load_models, read_photographs

    paths = read_photographs(photos)[0] if photos else []
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    serve(
        paths,
        Session(backbones, layers=[layer] * len(backbones), resize=resize, seed=seed),
        read=read_photograph,
        decode=lambda data, name: decode_photograph(data, name=name),
        labels=unique_labels(backbones),
        export=None if export is None else lambda comparison: write_comparison(comparison, export),
        grid=grid,
        host=host,
        port=port,
        on_ready=lambda address: print(f"open {address} (Ctrl-C ends it)", flush=True),
    )
