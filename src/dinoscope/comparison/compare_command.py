"""`dinoscope compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import OUTPUT


@examples(
    "dinoscope compare my-photos/ --open",
    "dinoscope compare a.jpg b.jpg --models dinov2-reg-base,dinov3-vitb16 -o out",
)
def compare_command(
    photos: options.Photos,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    masks: options.Masks = None,
    mask_kind: options.MaskKind = None,
    at: options.At = None,
    models: options.ModelsOrPair = None,
    layer: options.Layer = None,
    facet: options.Facet = "token",
    grid: options.Grid = 32,
    finer: options.Finer = 1,
    resize: options.ResizeFilter = "bilinear",
    remove_position: options.RemovePosition = 0,
    controls: options.Controls = True,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    allow_inexact: options.AllowInexact = False,
    seed: options.Seed = 0,
    out: Annotated[Path, out_option("Folder to write to.", show_default=True)] = Path("dinoscope-report"),
    components: Annotated[
        str,
        option("Components shown as red, green, blue (0-based).", OUTPUT, metavar="R,G,B"),
    ] = "0,1,2",
    foreground: Annotated[
        choices.Foreground,
        option("pc1: colour only the foreground.", OUTPUT),
    ] = "none",
    open_it: Annotated[bool, option("Open the report in a browser.", OUTPUT, "--open")] = False,
    full: Annotated[bool, option("Print every table and warning.", OUTPUT, "--full")] = False,
    as_json: options.Json = False,
    profile: options.Profile = False,
) -> None:
    """Compare models on photographs: report.html, figures, metrics and a manifest.

    Without --models the bundled pair of toy models is compared.
    """
    from dinoscope.backbones.bundled import PAIR, toys_told
    from dinoscope.backbones.load import torch_device
    from dinoscope.comparison.compare import compare
    from dinoscope.comparison.content_free import without_position
    from dinoscope.comparison.maps import POINTS
    from dinoscope.comparison.output import write_comparison
    from dinoscope.comparison.tables.closing import closing_text
    from dinoscope.comparison.tables.files import comparison_json, summary_text
    from dinoscope.comparison.verdict import verdict
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.pipeline.fast import wanted_dtype
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.shell.paths import check_folders, check_out, open_file
    from dinoscope.shell.stages import Stage, stages
    from dinoscope.shell.terminal import (
        SOME_FAILED,
        load_models,
        looked_at,
        read_photographs,
        read_places,
        read_triple,
        say_failure,
        tell,
    )

    places, shown = read_places(at or []) or POINTS, read_triple(components, "--components")
    use_range(read_range(pixel_range))
    paths, failures = read_photographs(photos, recursive=recursive)
    check_folders(masks or (), "masks")
    check_out(out)
    if models is None:
        tell(f"no --models: comparing the bundled pair, {' and '.join(PAIR)}")
    arithmetic = wanted_dtype(dtype, torch_device(device), autocast=autocast)
    named = looked_at(",".join(PAIR) if models is None else models, facet, finer)
    backbones = load_models(named, grid=grid, device=device, dtype="float32", seed=seed)
    if remove_position:
        backbones = [without_position(b, remove_position, grid, layer=layer) for b in backbones]
    planned = (
        Stage("features", len(paths), total=len(paths)),
        Stage("controls, intervals, maps", 2 + len(paths) / 6),
        Stage("writing", 3),
    )
    with profile_told(tell, asked=profile), stages(*planned) as course:
        comparison = compare(
            paths,
            backbones,
            grid=grid,
            at=places,
            components=shown,
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
            on_progress=course.advance,
        )
        course.next()
        comparison = replace(comparison, failures=(*failures, *comparison.failures))
        with timed("write"):
            report = write_comparison(comparison, out)
        course.next()
    if as_json:
        print(comparison_json(comparison))
        tell(f"report: {report}")
    elif full:
        print("\n".join([*verdict(comparison), "", summary_text(comparison), "", f"report: {report}"]))
    else:
        toys = toys_told(backbone.spec.name for backbone in backbones)
        print(closing_text(comparison, report, notes=[toys] if toys else []))
    if open_it:
        open_file(report)
    if comparison.failures:
        raise typer.Exit(SOME_FAILED)
