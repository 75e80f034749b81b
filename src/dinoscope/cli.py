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
from dinoscope.errors import DinoscopeError, InputError, NoUsablePhotographError, StoreError, WeightsError

SOME_FAILED, USAGE, NO_WEIGHTS, STORE_DAMAGED, INTERRUPTED = 1, 2, 3, 4, 130

app = typer.Typer(
    help="Compare how vision backbones organise a photograph: dense features, side by side, on fair terms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Photos = Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.", show_default=False)]
Models = Annotated[
    str,
    typer.Option(
        help="Models, separated by commas: NAME, PATH or NAME=PATH each; see `dinoscope models`.",
        show_default=False,
    ),
]
Grid = Annotated[int, typer.Option(help="Patches on the short side, the same for every model.")]
At = Annotated[
    list[str] | None,
    typer.Option(help="Reference place X,Y in [0, 1] (repeatable).", metavar="X,Y", show_default=False),
]
Device = Annotated[str, typer.Option(help="cpu, cuda, mps, or auto.")]
Dtype = Annotated[str, typer.Option(help="float32, bfloat16 or float16.")]
Layer = Annotated[
    int | None, typer.Option(help="0-based layer of every model; the last by default.", show_default=False)
]
ResizeFilter = Annotated[str, typer.Option(help="bilinear, bicubic, or official (each family's own).")]
Seed = Annotated[int, typer.Option(help="Of random weights and of the bootstrap.")]


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
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Compare models on photographs: report.html, figures, metrics and a manifest."""
    from dinoscope.analyses.compare import POINTS, compare
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
    with progress("photographs", len(paths)) as advance:
        comparison = compare(
            paths,
            backbones,
            grid=grid,
            at=places,
            components=read_triple(components, "--components"),
            foreground=foreground,
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
    out: Annotated[Path | None, typer.Option(help="Folder for metrics.csv and metrics.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    layer: Layer = None,
    resize: ResizeFilter = "bilinear",
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Measure models on photographs; no pictures, memory does not grow with their number."""
    from dinoscope.analyses.measure import measure
    from dinoscope.present.tables import measurements_json, measurements_text, write_measurements
    from dinoscope.terminal import end, load_models, note, progress, read_photographs

    paths, failures = read_photographs(photos)
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)

    with progress("photographs", len(paths)) as advance:
        result = measure(
            paths,
            backbones,
            grid=grid,
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
        Path | None, typer.Option(help="Folder the page may write its report to.", show_default=False)
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
    return STORE_DAMAGED if isinstance(error, StoreError) else USAGE
