"""`dinoscope search`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.errors import InputError, told
from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import INPUT, MODEL, OUTPUT


@examples(
    "dinoscope search my-store photo.jpg --suppress background",
    "dinoscope search my-store photo.jpg --box 0.2,0.2,0.6,0.8 -k 20",
)
def search_command(
    store: options.Store,
    query: Annotated[
        list[str] | None,
        argument("Photograph, or several to search for together; or where a stored one was found.", INPUT),
    ] = None,
    *,
    table: options.Table = None,
    box: Annotated[
        str | None, option("Region of the query, each in [0, 1].", INPUT, metavar="X0,Y0,X1,Y1")
    ] = None,
    patch: Annotated[str | None, option("One patch of the query.", INPUT, metavar="X,Y")] = None,
    pixel_range: Annotated[
        str | None,
        option(
            "Black and white of grey queries of 16 bits or floating point; as the store's were by default.",
            INPUT,
            "--range",
            metavar="auto|full|LOW,HIGH",
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        option(
            "Region of the query: an image of its size, white inside; patches count by what it covers.",
            INPUT,
            metavar="PATH",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        option(
            "Instead of a photograph: words, where the table's model reads them; repeatable.",
            INPUT,
            metavar="WORDS",
        ),
    ] = None,
    against: Annotated[
        list[str] | None,
        option(
            "Photograph to search against, repeatable: its direction is subtracted from the query's.",
            INPUT,
            metavar="PATH",
        ),
    ] = None,
    model: Annotated[
        str | None,
        option(
            "The store's model, where its name does not say where the weights are.",
            MODEL,
            metavar="MODEL",
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
    directions: Annotated[int | None, option("How many the suppression removes.", metavar="N")] = None,
    components: Annotated[int | None, typer.Option(hidden=True)] = None,
    where: Annotated[
        str | None,
        option("Condition on the columns, such as \"source LIKE '%beach%'\".", metavar="CONDITION"),
    ] = None,
    exact: Annotated[
        bool, option("Compare every photograph, also where there is an index.", None, "--exact")
    ] = False,
    duplicates: Annotated[
        float | None, option("Instead: list stored pairs with at least this cosine.", metavar="COSINE")
    ] = None,
    paths: Annotated[
        bool,
        option(
            "Of --duplicates: each group's paths, one a line, groups apart by an empty one.", None, "--paths"
        ),
    ] = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    why: Annotated[
        Path | None,
        option(
            "Folder for a picture of each hit: what every patch gives to its score.", OUTPUT, metavar="DIR"
        ),
    ] = None,
    out: Annotated[
        Path | None, out_option("Folder for a contact sheet of the hits: one file, hits.html.")
    ] = None,
    save_suppression: Annotated[
        Path | None, option("Keep the suppression that was fitted in this file.", OUTPUT, metavar="FILE")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Find the photographs of a store that are like this one."""
    from dinoscope.io.images import read_photograph
    from dinoscope.io.pixel_range import read_range, reading_range
    from dinoscope.io.region_mask import read_region_mask
    from dinoscope.pipeline.photographs import ImageLike
    from dinoscope.retrieval.duplicates import near_duplicates
    from dinoscope.retrieval.options import keep_suppression, suppression_of
    from dinoscope.retrieval.queries import Region
    from dinoscope.retrieval.search import search
    from dinoscope.retrieval.telling import tell_hits
    from dinoscope.retrieval.text import duplicates_text, groups_text
    from dinoscope.shell.paths import check_files, check_out
    from dinoscope.store.store import open_store
    from dinoscope.store.suppressions import check_place

    if components is not None:
        print("--components of search is called --directions now", file=sys.stderr)
        directions = components if directions is None else directions
    check_files([] if mask is None else [mask])
    check_out(why, [Path(photograph).parent for photograph in query or ()])
    check_out(out)
    if save_suppression is not None:
        check_place(save_suppression)
    opened = open_store(store, table=table)
    if duplicates is not None:
        pairs = near_duplicates(opened, least=duplicates, pooling=pooling)
        print(groups_text(pairs) if paths else duplicates_text(pairs, as_json=as_json))
        return
    if paths:
        raise InputError("--paths is for --duplicates")
    if text and query:
        raise InputError(
            f"a search is by a photograph or by words: leave out {told(query[0])!r}, or --text {text[0]!r}"
        )
    if text and (against or box or patch or mask or why or suppress != "none"):
        raise InputError("--text takes no --against, region, suppression or --why beside it")
    if not query and not text:
        raise InputError("nothing to search for: name a photograph, or ask for --duplicates 0.98")
    backbone = None
    if model is not None:
        from dinoscope.backbones.load import load_backbone

        backbone = load_backbone(model, device=device, dtype=dtype, seed=seed)
    if text:
        from dinoscope.retrieval.words import search_words

        hits = search_words(opened, text, k=k, where=where, backbone=backbone)
        tell_hits(opened, [], hits, out, as_json=as_json)
        return
    query = query or []
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
    asked: list[ImageLike] = [*query]
    if pixel_range is not None:
        with reading_range(read_range(pixel_range)):
            asked = [read_photograph(path) for path in query]
    fitted = suppression_of(opened, suppress, pooling=pooling, components=directions)
    if save_suppression is not None:
        keep_suppression(fitted, save_suppression)
    hits = search(
        opened,
        asked,
        k=k,
        pooling=pooling,
        suppress=fitted,
        box=region.box,
        patch=region.patch,
        mask=region.mask,
        against=against or (),
        where=where,
        exact=exact,
        backbone=backbone,
    )
    tell_hits(opened, query, hits, out, as_json=as_json)
    if why is not None:
        from dinoscope.retrieval.why import write_matches

        write_matches(opened, asked[0], hits, why, region=region, suppression=fitted, backbone=backbone)
