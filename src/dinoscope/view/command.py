"""`dinoscope view`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.errors import InputError
from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option
from dinoscope.shell.panels import INPUT, MODEL, OUTPUT

GRID = 32


@examples("dinoscope view my-photos/ --models dinov2-reg-base,dinov3-vitb16", "dinoscope view my-store")
def view_command(
    photos: Annotated[
        list[Path] | None,
        argument("Photographs to begin with, or folders of them; or one store, to search in.", INPUT),
    ] = None,
    *,
    table: options.Table = None,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    models: Annotated[
        str | None,
        option(
            "Models, separated by commas: NAME, PATH or NAME=PATH each; see `dinoscope models`. For a "
            "store only where a name does not say where its weights are.",
            MODEL,
            metavar="A[,B...]",
            autocompletion=options.names_beginning,
        ),
    ] = None,
    layer: options.Layer = None,
    facet: options.Facet = "token",
    grid: Annotated[
        int | None, option("Patches on the short side, the same for every model; 32.", MODEL, metavar="N")
    ] = None,
    finer: options.Finer = 1,
    resize: options.ResizeFilter = "bilinear",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    allow_inexact: options.AllowInexact = False,
    seed: options.Seed = 0,
    host: Annotated[str, option("Address to listen on.", OUTPUT, metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, option("Port; 0 chooses a free one.", OUTPUT, metavar="N")] = 0,
    export: Annotated[
        Path | None,
        option(
            "Folder for a report, written once the photographs named here are ready, and again by "
            "the page's button.",
            OUTPUT,
            metavar="DIR",
        ),
    ] = None,
) -> None:
    """Open a page on this machine: what every model makes of photographs, or a store to search in."""
    from dinoscope.retrieval.stored import is_store
    from dinoscope.store.files import check_no_address

    for path in photos or ():
        check_no_address(path)
    if any(is_store(path) for path in photos or ()):
        if len(photos or ()) > 1:
            raise InputError("one store at a time, and no photographs beside it: drop those on its page")
        if grid is not None or export is not None or layer is not None or resize != "bilinear":
            raise InputError("a store has its own grid, layer and resize, and its page writes no report")
        if (facet, finer) != ("token", 1):
            raise InputError("a store has its own facet and grid: embed with the model's name, key:NAME")
        if recursive or pixel_range != "full":
            raise InputError("--recursive and --range are for photographs, not for a store")
        if autocast or compiled or allow_inexact:
            raise InputError("a store's page measures nothing: of the ways to compute it takes --dtype alone")
        _search(
            (photos or [])[0],
            models,
            table=table,
            host=host,
            port=port,
            device=device,
            dtype=dtype,
            seed=seed,
        )
        return
    if models is None:
        raise InputError("no model: --models takes names separated by commas; see `dinoscope models`")
    if table is not None:
        raise InputError("--table is for a store")
    from dinoscope.backbones.load import torch_device
    from dinoscope.comparison.output import write_comparison
    from dinoscope.comparison.page.options import PageOptions
    from dinoscope.comparison.page.viewer import serve
    from dinoscope.comparison.plan import unique_labels
    from dinoscope.comparison.session import Session
    from dinoscope.io.images import decode_photograph, read_photograph
    from dinoscope.io.pixel_range import in_this_range, read_range, use_range
    from dinoscope.pipeline.fast import wanted_dtype
    from dinoscope.pipeline.run import Arithmetic, Run
    from dinoscope.shell.paths import check_out
    from dinoscope.shell.terminal import load_models, looked_at, read_photographs
    from dinoscope.view.asked.answers import PageAnswers

    check_out(export, photos or (), recursive=recursive)
    grid = GRID if grid is None else grid
    use_range(read_range(pixel_range))
    paths = read_photographs(photos, recursive=recursive, pixel_range=pixel_range)[0] if photos else []
    wanted = wanted_dtype(dtype, torch_device(device), autocast=autocast)
    backbones = load_models(
        looked_at(models, facet, finer), grid=grid, device=device, dtype="float32", seed=seed
    )
    session = Session(
        backbones,
        Run(resize=resize, seed=seed),
        Arithmetic(wanted, autocast, compiled, allow_inexact),
        layers=[layer] * len(backbones),
    )
    page = PageOptions(
        labels=unique_labels(backbones),
        grid=grid,
        export=None if export is None else lambda comparison: write_comparison(comparison, export),
        answerer=PageAnswers(session),
    )
    serve(
        paths,
        session,
        page,
        read=in_this_range(read_photograph),
        decode=in_this_range(lambda data, name: decode_photograph(data, name=name)),
        host=host,
        port=port,
        on_ready=_say,
    )


def _search(
    path: Path,
    models: str | None,
    *,
    table: str | None,
    host: str,
    port: int,
    device: str,
    dtype: str,
    seed: int,
) -> None:
    from dinoscope.backbones.load import load_backbone
    from dinoscope.retrieval.page.viewer import serve_search
    from dinoscope.retrieval.stored import open_finder
    from dinoscope.shell.terminal import read_models
    from dinoscope.store.store import open_store

    store = open_store(path, table=table)
    backbones = [
        load_backbone(name, device=device, dtype=dtype, seed=seed) for name in read_models(models or "")
    ]
    finder = open_finder(store, backbones)
    # What any model needs is imported here: several threads importing crash at random.
    import dinoscope.pipeline.extract  # noqa: F401

    load_backbone("mini")
    serve_search(finder, title=path.absolute().name, host=host, port=port, on_ready=_say)


def _say(address: str) -> None:
    print(f"open {address} (Ctrl-C ends it)", flush=True)
