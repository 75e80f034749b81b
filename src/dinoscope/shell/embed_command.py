"""`dinoscope embed`."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from dinoscope.errors import InputError
from dinoscope.shell import choices, options
from dinoscope.shell.commands import alone, examples
from dinoscope.shell.option import argument, option
from dinoscope.shell.panels import COMPUTE, INPUT, OUTPUT


@examples(
    "dinoscope embed my-photos/ my-store --model mini",
    "dinoscope embed my-photos/ my-store --model mini --update",
    "dinoscope embed paths.csv my-store --model dinov3-vitb16 --dense rank:64",
)
@alone("--dense", "float16")
def embed_command(
    source: Annotated[
        str,
        argument("Folder tree, pattern, CSV or Parquet of paths or URLs, tar, Hugging Face data set.", INPUT),
    ],
    store: Annotated[str, argument("Folder of the store; made where missing.", OUTPUT)],
    *,
    recursive: Annotated[
        bool,
        option(
            "Taken for granted: a folder is always read with all below it.",
            INPUT,
            "--recursive",
            show_default=False,
        ),
    ] = True,
    pixel_range: options.PixelRange = "full",
    shard: Annotated[str | None, option("Only part I of N, counted from 0.", INPUT, metavar="I/N")] = None,
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
        int | None, option("Photographs in one forward pass.", COMPUTE, metavar="N")
    ] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    seed: options.Seed = 0,
    dense: Annotated[
        str | None,
        option(
            "Keep whole maps too: float16 unless said, or rank:D (D components of 8 bits).",
            OUTPUT,
            metavar="[float16|rank:D]",
        ),
    ] = None,
    update: Annotated[
        bool,
        option(
            "Follow a folder: rows of photographs that moved say where they are, those of photographs that "
            "are gone are deleted.",
            INPUT,
            "--update",
        ),
    ] = False,
    compressed: Annotated[
        bool,
        option("Into the store's compressed table, by its codes.", OUTPUT, "--compressed"),
    ] = False,
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
    from dinoscope.io.own_pictures import is_own_picture, warn_of_own_pictures
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.names import path_named
    from dinoscope.pipeline.embed import embed, in_shard
    from dinoscope.pipeline.embed_ray import embed_with_ray
    from dinoscope.pipeline.follow import Followed
    from dinoscope.pipeline.profile import profile_told
    from dinoscope.pipeline.ray_workers import RayOptions
    from dinoscope.pipeline.run import Run
    from dinoscope.shell.index_line import index_line
    from dinoscope.shell.terminal import end, load_model, note, progress, read_shard, tell
    from dinoscope.store.dense import dense_bytes
    from dinoscope.strict_json import strict_json

    del recursive  # there is no other way
    use_range(read_range(pixel_range))
    part = read_shard(shard)
    with_ray = engine == "ray"
    if with_ray and part is not None:
        raise InputError("--engine ray shares the work out by itself: leave --shard out")
    if with_ray and device not in ("auto", "cpu"):
        raise InputError("--engine ray places the model by --gpus-per-worker: leave --device out")
    if with_ray and autocast and dtype == "float32":
        raise InputError("--engine ray cannot ask its workers' GPUs: say --dtype bfloat16 or float16, too")
    if with_ray and compressed:
        raise InputError("--engine ray fills tables of whole vectors: leave --compressed out")
    if with_ray and profile:
        raise InputError("--profile sees this process alone: leave it out with --engine ray")
    if with_ray and update:
        raise InputError("--engine ray adds photographs: leave --update to the local engine")
    spread = RayOptions(workers=workers, gpus_per_worker=gpus_per_worker)
    total, own = 0, []
    for item in each_item(source):
        total += in_shard(item.key, part)
        if is_own_picture(path := path_named(item.source)):
            own.append(path)
    warn_of_own_pictures(own)
    placed = "cpu" if with_ray else device  # Ray's workers take it to their own devices
    backbone = load_model(model, grid=grid, device=placed, dtype=dtype, autocast=autocast, seed=seed)
    if dense is not None:
        size = dense_bytes(total, backbone.spec.dim, dense=dense, grid=grid)
        tell(f"whole maps of {total} photographs: about {size / 1e9:,.2f} GB")
    failures: list[Failure] = []
    followed: list[Followed] = []
    with profile_told(tell, asked=profile), progress("photographs", total) as advance:
        if with_ray:
            run = Run(grid, resize=resize, batch_size=batch_size).at(layer)
            embed_all = partial(embed_with_ray, run=run, options=spread, on_stage=tell)
        else:
            embed_all = partial(
                embed,
                grid=grid,
                layer=layer,
                resize=resize,
                batch_size=batch_size,
                shard=part,
                update=update,
                on_followed=followed.append,
                compressed=compressed,
            )
        embed_all = partial(embed_all, on_progress=advance, on_failure=note(failures))
        result = embed_all(source, backbone, store, dense=dense, compiled=compiled)
    n_photographs = len(result.table())
    built = index_line(result, "mean") if index else None
    if as_json:
        content = {"store": store, "table": result.chosen, "photographs": n_photographs, "index": built}
        counts = {"update": followed[0]} if followed else {}
        print(strict_json({**content, **counts, "failures": failures}))
    else:
        print(f"{n_photographs} photographs in the table {result.chosen}: {store}")
        for done in followed:
            print(f"{done.n_new} new, {done.n_moved} moved, {done.n_deleted} deleted")
        if built is not None:
            print(built)
    end(failures)
