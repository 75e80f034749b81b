"""`dinoscope search`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option
from dinoscope.shell.panels import INPUT, MODEL, OUTPUT


@examples(
    "dinoscope search my-store photo.jpg --suppress background",
    "dinoscope search my-store photo.jpg --box 0.2,0.2,0.6,0.8 -k 20",
)
def search_command(
    store: options.Store,
    query: Annotated[
        list[str] | None,
        typer.Argument(
            help="Photograph, or several to search for together; or where a stored one was found.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ] = None,
    *,
    table: options.Table = None,
    box: Annotated[
        str | None,
        option("Region of the query, each in [0, 1].", INPUT, metavar="X0,Y0,X1,Y1", show_default=False),
    ] = None,
    patch: Annotated[
        str | None,
        option("One patch of the query.", INPUT, metavar="X,Y", show_default=False),
    ] = None,
    mask: Annotated[
        Path | None,
        option(
            "Region of the query: an image of its size, white inside; patches count by what it covers.",
            INPUT,
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        option(
            "The store's model, where its name does not say where the weights are.",
            MODEL,
            metavar="MODEL",
            show_default=False,
            autocompletion=options.names_beginning,
        ),
    ] = None,
    k: Annotated[int, option("Hits.", None, "--k", "-k", metavar="N")] = 10,
    pooling: Annotated[choices.Pooling, option("Which vectors are compared.")] = "mean",
    suppress: Annotated[
        str,
        option(
            "none, centre, common, whiten, background, or a file of --save-suppression.", metavar="KIND|FILE"
        ),
    ] = "none",
    directions: Annotated[
        int | None,
        option("How many the suppression removes.", metavar="N", show_default=False),
    ] = None,
    components: Annotated[int | None, typer.Option(hidden=True)] = None,
    where: Annotated[
        str | None,
        option(
            "Condition on the columns, such as \"source LIKE '%beach%'\".",
            metavar="CONDITION",
            show_default=False,
        ),
    ] = None,
    exact: Annotated[
        bool, option("Compare every photograph, also where there is an index.", None, "--exact")
    ] = False,
    duplicates: Annotated[
        float | None,
        option("Instead: list stored pairs with at least this cosine.", metavar="COSINE", show_default=False),
    ] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    why: Annotated[
        Path | None,
        option(
            "Folder for a picture of each hit: what every patch gives to its score.",
            OUTPUT,
            metavar="DIR",
            show_default=False,
        ),
    ] = None,
    save_suppression: Annotated[
        Path | None,
        option(
            "Keep the suppression that was fitted in this file.", OUTPUT, metavar="FILE", show_default=False
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Find the photographs of a store that are like this one."""
    from dinoscope.io.images import read_photograph
    from dinoscope.io.region_mask import read_region_mask
    from dinoscope.retrieval.options import keep_suppression, suppression_of
    from dinoscope.retrieval.queries import Region
    from dinoscope.retrieval.search import near_duplicates, search
    from dinoscope.retrieval.text import duplicates_text, hits_json, hits_text
    from dinoscope.shell.paths import check_files, check_out
    from dinoscope.store.store import open_store

    if components is not None:
        print("--components of search is called --directions now", file=sys.stderr)
        directions = components if directions is None else directions
    check_files([] if mask is None else [mask])
    check_out(why)
    opened = open_store(store, table=table)
    if duplicates is not None:
        print(duplicates_text(near_duplicates(opened, least=duplicates, pooling=pooling), as_json=as_json))
        return
    if not query:
        raise InputError("nothing to search for: name a photograph, or ask for --duplicates 0.98")
    backbone = None
    if model is not None:
        from dinoscope.backbones.load import load_backbone

        backbone = load_backbone(model, device=device, dtype=dtype, seed=seed)
    corners, place = None, None
    if box is not None or patch is not None:  # a region takes a forward pass, and so torch
        from dinoscope.shell.terminal import read_floats

        corners = None if box is None else read_floats(box, "--box", 4)
        place = None if patch is None else read_floats(patch, "--patch", 2)
    region = Region(
        box=None if corners is None else (corners[0], corners[1], corners[2], corners[3]),
        patch=None if place is None else (place[0], place[1]),
        mask=None if mask is None else read_region_mask(mask, read_photograph(query[0]).size),
    )
    fitted = suppression_of(opened, suppress, pooling=pooling, components=directions)
    if save_suppression is not None:
        keep_suppression(fitted, save_suppression)
    hits = search(
        opened,
        query,
        k=k,
        pooling=pooling,
        suppress=fitted,
        box=region.box,
        patch=region.patch,
        mask=region.mask,
        where=where,
        exact=exact,
        backbone=backbone,
    )
    print(hits_json(hits) if as_json else hits_text(hits))
    if why is not None:
        from dinoscope.retrieval.why import write_matches

        write_matches(opened, query[0], hits, why, region=region, suppression=fitted, backbone=backbone)
