"""`dinoscope doctor`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated

import typer

from dinoscope.doctor.diagnosis import Health
from dinoscope.errors import InputError
from dinoscope.shell.options import Seed

STORE_DAMAGED = 4
EVERY_S = 5.0
"""Progress is told no more often than this."""


def doctor_command(
    store: Annotated[
        str | None,
        typer.Argument(
            help="Instead: check every file of this store against its digest.", show_default=False
        ),
    ] = None,
    *,
    explain: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            metavar="OLD NEW PHOTO",
            help="Find what makes NEW differ from OLD on a photograph. OLD and NEW: MODEL, "
            "MODEL?layer=8&norm=false, or a file of features (.npy, .npz, .safetensors).",
            show_default=False,
        ),
    ] = None,
    compiled: Annotated[bool, typer.Option(help="Check torch.compile too; takes about a minute.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    device: Annotated[str, typer.Option(help="Of --explain: cpu, cuda, mps, or auto.")] = "cpu",
    seed: Seed = 0,
) -> None:
    """Say what works here and what to do about what does not; or what is damaged in a store, or why features
    differ.
    """
    from dinoscope.doctor import text

    if store is not None and (explain is not None or compiled):
        raise InputError("a store is checked by itself: leave --explain and --compiled out")
    if store is not None:
        found = _examined(store)
        print(text.health_json(found) if as_json else text.findings_text(found))
        if not found.usable:
            print(f"dinoscope: the store {store!r} is damaged", file=sys.stderr)
            raise typer.Exit(STORE_DAMAGED)
        return
    if explain is not None:
        from dinoscope.backbones.load import torch_device
        from dinoscope.doctor.explain.explain import explain as find_cause

        old, new, photo = explain
        diagnosis = find_cause(
            old, new, photo, device=str(torch_device(device)), seed=seed, on_progress=_tell()
        )
        print(text.diagnosis_json(diagnosis) if as_json else text.diagnosis_text(diagnosis))
        return
    from dinoscope.doctor.health import examine

    health = examine(compiled=compiled)
    print(text.health_json(health) if as_json else text.health_text(health))
    if not health.usable:
        print("dinoscope cannot be used here as it is", file=sys.stderr)
        raise typer.Exit(1)


def _examined(store: str) -> Health:
    from dinoscope.doctor.health_store import examine_store, store_bytes
    from dinoscope.shell.terminal import progress

    done = 0
    with progress("bytes", store_bytes(store)) as advance:

        def count(n_bytes: int) -> None:
            nonlocal done
            done += n_bytes
            advance(done)

        return examine_store(store, on_bytes=count)


def _tell() -> Callable[[int, int], None]:
    said = time.monotonic()

    def line(done: int, total: int) -> None:
        nonlocal said
        if time.monotonic() - said >= EVERY_S:
            said = time.monotonic()
            print(f"{done} of {total} changes tried", file=sys.stderr)

    return line
