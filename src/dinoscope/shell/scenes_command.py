"""`dinoscope scenes`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.errors import InputError
from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option
from dinoscope.shell.panels import OUTPUT


@examples("dinoscope scenes my-scenes --n 24", "dinoscope scenes my-scenes --size 384,256 --seed 7 --noise 0")
def scenes_command(
    folder: Annotated[Path, argument("Folder to write to, or to go on with.", OUTPUT)],
    *,
    n: Annotated[int, option("How many scenes the folder is to hold.", None, "--n", "-n")] = 200,
    size: Annotated[str, option("Pixels: W,H, or one number for a square.", metavar="W,H")] = "256",
    background_correlation: Annotated[
        float, option("0: backgrounds are independent of the class; 1: the class decides.")
    ] = 0.0,
    lighting: Annotated[float, option("0: even, 1: sun and shadows.")] = 0.7,
    blur: Annotated[float, option("Depth of field, 0 to 1.")] = 0.3,
    noise: Annotated[float, option("Of the sensor, 0 to 1.")] = 0.15,
    classes: Annotated[int, option("Classes of subjects, 1 to 48.")] = 16,
    seed: options.Seed = 0,
    as_json: options.Json = False,
) -> None:
    """Write procedural photographs with exact masks, depth, flow and labels.

    Scene i of a seed is the same whatever --n is.
    """
    from dinoscope.scenes.write import write_scenes
    from dinoscope.shell.paths import check_out
    from dinoscope.shell.terminal import progress, read_ints
    from dinoscope.strict_json import strict_json

    check_out(folder)
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
    if as_json:
        print(strict_json({"folder": folder, "drawn": drawn, "there": n - drawn}))
        return
    print(f"{drawn} scenes drawn, {n - drawn} were there: {folder}")
