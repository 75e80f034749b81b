"""`dinoscope look`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell.options import At, Device, Dtype, Grid, Layer, Models, Seed


def look_command(
    photo: Annotated[Path, typer.Argument(help="A photograph.", show_default=False)],
    *,
    models: Models,
    grid: Grid = 32,
    at: At = None,
    head: Annotated[
        int | None, typer.Option(help="Of the attention; the mean over heads by default.", show_default=False)
    ] = None,
    clusters: Annotated[
        int | None,
        typer.Option(help="How many; by default as many as the spectrum speaks for.", show_default=False),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help="Words to look for, by models that read them (repeatable): hf:google/tipsv2-b14.",
            show_default=False,
        ),
    ] = None,
    finer: Annotated[int, typer.Option(help="How many times as fine the finer grid is.")] = 2,
    out: Annotated[Path, typer.Option(help="Folder for look.png and look.json.")] = Path("dinoscope-look"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    layer: Layer = None,
    device: Device = "auto",
    dtype: Dtype = "float32",
    seed: Seed = 0,
) -> None:
    """Look at one photograph in every way: components, keys, attention, spectral colours, clusters, finer."""
    from dinoscope.errors import InputError
    from dinoscope.io.json_files import json_text
    from dinoscope.looking import output
    from dinoscope.looking.look import CENTRE, LookSettings, look
    from dinoscope.shell.terminal import load_models, read_places

    places = read_places(at or [])
    if len(places) > 1:
        raise InputError(f"look asks about one place at a time, got {len(places)}: give --at once")
    settings = LookSettings(
        places[0] if places else CENTRE, grid, layer, head, clusters, finer, seed, tuple(text or ())
    )
    found = look(photo, load_models(models, grid=grid, device=device, dtype=dtype, seed=seed), settings)
    output.write_views(found, out)
    content = output.views_content(found)
    print(json_text(content) if as_json else output.views_text(found, out), end="" if as_json else "\n")
