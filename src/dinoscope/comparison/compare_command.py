"""`dinoscope compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import options


def compare_command(
    photos: options.Photos,
    *,
    models: options.Models,
    grid: options.Grid = 32,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("dinoscope-report"),
    at: options.At = None,
    components: Annotated[
        str, typer.Option(help="Components shown as red, green, blue (0-based).")
    ] = "0,1,2",
    foreground: Annotated[str, typer.Option(help="none, or pc1: colour only the foreground.")] = "none",
    masks: options.Masks = None,
    mask_kind: options.MaskKind = None,
    controls: options.Controls = True,
    remove_position: options.RemovePosition = 0,
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
    """Compare models on photographs: report.html, figures, metrics and a manifest."""
    from dinoscope.backbones.load import torch_device
    from dinoscope.comparison.compare import compare
    from dinoscope.comparison.content_free import without_position
    from dinoscope.comparison.maps import POINTS
    from dinoscope.comparison.output import write_comparison
    from dinoscope.comparison.tables.files import summary_text
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.pipeline.fast import wanted_dtype
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.shell.terminal import (
        end,
        load_models,
        looked_at,
        progress,
        read_photographs,
        read_places,
        read_triple,
        say_failure,
        tell,
    )

    places = read_places(at or []) or POINTS
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
            comparison = compare(
                paths,
                backbones,
                grid=grid,
                at=places,
                components=read_triple(components, "--components"),
                foreground=foreground,
                masks=masks or None,
                mask_kind=mask_kind,
                controls=controls,
                layers=[layer] * len(backbones),
                resize=resize,
                seed=seed,
                dtype=arithmetic,
                autocast=autocast,
                compiled=compiled,
                allow_inexact=allow_inexact,
                on_failure=say_failure,
                on_progress=advance,
            )
        comparison = replace(comparison, failures=(*failures, *comparison.failures))
        with timed("write"):
            report = write_comparison(comparison, out)
    print(summary_text(comparison))
    print(f"\nreport: {report}")
    end(comparison.failures)
