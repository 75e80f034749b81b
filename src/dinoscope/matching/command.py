"""`dinoscope match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import INPUT


@examples(
    "dinoscope match a.jpg b.jpg --models dinov2-reg-base,dinov3-vitb16 --mutual",
    "dinoscope match photos/ --models dinov3-vitb16 --keypoints pairs.csv",
)
def match_command(
    first: Annotated[
        Path,
        argument(
            "A photograph; with --keypoints also a folder: every pair found below it is scored.",
            INPUT,
            metavar="A",
        ),
    ],
    second: Annotated[Path | None, argument("The other photograph.", INPUT, metavar="B")] = None,
    *,
    keypoints: Annotated[
        Path | None,
        option(
            "True points, scored: a .json of SPair's, a folder of them, or a .csv list of PF-PASCAL's.",
            INPUT,
            metavar="PATH",
        ),
    ] = None,
    pixel_range: options.PixelRange = "full",
    at: options.At = None,
    models: options.Models,
    layer: options.Layer = None,
    grid: options.Grid = 32,
    resize: options.ResizeFilter = "bilinear",
    mutual: Annotated[
        bool, option("Keep only pairs of patches that are each other's best.", None, "--mutual")
    ] = False,
    ratio: Annotated[
        float | None, option("Keep only matches nearer than this times the next best that lies apart.")
    ] = None,
    spread: Annotated[
        float | None, option("Keep only matches this many pixels of A apart, the surest first.")
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
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.matching import output
    from dinoscope.matching.keypoint_pairs import score_pairs
    from dinoscope.matching.match_pair import MatchSettings, match_pair
    from dinoscope.names import readable
    from dinoscope.shell.paths import check_files, check_out
    from dinoscope.shell.terminal import end, load_models, note, progress, read_places, with_kinds

    check_files(path for path in (first, second, keypoints) if path is not None)
    check_out(out)
    use_range(read_range(pixel_range))
    settings = MatchSettings(
        grid, layer, resize, mutual, spread, ratio, refine, foreground, tuple(read_places(at or []))
    )
    pairs = None if keypoints is None else read_keypoints(keypoints)
    if second is None and (pairs is None or not first.is_dir()):
        raise InputError("match takes two photographs A B, or a folder with --keypoints")
    if second is None and (mutual or foreground or ratio is not None or spread is not None or at):
        raise InputError(
            "all keypoints below a folder are scored: --at, --mutual, --ratio, --spread and --foreground are "
            "for two photographs A B"
        )
    backbones = load_models(models, grid=grid, device=device, dtype=dtype, seed=seed)
    if second is None and pairs is not None:
        failures: list[Failure] = []
        with progress("pairs", len(pairs)) as advance:
            scores = score_pairs(
                pairs, first, backbones, settings, on_failure=note(failures), on_progress=advance
            )
        if out is not None:
            output.write_scores(scores, failures, out)
        content = output.scores_content(scores, failures)
        print(json_text(content) if as_json else with_kinds(output.scores_text(scores), backbones), end="")
        end(failures)
        return
    assert second is not None  # narrowed above
    pair = None if pairs is None else pair_named(pairs, readable(first.name), readable(second.name))
    found = match_pair(first, second, backbones, settings, keypoints=pair)
    if out is not None:
        output.write_matches(found, out)
    told = output.matches_json(found) if as_json else with_kinds(output.matches_text(found), backbones)
    print(told, end="")
