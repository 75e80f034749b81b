"""`dinoscope doctor`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dinoscope.errors import InputError
from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option
from dinoscope.shell.panels import COMPUTE, INPUT, OUTPUT

STORE_DAMAGED = 4


@examples(
    "dinoscope doctor",
    "dinoscope doctor --explain mini theirs.npy photo.png",
    "dinoscope doctor my-store",
)
def doctor_command(
    store: Annotated[
        str | None, argument("Instead: check every file of this store against its digest.", INPUT)
    ] = None,
    *,
    explain: Annotated[
        tuple[str, str, str] | None,
        option(
            "Find what makes NEW differ from OLD on a photograph. OLD and NEW: MODEL, "
            "MODEL?layer=8&norm=false, or a file of features (.npy, .npz, .safetensors).",
            INPUT,
            metavar="OLD NEW PHOTO",
        ),
    ] = None,
    compiled: Annotated[
        bool,
        option("Check torch.compile too; takes about a minute.", COMPUTE, "--compiled"),
    ] = False,
    pixel_range: options.PixelRange = "full",
    device: Annotated[
        str,
        option("Where --explain computes.", COMPUTE, metavar="cpu|cuda|mps|auto"),
    ] = "cpu",
    seed: options.Seed = 0,
    full: Annotated[bool, option("A line for every extra, too.", OUTPUT, "--full")] = False,
    as_json: options.Json = False,
) -> None:
    """Say what works here and what to do about what does not; or what is damaged in a store, or why features
    differ.
    """
    from dinoscope.doctor import text

    if store is not None and (explain is not None or compiled):
        raise InputError("a store is checked by itself: leave --explain and --compiled out")
    if store is not None:
        from dinoscope.doctor.health_store import examine_store, store_bytes
        from dinoscope.shell.stages import Stage, stages

        with stages(Stage("bytes", total=store_bytes(store))) as course:
            found = examine_store(store, on_bytes=course.add)
        print(text.health_json(found) if as_json else text.findings_text(found))
        if not found.usable:
            print(f"dinoscope: the store {store!r} is damaged", file=sys.stderr)
            raise typer.Exit(STORE_DAMAGED)
        return
    if explain is not None:
        from dinoscope.backbones.load import torch_device
        from dinoscope.doctor.explain.explain import explain as find_cause
        from dinoscope.io.pixel_range import read_range, use_range
        from dinoscope.shell.stages import Stage, stages
        from dinoscope.strict_json import strict_json

        use_range(read_range(pixel_range))
        old, new, photo = explain
        with stages(Stage("changes tried")) as course:
            diagnosis = find_cause(
                old, new, photo, device=str(torch_device(device)), seed=seed, on_progress=course.so_far
            )
        print(strict_json(diagnosis) if as_json else text.diagnosis_text(diagnosis))
        return
    from dinoscope.doctor.health import examine

    health = examine(compiled=compiled)
    print(text.health_json(health) if as_json else text.health_text(health, full=full))
    if not health.usable:
        print("dinoscope cannot be used here as it is", file=sys.stderr)
        raise typer.Exit(1)
