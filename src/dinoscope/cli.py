"""The command line: about ten lines per command; everything heavy is imported when it runs.

Exit codes: 0 done, 1 some inputs failed (they are listed, the rest is done), 2 usage, 3 weights not
available, 4 store damaged, 130 interrupted.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from dinoscope import __version__
from dinoscope.errors import (
    DinoscopeError,
    InputError,
    NoUsablePhotographError,
    StoreError,
    StoreInUseError,
    WeightsError,
)
from dinoscope.options import (
    At,
    Controls,
    Device,
    Dtype,
    Grid,
    Layer,
    Masks,
    Models,
    Photos,
    RemovePosition,
    ResizeFilter,
    Seed,
)

SOME_FAILED, USAGE, NO_WEIGHTS, STORE_DAMAGED, INTERRUPTED = 1, 2, 3, 4, 130

app = typer.Typer(
    help="Compare how vision backbones organise a photograph: dense features, side by side, on fair terms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def options(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option(help="Show the full traceback of an error.")] = False,
) -> None:
    """Options of every command; `main` reads --debug off the command line."""
    if version:
        print(f"dinoscope {__version__}")
        raise typer.Exit


@app.command("compare")
def compare_command(
    photos: Photos,
    *,
    models: Models,
    grid: Grid = 32,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("dinoscope-report"),
    at: At = None,
    components: Annotated[
        str, typer.Option(help="Components shown as red, green, blue (0-based).")
    ] = "0,1,2",
    foreground: Annotated[str, typer.Option(help="none, or pc1: colour only the foreground.")] = "none",
    masks: Masks = None,
    controls: Controls = True,
    remove_position: RemovePosition = 0,
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Compare models on photographs: report.html, figures, metrics and a manifest."""
    from dinoscope.analyses.compare import POINTS, compare
    from dinoscope.analyses.content_free import without_position
    from dinoscope.present.output import write_comparison
    from dinoscope.present.tables import summary_text
    from dinoscope.terminal import (
        end,
        load_models,
        progress,
        read_photographs,
        read_places,
        read_triple,
        say_failure,
    )

    places = read_places(at or []) or POINTS
    paths, failures = read_photographs(photos)
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    if remove_position:
        backbones = [without_position(b, remove_position, grid, layer=layer) for b in backbones]
    with progress("photographs", len(paths)) as advance:
        comparison = compare(
            paths,
            backbones,
            grid=grid,
            at=places,
            components=read_triple(components, "--components"),
            foreground=foreground,
            masks=masks,
            controls=controls,
            layers=[layer] * len(backbones),
            resize=resize,
            seed=seed,
            on_failure=say_failure,
            on_progress=advance,
        )
    comparison = replace(comparison, failures=(*failures, *comparison.failures))
    report = write_comparison(comparison, out)
    print(summary_text(comparison))
    print(f"\nreport: {report}")
    end(comparison.failures)


