"""`dinoscope certify` and `dinoscope export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import INPUT, MODEL, OUTPUT

Model = Annotated[str, argument("NAME, PATH or NAME=PATH.", MODEL)]


@examples(
    "dinoscope certify dinov3-vits16 vits16.onnx my-photos/",
    "dinoscope certify dinov2-small theirs.npz photo.jpg --no-cause -o certificate",
)
def certify_command(
    model: Model,
    exported: Annotated[
        Path,
        argument(
            "An .onnx or OpenVINO .xml file, or features of one photograph (.safetensors, .npz, .npy).", INPUT
        ),
    ],
    photos: options.Photos,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    grids: Annotated[
        str,
        option(
            "Patches HxW that photographs are resized to, separated by commas.", MODEL, metavar="HxW[,...]"
        ),
    ] = "12x18,18x12,16x16,24x24",
    least_mean: Annotated[float, option("Mean cosine needed to pass.")] = 0.999,
    least_worst: Annotated[float, option("Cosine that the worst patch needs.")] = 0.99,
    cause: Annotated[
        bool,
        option("Where it does not pass, look for the cause: up to 150 passes.", None, "--cause/--no-cause"),
    ] = True,
    out: Annotated[
        Path | None,
        out_option("Folder for certificate.json and where.png."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Say whether an export gives the dense features of its model, where it departs, and likely why.

    Ends with 0 where it passes and 1 where it does not.
    """
    from dinoscope.atomic import write_bytes, write_text
    from dinoscope.backbones.load import load_backbone
    from dinoscope.drawing.figure_files import png_bytes
    from dinoscope.exports.certificate import Limits
    from dinoscope.exports.certify import certify
    from dinoscope.exports.figures import plot_certificate
    from dinoscope.exports.text import certificate_json, certificate_text
    from dinoscope.shell.paths import check_files, check_out
    from dinoscope.shell.terminal import end, note, read_photographs

    check_files([exported])
    check_out(out, photos, recursive=recursive)
    paths, failures = read_photographs(photos, recursive=recursive, pixel_range=pixel_range)
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
        write_text(out / "certificate.json", certificate_json(found))
        write_bytes(out / "where.png", png_bytes(plot_certificate(found)))
    print(certificate_json(found) if as_json else certificate_text(found))
    if not found.passed:
        raise typer.Exit(1)
    end(failures)


@examples(
    "dinoscope export mini -o mini.onnx",
    "dinoscope export dinov3-vits16=checkpoint.pth -o vits16.xml --format openvino",
)
def export_command(
    model: Model,
    *,
    out: Annotated[
        Path,
        out_option("File to write.", metavar="FILE"),
    ],
    file_format: Annotated[choices.ExportFormat, option("Of the file.", OUTPUT, "--format")] = "onnx",
    as_json: options.Json = False,
) -> None:
    """Write a DINO ViT as a file that takes photographs of any size, and certify it on drawn photographs."""
    from dinoscope.backbones.load import load_backbone
    from dinoscope.exports.certify import certify
    from dinoscope.exports.export import write_onnx, write_openvino
    from dinoscope.exports.text import certificate_json, certificate_text
    from dinoscope.io.images import photograph_from_array
    from dinoscope.scenes.generate import scenes
    from dinoscope.shell.paths import check_out

    check_out(out.parent)
    named, ending = {"onnx": ("ONNX", ".onnx"), "openvino": ("OpenVINO", ".xml")}[file_format]
    if out.suffix != ending:
        raise InputError(f"{str(out)!r}: the file of an {named} export ends in {ending}")
    backbone = load_backbone(model)
    (write_openvino if file_format == "openvino" else write_onnx)(backbone, out)
    drawn = [
        photograph_from_array(scene.first.image, name=f"drawn scene {k}")
        for k, scene in enumerate(scenes(2, 0), 1)
    ]
    found = certify(backbone, out, drawn)
    print(certificate_json(found) if as_json else f"{out}: {certificate_text(found)}")
    if not found.passed:
        raise typer.Exit(1)


def _grid(words: str) -> tuple[int, int]:
    height, _, width = words.strip().lower().partition("x")
    if not (height.isdigit() and width.isdigit() and int(height) and int(width)):
        raise InputError(f"--grids takes HxW in patches, separated by commas, such as 12x18; got {words!r}")
    return int(height), int(width)
