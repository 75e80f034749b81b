"""The arguments and options that several commands share, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import choices
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import COMPUTE, INPUT, MODEL, OTHER, OUTPUT


def names_beginning(incomplete: str) -> list[str]:
    """Names of models for a shell to complete; of several separated by commas, the last is completed."""
    from dinoscope.backbones.catalog import CONTROLS, ENTRIES

    before, comma, _ = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in (*ENTRIES, *CONTROLS)]


Photos = Annotated[list[Path], argument("Photographs, or folders of them.", INPUT)]
Store = Annotated[str, argument("Folder that `dinoscope embed` filled.", INPUT)]
Table = Annotated[str | None, option("Table or model, where the store has several.", INPUT)]
OutFolder = Annotated[Path, out_option("Folder to write to.")]
Recursive = Annotated[bool, option("Photographs in the folders below a folder, too.", INPUT, "--recursive")]
PixelRange = Annotated[
    str,
    option(
        "Black and white of grey images of 16 bits or floating point: full (0 to 65535, or 0 to 1), "
        "auto (each one's own lowest and highest value), or LOW,HIGH.",
        INPUT,
        "--range",
        metavar="auto|full|LOW,HIGH",
    ),
]
Masks = Annotated[
    list[Path] | None,
    option(
        "Folder of label images named like the photographs, or of scenes. Repeated: further people's, "
        "who are scored against the first.",
        INPUT,
        metavar="DIR",
    ),
]
Layout = Annotated[
    choices.Layout | None,
    option(
        "--masks names the root of a data set laid out so; its photographs are named as they lie there.",
        INPUT,
    ),
]
MaskKind = Annotated[
    choices.MaskKind | None,
    option(
        "What the numbers in masks mean: regions (something else in each photograph), instances "
        "(objects, 0 the background) or classes (the same everywhere). By default the whole folder tells.",
        INPUT,
    ),
]
At = Annotated[list[str] | None, option("Reference place X,Y in [0, 1] (repeatable).", INPUT, metavar="X,Y")]

Model = Annotated[
    str,
    option(
        "NAME, PATH or NAME=PATH; see `dinoscope models`.",
        MODEL,
        metavar="MODEL",
        autocompletion=names_beginning,
    ),
]
Models = Annotated[
    str,
    option(
        "Models, separated by commas: NAME, PATH or NAME=PATH each; see `dinoscope models`.",
        MODEL,
        metavar="A[,B...]",
        autocompletion=names_beginning,
    ),
]
ModelsOrPair = Annotated[
    str | None,
    option(
        "Models, separated by commas: NAME, PATH or NAME=PATH each; see `dinoscope models`. The bundled "
        "pair of toy models by default.",
        MODEL,
        metavar="A[,B...]",
        autocompletion=names_beginning,
    ),
]
Layer = Annotated[
    int | None, option("0-based layer of every model; the last by default.", MODEL, metavar="N")
]
Facet = Annotated[
    choices.Facet,
    option("What every model is looked at by.", MODEL),
]
Grid = Annotated[
    int,
    option("Patches on the short side, the same for every model.", MODEL, metavar="N"),
]
Finer = Annotated[
    int,
    option(
        "So many times as fine a grid, by passes over shifted inputs; divides the patch.", MODEL, metavar="N"
    ),
]
ResizeFilter = Annotated[
    choices.ResizeFilter,
    option("How photographs are resized; official: each family's own.", MODEL),
]
Decode = Annotated[
    choices.Decode,
    option(
        "reduced: JPEG files by a half, a quarter or an eighth, as the input allows; faster, and certified "
        "on your photographs. Others are read in full.",
        MODEL,
    ),
]
Tile = Annotated[
    int | None,
    option(
        "Cut larger inputs into tiles of so many pixels a side; a seam score says how they agree.",
        MODEL,
        metavar="N",
        min=1,
    ),
]
Overlap = Annotated[
    int | None,
    option("Pixels that neighbouring tiles share; a quarter of a tile.", MODEL, metavar="N", min=0),
]
Repair = Annotated[
    choices.Repair,
    option("registers: beside each model with high-norm patches, itself with a test-time register.", MODEL),
]
RemovePosition = Annotated[
    int,
    option(
        "Take this many directions that place alone moves patches in out of every model.",
        MODEL,
        metavar="N",
        min=0,
    ),
]

Device = Annotated[
    str,
    option("Where models run; auto: a GPU where there is one.", COMPUTE, metavar="auto|cpu|cuda|mps"),
]
Dtype = Annotated[choices.Dtype, option("Of weights and arithmetic.", COMPUTE)]
Autocast = Annotated[
    bool,
    option(
        "Keep weights in float32 and only products in --dtype; alone: the 16 bits that the GPU has.",
        COMPUTE,
        "--autocast",
    ),
]
Fast = Annotated[
    bool,
    option(
        "The fastest way that this machine has and that your photographs certify; measured once, and kept in "
        "the user's cache.",
        COMPUTE,
        "--fast",
    ),
]
FastAnew = Annotated[
    bool,
    option("As --fast, and measure again.", COMPUTE, "--fast-anew"),
]
Compile = Annotated[
    bool,
    option("Run DINO models through torch.compile; without a compiler as ever.", COMPUTE, "--compile"),
]
AllowInexact = Annotated[
    bool,
    option("Measure even where the cosine to float32 is below 0.999 on average.", COMPUTE, "--allow-inexact"),
]
Controls = Annotated[
    bool,
    option("Measure features that know nothing of objects beside.", COMPUTE, "--controls/--no-controls"),
]
Seed = Annotated[
    int,
    option("Of random weights and of whatever is drawn.", COMPUTE, metavar="N", min=0, max=2**63 - 1),
]
Profile = Annotated[
    bool,
    option("Say on stderr where the time went: decoding, model, copies, writing.", OTHER, "--profile"),
]

Json = Annotated[
    bool,
    option("Print one JSON object and nothing else.", OUTPUT, "--json"),
]
