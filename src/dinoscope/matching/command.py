"""`dinoscope match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option, out_option
from dinoscope.shell.panels import INPUT


@examples(
    "dinoscope match a.jpg b.jpg --models dinov2-reg-base,dinov3-vitb16 --mutual",
    "dinoscope match photos/ --models dinov3-vitb16 --keypoints pairs.csv",
)
def match_command(
    first: Annotated[
        Path,
        typer.Argument(
            metavar="A",
            help="A photograph; with --keypoints also a folder: every pair found below it is scored.",
            show_default=False,
            rich_help_panel=INPUT,
        ),
    ],
    second: Annotated[
        Path | None,
        typer.Argument(metavar="B", help="The other photograph.", show_default=False, rich_help_panel=INPUT),
    ] = None,
    *,
    keypoints: Annotated[
        Path | None,
        option(
            "True points, scored: a .json of SPair's, a folder of them, or a .csv list of PF-PASCAL's.",
            INPUT,
            metavar="PATH",
            show_default=False,
        ),
    ] = None,
    at: options.At = None,
    models: options.Models,
    layer: options.Layer = None,
    grid: options.Grid = 32,
    resize: options.ResizeFilter = "bilinear",
    mutual: Annotated[
        bool, option("Keep only pairs of patches that are each other's best.", None, "--mutual")
    ] = False,
    ratio: Annotated[
        float | None,
        option("Keep only matches nearer than this times the next best that lies apart.", show_default=False),
    ] = None,
    spread: Annotated[
        float | None,
        option("Keep only matches this many pixels of A apart, the surest first.", show_default=False),
    ] = None,
    refine: Annotated[
        bool, option("Places between patches, by a local soft-argmax.", None, "--refine")
    ] = False,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    seed: options.Seed = 0,
    out: Annotated[
        Path | None,
        out_option("Folder for matches.json and matches.png."),
    ] = None,
    foreground: Annotated[
        bool, option("Match only each model's foreground by its first component.", None, "--foreground")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Where does the same thing lie in another photograph? Several models on the same points."""
    from dinoscope.data.results import Failure
    from dinoscope.errors import InputError
    from dinoscope.io.json_files import json_text
    from dinoscope.io.keypoints import pair_named, read_keypoints
    from dinoscope.matching import output
    from dinoscope.matching.keypoint_pairs import score_pairs
    from dinoscope.matching.match_pair import MatchSettings, match_pair
    from dinoscope.names import readable
    from dinoscope.shell.paths import check_files, check_out
    from dinoscope.shell.terminal import end, load_models, note, progress, read_places

    check_files(path for path in (first, second, keypoints) if path is not None)
    check_out(out)
    settings = MatchSettings(
        grid, layer, resize, mutual, spread, ratio, refine, foreground, tuple(read_places(at or []))
    )
    pairs = None if keypoints is None else read_keypoints(keypoints)
    if second is None and (pairs is None or not first.is_dir()):
        raise InputError("match takes two photographs A B, or a folder with --keypoints")
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    if second is None and pairs is not None:
        failures: list[Failure] = []
        with progress("pairs", len(pairs)) as advance:
            scores = score_pairs(
                pairs, first, backbones, settings, on_failure=note(failures), on_progress=advance
            )
        if out is not None:
            output.write_scores(scores, failures, out)
        print(
            json_text(output.scores_content(scores, failures)) if as_json else output.scores_text(scores),
            end="" if as_json else "\n",
        )
        end(failures)
        return
    assert second is not None  # narrowed above
    pair = None if pairs is None else pair_named(pairs, readable(first.name), readable(second.name))
    found = match_pair(first, second, backbones, settings, keypoints=pair)
    if out is not None:
        output.write_matches(found, out)
    print(output.matches_json(found) if as_json else output.matches_text(found), end="" if as_json else "\n")
