"""`dinoscope scenes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.errors import InputError


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
    from dinoscope.shell.terminal import progress, read_ints

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
