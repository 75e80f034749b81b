"""`dinoscope compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import choices, options
from dinoscope.shell.commands import apart, examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import MODEL, OUTPUT


@examples(
    "dinoscope compare my-photos/ --open",
    "dinoscope compare a.jpg b.jpg --models dinov2-reg-base,dinov3-vitb16 -o out",
    "dinoscope compare photos/ --recipe v2-v3 --masks masks/ -o family",
)
@apart(
    "recipe",
    only=("grids", "sizes"),
    never=(
        *("models", "at", "layer", "layers", "facet", "grid", "finer", "repair", "remove_position"),
        *("dtype", "autocast", "compiled", "allow_inexact", "profile", "full"),
        *("components", "foreground", "colours", "attention", "upsample", "figures"),
    ),
)
def compare_command(
    photos: options.Photos,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    masks: options.Masks = None,
    mask_kind: options.MaskKind = None,
    layout: options.Layout = None,
    at: options.At = None,
    models: options.ModelsOrPair = None,
    recipe: Annotated[
        choices.Recipe | None,
        option(
            "The whole family in place of --models: every size on every grid, pair by pair; resumable.", MODEL
        ),
    ] = None,
    layer: options.Layer = None,
    layers: Annotated[
        str, option("Further layers to look at in the report, not measured (0-based).", MODEL, metavar="N,N")
    ] = "",
    grids: Annotated[
        str, option("Of a recipe: patches on the short side.", MODEL, metavar="N[,N...]")
    ] = "16,32",
    sizes: Annotated[str, option("Of a recipe: S, B, L; all by default.", MODEL, metavar="A[,B...]")] = "",
    facet: options.Facet = "token",
    grid: options.Grid = 32,
    finer: options.Finer = 1,
    resize: options.ResizeFilter = "bilinear",
    repair: options.Repair = "none",
    remove_position: options.RemovePosition = 0,
    controls: options.Controls = True,
    upsample: Annotated[
        str,
        option(
            "Also colours between the patches of the first photographs: joint, bilinear, nearest, or "
            "what torch.hub has of anyup, featup:ENTRY and loftup:ENTRY.",
            MODEL,
            metavar="WAY",
            show_default=False,
        ),
    ] = "none",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    allow_inexact: options.AllowInexact = False,
    seed: options.Seed = 0,
    out: Annotated[Path, out_option("Folder to write to.")] = Path("dinoscope-report"),
    components: Annotated[
        str,
        option("Components shown as red, green, blue (0-based).", OUTPUT, metavar="R,G,B"),
    ] = "0,1,2",
    foreground: Annotated[
        choices.Foreground,
        option("pc1: colour only the foreground.", OUTPUT),
    ] = "none",
    colours: Annotated[
        choices.Colours,
        option("Of the maps: components, normalised cut, or clusters.", OUTPUT),
    ] = "pca",
    attention: Annotated[
        str,
        option(
            "Also what the class token (cls) or the patch at X,Y attends to, in the first photographs.",
            OUTPUT,
            metavar="cls|X,Y",
            show_default=False,
        ),
    ] = "",
    figures: Annotated[
        str,
        option(
            "A figure of each photograph in figures/; without it the overview alone.",
            OUTPUT,
            metavar="png,pdf,svg",
            show_default=False,
        ),
    ] = "",
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
    from dinoscope.comparison.figures.maps import check_formats
    from dinoscope.comparison.maps import POINTS
    from dinoscope.comparison.masks import laid_out, photographs_of
    from dinoscope.comparison.output import write_comparison
    from dinoscope.comparison.tables.closing import closing_text
    from dinoscope.comparison.tables.files import comparison_json, measurements_text
    from dinoscope.comparison.verdict import verdict
    from dinoscope.pipeline.fast import wanted_dtype
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.shell.paths import check_folders, check_out, open_file
    from dinoscope.shell.stages import Stage, stages
    from dinoscope.shell.terminal import (
        SOME_FAILED,
        load_models,
        looked_at,
        read_ints,
        read_photographs,
        read_places,
        read_query,
        read_triple,
        read_words,
        say_failure,
        tell,
    )

    beside = read_ints(layers, "--layers")
    formats = read_words(figures)
    check_formats(formats)
    asked = read_query(attention)
    places, shown = read_places(at or []) or POINTS, read_triple(components, "--components")
    paths, failures = read_photographs(photos, recursive=recursive, pixel_range=pixel_range)
    check_folders(masks or (), "masks")
    known = laid_out(masks, layout)
    paths = photographs_of(paths, known)
    check_out(out, photos, recursive=recursive)
    if recipe is not None:
        from dinoscope.comparison.recipe.cells import Asked
        from dinoscope.comparison.recipe.command import run_recipe

        page = run_recipe(
            recipe,
            sizes,
            grids,
            Asked(paths, known, mask_kind, controls, resize, seed),
            out,
            load=lambda name, side: load_models(name, grid=side, device=device, dtype="float32", seed=seed)[
                0
            ],
            as_json=as_json,
        )
        if open_it:
            open_file(page)
        return
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
            colours=colours,
            masks=known,
            mask_kind=mask_kind,
            controls=controls,
            layers=[layer] * len(backbones),
            further_layers=beside,
            repair=repair,
            attention=asked,
            upsample=upsample,
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
            report = write_comparison(comparison, out, formats=formats)
        course.next()
    toys = toys_told(backbone.spec.name for backbone in backbones)
    if as_json:
        print(comparison_json(comparison))
        tell(f"report: {report}")
    elif full:
        told = [f"note: {toys}"] if toys else []
        numbers = measurements_text(comparison.measurements)
        print("\n".join([*verdict(comparison), "", numbers, *told, "", f"report: {report}"]))
    else:
        print(closing_text(comparison, report, notes=[toys] if toys else []))
    if open_it:
        open_file(report)
    if comparison.failures:
        raise typer.Exit(SOME_FAILED)