@app.command("measure")
def measure_command(
    photos: Photos,
    *,
    models: Models,
    grid: Grid = 32,
    masks: Masks = None,
    controls: Controls = True,
    remove_position: RemovePosition = 0,
    passes: Annotated[
        bool,
        typer.Option(
            "--passes",
            help="Also what needs 6 further forward passes: resolution, equivariance, correspondence.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for metrics.csv, .json, table.md, .tex and plane.svg, .png; resumes there."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Measure models on photographs; no pictures, memory does not grow with their number."""
    from dinoscope.analyses.content_free import without_position
    from dinoscope.analyses.measure import measure
    from dinoscope.present.tables import measurements_json, measurements_text, write_measurements
    from dinoscope.terminal import end, load_models, note, progress, read_photographs

    paths, failures = read_photographs(photos)
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    if remove_position:
        backbones = [without_position(b, remove_position, grid, layer=layer) for b in backbones]
    with progress("photographs", len(paths)) as advance:
        result = measure(
            paths,
            backbones,
            grid=grid,
            masks=masks,
            controls=controls,
            passes=passes,
            journal=None if out is None else out / "rows.jsonl",
            layers=[layer] * len(backbones),
            resize=resize,
            seed=seed,
            on_failure=note(failures),
            on_progress=advance,
        )
    if out is not None:
        write_measurements(result, failures, out)
    print(measurements_json(result, failures) if as_json else measurements_text(result))
    end(failures)


@app.command("embed")
def embed_command(
    source: Annotated[
        str,
        typer.Argument(
            help="Folder tree, pattern, CSV or Parquet of paths or URLs, tar, Hugging Face data set.",
            show_default=False,
        ),
    ],
    store: Annotated[
        Path, typer.Argument(help="Folder of the store; made where missing.", show_default=False)
    ],
    *,
    model: Annotated[str, typer.Option(help="NAME, PATH or NAME=PATH.", show_default=False)],
    grid: Grid = 32,
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
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Fill a store with the vectors of a collection; the same command again goes on where it stopped."""
    from dinoscope.data.results import Failure
    from dinoscope.io.collections import each_item
    from dinoscope.io.store_dense import dense_bytes
    from dinoscope.pipeline.embed import embed, in_shard
    from dinoscope.terminal import end, load_models, note, progress, read_shard

    part = read_shard(shard)
    total = sum(in_shard(item.key, part) for item in each_item(source))
    backbone, *others = load_models(model, grid=grid, device=device, dtype=dtype, seed=seed)
    if others:
        raise InputError("embed takes one model at a time")
    if dense is not None:
        size = dense_bytes(total, backbone.spec.dim, dense=dense, grid=grid)
        print(f"whole maps of {total} photographs: about {size / 1e9:,.2f} GB", file=sys.stderr)
    failures: list[Failure] = []
    with progress("photographs", total) as advance:
        result = embed(
            source,
            backbone,
            store,
            grid=grid,
            layer=layer,
            resize=resize,
            dense=dense,
            batch_size=batch_size,
            shard=part,
            on_progress=advance,
            on_failure=note(failures),
        )
    print(f"{len(result.table())} photographs in the table {result.chosen}: {store}")
    end(failures)


@app.command("scenes")
def scenes_command(
    folder: Annotated[Path, typer.Argument(help="Folder to write to, or to go on with.", show_default=False)],
    *,
    n: Annotated[int, typer.Option("--n", help="How many scenes the folder is to hold.")] = 200,
    seed: Annotated[int, typer.Option(help="Scene i of a seed is the same whatever --n is.")] = 0,
    size: Annotated[str, typer.Option(help="Pixels: W,H, or one number for a square.")] = "256",
    background_correlation: Annotated[
        float, typer.Option(help="0: backgrounds are independent of the class; 1: the class decides.")
    ] = 0.0,
    lighting: Annotated[float, typer.Option(help="0: even, 1: sun and shadows.")] = 0.7,
    blur: Annotated[float, typer.Option(help="Depth of field, 0 to 1.")] = 0.3,
    noise: Annotated[float, typer.Option(help="Of the sensor, 0 to 1.")] = 0.15,
    classes: Annotated[int, typer.Option(help="Classes of subjects, 1 to 48.")] = 16,
) -> None:
    """Write procedural photographs with exact masks, depth, flow and labels."""
    from dinoscope.scenes.write import write_scenes
    from dinoscope.terminal import progress, read_ints

    sides = read_ints(size, "--size")
    if len(sides) not in (1, 2):
        raise InputError(f"--size takes W,H or one number, got {size!r}")
    with progress("scenes", n) as advance:
        drawn = write_scenes(
            folder,
            n,
            seed,
            size=(sides[0], sides[-1]),
            background_correlation=background_correlation,
            lighting=lighting,
            blur=blur,
            noise=noise,
            n_classes=classes,
            on_progress=advance,
        )
    print(f"{drawn} scenes drawn, {n - drawn} were there: {folder}")


@app.command("extract")
def extract_command(
    photos: Photos,
    *,
    model: Annotated[str, typer.Option(help="NAME, PATH or NAME=PATH.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to write to.", show_default=False)],
    grid: Grid = 32,
    layers: Annotated[
        str, typer.Option(help="0-based layers, separated by commas; the last by default.")
    ] = "",
    file_format: Annotated[str, typer.Option("--format", help="safetensors or npz.")] = "safetensors",
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Write the patch features of photographs, one file each."""
    from dinoscope.io.features import check_format, feature_path, write_features
    from dinoscope.pipeline.extract import extract_layers
    from dinoscope.terminal import end, load_models, note, progress, read_ints, read_photographs

    suffix = check_format(file_format)
    paths, failures = read_photographs(photos)
    backbone, *others = load_models(model, grid=grid, device=device, dtype=dtype, seed=seed)
    if others:
        raise InputError("extract takes one model at a time")
    chosen = read_ints(layers, "--layers") or None

    with progress("photographs", len(paths)) as advance:
        written = 0
        for by_layer in extract_layers(
            paths, backbone, layers=chosen, grid=grid, resize=resize, on_failure=note(failures)
        ):
            path = feature_path(out, next(iter(by_layer.values())).provenance, suffix)
            write_features(path, by_layer, format_=suffix)
            written += 1
            advance(written + len(failures))
    print(f"{written} of {len(paths)} photographs: {out}")
    end(failures)


@app.command("view")
def view_command(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(help="Photographs to begin with, or folders of them.", show_default=False),
    ] = None,
    *,
    models: Models,
    grid: Grid = 32,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 chooses a free one.")] = 0,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Folder for a report, written once the photographs named here are ready, and again by "
            "the page's button.",
            show_default=False,
        ),
    ] = None,
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Open a page on this machine where photographs can be dropped and every model answers."""
    from dinoscope.analyses.measure import unique_labels
    from dinoscope.analyses.session import Session
    from dinoscope.io.images import decode_photograph, read_photograph
    from dinoscope.present.output import write_comparison
    from dinoscope.present.viewer import serve
    from dinoscope.terminal import load_models, read_photographs

    paths = read_photographs(photos)[0] if photos else []
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    serve(
        paths,
        Session(backbones, layers=[layer] * len(backbones), resize=resize, seed=seed),
        read=read_photograph,
        decode=lambda data, name: decode_photograph(data, name=name),
        labels=unique_labels(backbones),
        export=None if export is None else lambda comparison: write_comparison(comparison, export),
        grid=grid,
        host=host,
        port=port,
        on_ready=lambda address: print(f"open {address} (Ctrl-C ends it)", flush=True),
    )


@app.command("models")
def models_command() -> None:
    """List every model: source, licence, gate, size, cached or not."""
    from dinoscope.backbones.listing import models_text

    print(models_text())


def main() -> None:
    """Run the command line; errors of ours become one line and an exit code."""
    debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        app()
    except DinoscopeError as error:
        if debug:
            raise
        print(f"dinoscope: {error}", file=sys.stderr)
        sys.exit(_exit_code(error))
    except OSError as error:  # a disk that is full, a folder that may not be written to
        if debug:
            raise
        print(f"dinoscope: {error}", file=sys.stderr)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        if debug:
            raise
        print("dinoscope: interrupted; nothing half-written is left", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _exit_code(error: DinoscopeError) -> int:
    if isinstance(error, NoUsablePhotographError):
        return SOME_FAILED
    if isinstance(error, WeightsError):
        return NO_WEIGHTS
    damaged = isinstance(error, StoreError) and not isinstance(error, StoreInUseError)
    return STORE_DAMAGED if damaged else USAGE
