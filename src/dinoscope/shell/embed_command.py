"""`dinoscope embed`."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.shell import options


def embed_command(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder tree, pattern, CSV or Parquet of paths or URLs, tar, Hugging Face data set.",
            show_default=False,
        ),
    ],
    store: Annotated[
        str, typer.Argument(help="Folder of the store; made where missing.", show_default=False)
    ],
    *,
    model: Annotated[str, typer.Option(help="NAME, PATH or NAME=PATH.", show_default=False)],
    grid: options.Grid = 32,
    dense: Annotated[
        str | None,
        typer.Option(
            help="Keep whole maps too: float16, or rank:D (D components of 8 bits).", show_default=False
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Only part I of N, counted from 0.", metavar="I/N", show_default=False),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Photographs in one forward pass.", show_default=False)
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local, or ray: several processes on one machine or many.")
    ] = "local",
    workers: Annotated[int, typer.Option(help="With ray: processes that keep the model.")] = 2,
    gpus_per_worker: Annotated[
        float, typer.Option(help="With ray: GPUs for each, or a fraction of one; 0 for none.")
    ] = 0.0,
    index: Annotated[
        bool,
        typer.Option(
            "--index", help="Then build the approximate index of the mean vectors, if the table is large."
        ),
    ] = False,
    layer: options.Layer = None,
    resize: options.ResizeFilter = "bilinear",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    profile: options.Profile = False,
    seed: options.Seed = 0,
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

    part = read_shard(shard)
    if engine not in ("local", "ray"):
        raise InputError(f"--engine is local or ray, not {engine!r}")
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
        print(f"whole maps of {total} photographs: about {size / 1e9:,.2f} GB", file=sys.stderr)
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
    print(f"{len(result.table())} photographs in the table {result.chosen}: {store}")
    if index:
        print(index_line(result, "mean"))
    end(failures)
