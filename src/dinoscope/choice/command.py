"""`dinoscope choose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import INPUT, MODEL


@examples(
    "dinoscope choose photos/ --masks masks/ --models dinov2-reg-base,dinov3-vitb16",
    "dinoscope choose photos/ --masks masks/ --models mini --grids 16,32 -o choice",
)
def choose_command(
    photos: options.Photos,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    masks: Annotated[Path, option("Folder of class masks, or of scenes.", INPUT, metavar="DIR")],
    mask_kind: options.MaskKind = None,
    layout: options.Layout = None,
    models: options.Models,
    layers: Annotated[
        str,
        option("0-based layers, separated by commas, or all.", MODEL, metavar="all|N[,N...]"),
    ] = "all",
    grids: Annotated[
        str,
        option("Patches on the short side, separated by commas.", MODEL, metavar="N[,N...]"),
    ] = "32",
    facets: Annotated[
        str,
        option("token, key, query, value; separated by commas.", MODEL, metavar="A[,B...]"),
    ] = "token",
    by: Annotated[
        str,
        option(
            "place_knn_miou, place_linear_miou; on one grid boundary_auc, matched_coherence_auc.",
            metavar="METRIC",
        ),
    ] = "place_knn_miou",
    group: Annotated[
        str | None,
        option(
            "Regular expression: photographs whose names match by the same text are held out as one.",
            metavar="PATTERN",
        ),
    ] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        out_option("Folder for choose.json and choose.png; resumes there."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Which backbone, layer, grid and facet for these photographs and masks? Scored on what is held out."""
    from dinoscope.choice.choose import Sweep, chosen_of
    from dinoscope.choice.output import choice_json, choice_text, write_choice
    from dinoscope.comparison.masks import laid_out, photographs_of
    from dinoscope.data.results import Failure
    from dinoscope.shell.paths import check_folders, check_out
    from dinoscope.shell.stages import Stage, stages
    from dinoscope.shell.terminal import (
        end,
        load_models,
        note,
        read_ints,
        read_photographs,
        read_words,
        with_kinds,
    )

    check_folders([masks], "masks")
    known = laid_out([masks], layout) or [masks]
    check_out(out, photos, recursive=recursive)
    paths, failures = read_photographs(photos, recursive=recursive, pixel_range=pixel_range)
    paths = photographs_of(paths, known)
    sides = read_ints(grids, "--grids")
    sweep = Sweep(
        "all" if layers.strip() == "all" else read_ints(layers, "--layers"),
        sides,
        tuple(read_words(facets)),
        by,
        group,
        mask_kind,
    )
    backbones = load_models(models, grid=max(sides), device=device, dtype=dtype, seed=seed)
    told: list[Failure] = []
    with stages(Stage("photographs", total=len(paths)), Stage("readouts")) as course:
        choice = chosen_of(
            paths,
            known[0],
            backbones,
            sweep,
            folder=out,
            on_failure=note(told),
            on_progress=course.advance,
            on_readout=course.so_far,
        )
    if out is not None:
        write_choice(choice, out)
    print(choice_json(choice) if as_json else with_kinds(choice_text(choice), backbones), end="")
    end([*failures, *told])
