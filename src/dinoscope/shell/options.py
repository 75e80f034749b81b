"""The arguments and options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import choices
from dinoscope.shell.panels import COMPUTE, INPUT, MODEL, OTHER, OUTPUT


def names_beginning(incomplete: str) -> list[str]:
    """Names of models for a shell to complete; of several separated by commas, the last is completed."""
    from dinoscope.backbones.catalog import CONTROLS, ENTRIES

    before, comma, _ = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in (*ENTRIES, *CONTROLS)]


Photos = Annotated[
    list[Path],
    typer.Argument(help="Photographs, or folders of them.", show_default=False, rich_help_panel=INPUT),
]
Store = Annotated[
    str,
    typer.Argument(help="Folder that `dinoscope embed` filled.", show_default=False, rich_help_panel=INPUT),
]
Table = Annotated[
    str | None,
    typer.Option(
        help="Table or model, where the store has several.", show_default=False, rich_help_panel=INPUT
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive",
        help="Photographs in the folders below a folder, too.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
PixelRange = Annotated[
    str,
    typer.Option(
        "--range",
        help="Black and white of grey images of 16 bits or floating point: full (0 to 65535, or 0 to 1), "
        "auto (each one's own lowest and highest value), or LOW,HIGH.",
        metavar="auto|full|LOW,HIGH",
        rich_help_panel=INPUT,
    ),
]
Masks = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of label images named like the photographs, or of scenes. Repeated: further people's, "
        "who are scored against the first.",
        metavar="DIR",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
MaskKind = Annotated[
    choices.MaskKind | None,
    typer.Option(
        help="What the numbers in masks mean: regions (something else in each photograph), instances "
        "(objects, 0 the background) or classes (the same everywhere). By default the whole folder tells.",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]
At = Annotated[
    list[str] | None,
    typer.Option(
        help="Reference place X,Y in [0, 1] (repeatable).",
        metavar="X,Y",
        show_default=False,
        rich_help_panel=INPUT,
    ),
]

Model = Annotated[
    str,
    typer.Option(
        help="NAME, PATH or NAME=PATH; see `dinoscope models`.",
        metavar="MODEL",
        show_default=False,
        rich_help_panel=MODEL,
        autocompletion=names_beginning,
    ),
]
Models = Annotated[
    str,
    typer.Option(
        help="Models, separated by commas: NAME, PATH or NAME=PATH each; see `dinoscope models`.",
        metavar="A[,B...]",
        show_default=False,
        rich_help_panel=MODEL,
        autocompletion=names_beginning,
    ),
]
ModelsOrPair = Annotated[
    str | None,
    typer.Option(
        help="Models, separated by commas: NAME, PATH or NAME=PATH each; see `dinoscope models`. The bundled "
        "pair of toy models by default.",
        metavar="A[,B...]",
        show_default=False,
        rich_help_panel=MODEL,
        autocompletion=names_beginning,
    ),
]
Layer = Annotated[
    int | None,
    typer.Option(
        help="0-based layer of every model; the last by default.",
        metavar="N",
        show_default=False,
        rich_help_panel=MODEL,
    ),
]
Facet = Annotated[
    choices.Facet,
    typer.Option(help="What every model is looked at by.", rich_help_panel=MODEL),
]
Grid = Annotated[
    int,
    typer.Option(
        help="Patches on the short side, the same for every model.", metavar="N", rich_help_panel=MODEL
    ),
]
Finer = Annotated[
    int,
    typer.Option(
        help="So many times as fine a grid, by passes over shifted inputs; divides the patch.",
        metavar="N",
        rich_help_panel=MODEL,
    ),
]
ResizeFilter = Annotated[
    choices.ResizeFilter,
    typer.Option(help="How photographs are resized; official: each family's own.", rich_help_panel=MODEL),
]
Tile = Annotated[
    int | None,
    typer.Option(
        help="Cut larger inputs into tiles of so many pixels a side; a seam score says how they agree.",
        metavar="N",
        show_default=False,
        min=1,
        rich_help_panel=MODEL,
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        help="Pixels that neighbouring tiles share; a quarter of a tile.",
        metavar="N",
        show_default=False,
        min=0,
        rich_help_panel=MODEL,
    ),
]
RemovePosition = Annotated[
    int,
    typer.Option(
        help="Take this many directions that place alone moves patches in out of every model.",
        metavar="N",
        min=0,
        rich_help_panel=MODEL,
    ),
]

Device = Annotated[
    str,
    typer.Option(
        help="Where models run; auto: a GPU where there is one.",
        metavar="auto|cpu|cuda|mps",
        rich_help_panel=COMPUTE,
    ),
]
Dtype = Annotated[choices.Dtype, typer.Option(help="Of weights and arithmetic.", rich_help_panel=COMPUTE)]
Autocast = Annotated[
    bool,
    typer.Option(
        "--autocast",
        help="Keep weights in float32 and only products in --dtype; alone: the 16 bits that the GPU has.",
        rich_help_panel=COMPUTE,
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile",
        help="Run DINO models through torch.compile; without a compiler as ever.",
        rich_help_panel=COMPUTE,
    ),
]
AllowInexact = Annotated[
    bool,
    typer.Option(
        "--allow-inexact",
        help="Measure even where the cosine to float32 is below 0.999 on average.",
        rich_help_panel=COMPUTE,
    ),
]
Controls = Annotated[
    bool,
    typer.Option(
        "--controls/--no-controls",
        help="Measure features that know nothing of objects beside.",
        rich_help_panel=COMPUTE,
    ),
]
Seed = Annotated[
    int,
    typer.Option(
        help="Of random weights and of whatever is drawn.",
        metavar="N",
        min=0,
        max=2**63 - 1,
        rich_help_panel=COMPUTE,
    ),
]
Profile = Annotated[
    bool,
    typer.Option(
        "--profile",
        help="Say on stderr where the time went: decoding, model, copies, writing.",
        rich_help_panel=OTHER,
    ),
]

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object and nothing else.", rich_help_panel=OUTPUT),
]
