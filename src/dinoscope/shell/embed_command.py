"""`dinoscope embed`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option
from dinoscope.shell.panels import COMPUTE, INPUT, OUTPUT


@examples(
    "dinoscope embed my-photos/ my-store --model mini",
    "dinoscope embed paths.csv my-store --model dinov3-vitb16 --dense rank:64",
)
def embed_command(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder tree, pattern, CSV or Parquet of paths or URLs, tar, Hugging Face data set.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    store: Annotated[
        str,
        typer.Argument(
            help="Folder of the store; made where missing.", show_default=False, rich_help_panel=OUTPUT
        ),
    ],
    *,
    shard: Annotated[
        str | None,
        option("Only part I of N, counted from 0.", INPUT, metavar="I/N", show_default=False),
    ] = None,
    model: options.Model,
    layer: options.Layer = None,
    grid: options.Grid = 32,
    resize: options.ResizeFilter = "bilinear",
    engine: Annotated[
        choices.Engine,
        option("ray: several processes on one machine or many.", COMPUTE),
    ] = "local",
    workers: Annotated[
        int,
        option("With ray: processes that keep the model.", COMPUTE, metavar="N"),
    ] = 2,
    gpus_per_worker: Annotated[
        float,
        option("With ray: GPUs for each, or a fraction of one; 0 for none.", COMPUTE, metavar="N"),
    ] = 0.0,
    batch_size: Annotated[
        int | None,
        option("Photographs in one forward pass.", COMPUTE, metavar="N", show_default=False),
    ] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    seed: options.Seed = 0,
    dense: Annotated[
        str | None,
        option(
            "Keep whole maps too: float16, or rank:D (D components of 8 bits).",
            OUTPUT,
            metavar="float16|rank:D",
            show_default=False,
        ),
    ] = None,
    index: Annotated[
        bool,
        option(
            "Then build the approximate index of the mean vectors, if the table is large.", OUTPUT, "--index"
        ),
    ] = False,
    as_json: options.Json = False,
    profile: options.Profile = False,
) -> None:
    """Fill a store with the vectors of a collection; the same command again goes on where it stopped."""
    from dinoscope.data.results import Failure
    from dinoscope.io.collections.collection import each_item
    from dinoscope.pipeline.embed import embed, in_shard
    from dinoscope.pipeline.embed_ray import embed_with_ray
    from dinoscope.pipeline.profile import profile_told
    from dinoscope.pipeline.ray_workers import RayOptions
    from dinoscope.pipeline.run import Run
    from dinoscope.shell.index_line import index_line
    from dinoscope.shell.terminal import end, load_model, note, progress, read_shard, tell
    from dinoscope.store.dense import dense_bytes
    from dinoscope.strict_json import strict_json

    part = read_shard(shard)
    with_ray = engine == "ray"
    if with_ray and part is not None:
        raise InputError("--engine ray shares the work out by itself: leave --shard out")
    if with_ray and device not in ("auto", "cpu"):
        raise InputError("--engine ray places the model by --gpus-per-worker: leave --device out")
    if with_ray and autocast and dtype == "float32":
        raise InputError("--engine ray cannot ask its workers' GPUs: say --dtype bfloat16 or float16, too")
    if with_ray and profile:
        raise InputError("--profile sees this process alone: leave it out with --engine ray")
    spread = RayOptions(workers=workers, gpus_per_worker=gpus_per_worker)
    total = sum(in_shard(item.key, part) for item in each_item(source))
    placed = "cpu" if with_ray else device  # Ray's workers take it to their own devices
    backbone = load_model(model, grid=grid, device=placed, dtype=dtype, autocast=autocast, seed=seed)
    if dense is not None:
        size = dense_bytes(total, backbone.spec.dim, dense=dense, grid=grid)
        tell(f"whole maps of {total} photographs: about {size / 1e9:,.2f} GB")
    failures: list[Failure] = []
    with profile_told(tell, asked=profile), progress("photographs", total) as advance:
        if with_ray:
            run = Run(grid, resize=resize, batch_size=batch_size).at(layer)
            embed_all = partial(embed_with_ray, run=run, options=spread, on_stage=tell)
        else:
            embed_all = partial(
                embed, grid=grid, layer=layer, resize=resize, batch_size=batch_size, shard=part
            )
        embed_all = partial(embed_all, on_progress=advance, on_failure=note(failures))
        result = embed_all(source, backbone, store, dense=dense, compiled=compiled)
    n_photographs = len(result.table())
    built = index_line(result, "mean") if index else None
    if as_json:
        content = {"store": store, "table": result.chosen, "photographs": n_photographs, "index": built}
        print(strict_json({**content, "failures": failures}))
    else:
        print(f"{n_photographs} photographs in the table {result.chosen}: {store}")
        if built is not None:
            print(built)
    end(failures)
