"""The options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Photos = Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.", show_default=False)]
Recursive = Annotated[
    bool,
    typer.Option("--recursive", help="Photographs in the folders below a folder, too.", show_default=False),
]
PixelRange = Annotated[
    str,
    typer.Option(
        "--range",
        help="Black and white of grey images of 16 bits or floating point: full (0 to 65535, or 0 to 1), "
        "auto (each one's own lowest and highest value), or LOW,HIGH.",
        metavar="auto|full|LOW,HIGH",
    ),
]
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
Facet = Annotated[
    str,
    typer.Option(
        help="token, key, query, value, rotated-key or rotated-query: what every model is looked at by."
    ),
]
Finer = Annotated[
    int, typer.Option(help="So many times as fine a grid, by passes over shifted inputs; divides the patch.")
]
Seed = Annotated[int, typer.Option(help="Of random weights and of whatever is drawn.", min=0, max=2**63 - 1)]
Masks = Annotated[
    list[Path] | None,
    typer.Option(
        help="Folder of label images named like the photographs, or of scenes. Repeated: further people's, "
        "who are scored against the first.",
        show_default=False,
    ),
]
MaskKind = Annotated[
    str | None,
    typer.Option(
        help="What the numbers in masks mean: regions (something else in each photograph), instances "
        "(objects, 0 the background) or classes (the same everywhere). By default the whole folder tells.",
        show_default=False,
    ),
]
Controls = Annotated[
    bool,
    typer.Option("--controls/--no-controls", help="Measure features that know nothing of objects beside."),
]
RemovePosition = Annotated[
    int,
    typer.Option(
        help="Take this many directions that place alone moves patches in out of every model.", min=0
    ),
]
Profile = Annotated[
    bool,
    typer.Option("--profile", help="Say on stderr where the time went: decoding, model, copies, writing."),
]
Tile = Annotated[
    int | None,
    typer.Option(
        help="Cut larger inputs into tiles of so many pixels a side; a seam score says how they agree.",
        show_default=False,
        min=1,
    ),
]
Overlap = Annotated[
    int | None,
    typer.Option(
        help="Pixels that neighbouring tiles share; a quarter of a tile.", show_default=False, min=0
    ),
]
Compile = Annotated[
    bool,
    typer.Option("--compile", help="Run DINO models through torch.compile; without a compiler as ever."),
]
Autocast = Annotated[
    bool,
    typer.Option(
        "--autocast",
        help="Keep weights in float32 and only products in --dtype; alone: the 16 bits that the GPU has.",
    ),
]
AllowInexact = Annotated[
    bool,
    typer.Option(
        "--allow-inexact", help="Measure even where the cosine to float32 is below 0.999 on average."
    ),
]

Store = Annotated[str, typer.Argument(help="Folder that `dinoscope embed` filled.", show_default=False)]
