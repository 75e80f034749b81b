"""`dinoscope look`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import INPUT, MODEL, OUTPUT


@examples(
    "dinoscope look photo.jpg --models dinov2-reg-base,dinov3-vitb16",
    "dinoscope look photo.jpg --models mini,mini-gram --at 0.4,0.6 -o look",
)
def look_command(
    photo: Annotated[Path, argument("A photograph.", INPUT)],
    *,
    pixel_range: options.PixelRange = "full",
    text: Annotated[
        list[str] | None,
        option(
            "Words to look for, by models that read them (repeatable): hf:google/tipsv2-b14.",
            INPUT,
            metavar="WORDS",
        ),
    ] = None,
    at: options.At = None,
    models: options.Models,
    layer: options.Layer = None,
    grid: options.Grid = 32,
    finer: Annotated[
        int,
        option("How many times as fine the finer grid is.", MODEL, metavar="N"),
    ] = 2,
    head: Annotated[
        int | None, option("Of the attention; the mean over heads by default.", MODEL, metavar="N")
    ] = None,
    clusters: Annotated[
        int | None, option("How many; by default as many as the spectrum speaks for.", OUTPUT, metavar="N")
    ] = None,
    upsample: Annotated[
        str,
        option(
            "How the map between patches is made: joint, bilinear, nearest, or a learned upsampler that "
            "torch.hub has here (anyup, featup:ENTRY, loftup:ENTRY).",
            OUTPUT,
            metavar="HOW",
        ),
    ] = "joint",
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    out: Annotated[
        Path,
        out_option("Folder for look.png and look.json."),
    ] = Path("dinoscope-look"),
    as_json: options.Json = False,
) -> None:
    """Look at one photograph in every way: components, keys, attention, spectral colours, clusters, finer."""
    from dinoscope.errors import InputError
    from dinoscope.io.json_files import json_text
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.looking import output
    from dinoscope.looking.look import CENTRE, LookSettings, look
    from dinoscope.shell.paths import check_files, check_out
    from dinoscope.shell.terminal import load_models, read_places, with_kinds

    check_files([photo])
    check_out(out)
    use_range(read_range(pixel_range))
    places = read_places(at or [])
    if len(places) > 1:
        raise InputError(f"look asks about one place at a time, got {len(places)}: give --at once")
    settings = LookSettings(
        places[0] if places else CENTRE, grid, layer, head, clusters, finer, seed, upsample, tuple(text or ())
    )
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    found = look(photo, backbones, settings)
    output.write_views(found, out)
    content = output.views_content(found)
    print(json_text(content) if as_json else with_kinds(output.views_text(found, out), backbones), end="")
