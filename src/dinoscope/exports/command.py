"""`dinoscope certify` and `dinoscope export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.shell.options import Photos

Model = Annotated[str, typer.Argument(help="NAME, PATH or NAME=PATH.", show_default=False)]


def certify_command(
    model: Model,
    exported: Annotated[
        Path,
        typer.Argument(
            help="An .onnx file, or a file of features of one photograph (.safetensors, .npz, .npy).",
            show_default=False,
        ),
    ],
    photos: Photos,
    *,
    grids: Annotated[
        str, typer.Option(help="Patches HxW that photographs are resized to, separated by commas.")
    ] = "12x18,18x12,16x16,24x24",
    least_mean: Annotated[float, typer.Option(help="Mean cosine needed to pass.")] = 0.999,
    least_worst: Annotated[float, typer.Option(help="Cosine that the worst patch needs.")] = 0.99,
    cause: Annotated[
        bool,
        typer.Option(
            "--cause/--no-cause", help="Where it does not pass, look for the cause: up to 150 passes."
        ),
    ] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for certificate.json and where.png.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Say whether an export gives the dense features of its model, where it departs, and likely why.

    Ends with 0 where it passes and 1 where it does not.
    """
    from dinoscope.backbones.load import load_backbone
    from dinoscope.exports.certificate import Limits
    from dinoscope.exports.certify import certify
    from dinoscope.exports.files import write_certificate
    from dinoscope.exports.text import certificate_json, certificate_text
    from dinoscope.shell.terminal import end, note, read_photographs

    paths, failures = read_photographs(photos)
    found = certify(
        load_backbone(model),
        exported,
        paths,
        grids=[_grid(words) for words in grids.split(",")],
        limits=Limits(least_mean, least_worst),
        name_cause=cause,
        on_failure=note(failures),
    )
    if out is not None:
        write_certificate(found, out)
    print(certificate_json(found) if as_json else certificate_text(found))
    if not found.passed:
        raise typer.Exit(1)
    end(failures)


def export_command(
    model: Model,
    *,
    out: Annotated[Path, typer.Option(help="File to write.", show_default=False)],
    file_format: Annotated[str, typer.Option("--format", help="onnx.")] = "onnx",
) -> None:
    """Write a DINO ViT as a file that takes photographs of any size, and certify it on drawn photographs."""
    from dinoscope.backbones.load import load_backbone
    from dinoscope.exports.certify import certify
    from dinoscope.exports.export import write_onnx
    from dinoscope.exports.text import certificate_text
    from dinoscope.scenes.generate import scenes

    if file_format != "onnx":
        raise InputError(f"no format {file_format!r}: there is onnx")
    if out.suffix.lower() != ".onnx":
        raise InputError(f"{str(out)!r}: the file of an ONNX export ends in .onnx")
    backbone = load_backbone(model)
    write_onnx(backbone, out)
    found = certify(backbone, out, [scene.first.image for scene in scenes(2, 0)])
    print(f"{out}: {certificate_text(found)}")
    if not found.passed:
        raise typer.Exit(1)


def _grid(words: str) -> tuple[int, int]:
    height, _, width = words.strip().lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise InputError(f"--grids takes HxW in patches, separated by commas, such as 12x18; got {words!r}")
    return int(height), int(width)
