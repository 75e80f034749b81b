"""`dinoscope extract`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from dinoscope.errors import InputError
from dinoscope.shell import choices, options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import option
from dinoscope.shell.panels import MODEL, OUTPUT


@examples(
    "dinoscope extract my-photos/ --model dinov3-vitb16 -o features",
    "dinoscope extract my-photos/ --model dinov2-base --layers 5,11 -o features",
    "dinoscope extract my-photos/ --model mini --decode reduced -o features",
)
def extract_command(
    photos: options.Photos,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    model: options.Model,
    layers: Annotated[
        str,
        option("0-based layers, separated by commas; the last by default.", MODEL, metavar="N[,N...]"),
    ] = "",
    facet: options.Facet = "token",
    grid: options.Grid = 32,
    finer: options.Finer = 1,
    resize: options.ResizeFilter = "bilinear",
    decode: options.Decode = "full",
    tile: options.Tile = None,
    overlap: options.Overlap = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "float32",
    autocast: options.Autocast = False,
    compiled: options.Compile = False,
    fast: options.Fast = False,
    fast_anew: options.FastAnew = False,
    seed: options.Seed = 0,
    out: options.OutFolder,
    file_format: Annotated[
        choices.FeatureFormat, option("Of the files.", OUTPUT, "--format")
    ] = "safetensors",
    as_json: options.Json = False,
    profile: options.Profile = False,
) -> None:
    """Write the patch features of photographs, one file each."""
    from collections import Counter
    from dataclasses import asdict

    from dinoscope.data.features import Provenance
    from dinoscope.io.features import check_no_other_model, feature_path, write_features
    from dinoscope.io.json_files import write_json
    from dinoscope.names import printable
    from dinoscope.pipeline.extract import extract_layers
    from dinoscope.pipeline.fastest import fastest
    from dinoscope.pipeline.profile import profile_told, timed
    from dinoscope.pipeline.reduced import check_decoding, decoding_entry
    from dinoscope.pipeline.run import Run
    from dinoscope.shell.paths import check_out
    from dinoscope.shell.terminal import (
        end,
        load_model,
        looked_at,
        note,
        progress,
        read_ints,
        read_photographs,
        tell,
    )
    from dinoscope.strict_json import strict_json

    def seam_told(of: Provenance) -> str:
        seam = "no tiles overlap" if of.seam is None else f"seam score {of.seam:.4f}"
        return f"{printable(of.image)}, layer {of.layer}: tiles of {of.tiles}; {seam}"

    check_out(out)
    paths, failures = read_photographs(photos, recursive=recursive, pixel_range=pixel_range)
    whole = grid if tile is None else min(grid, 1)  # with tiles, a grid need not fit in memory
    backbone = load_model(
        looked_at(model, facet, finer), grid=whole, device=device, dtype=dtype, autocast=autocast, seed=seed
    )
    chosen = read_ints(layers, "--layers") or None
    run = Run(grid, layers=chosen, resize=resize, tile=tile, overlap=overlap, decode=decode)
    ledger: list[dict[str, object]] = []
    if fast or fast_anew:
        if compiled:
            raise InputError("--fast chooses by itself whether to compile: leave --compile out")
        found = fastest(backbone, paths, run, anew=fast_anew)
        backbone = found.backbone
        ledger.append(asdict(found.entry))
        for line in found.told:
            tell(f"--fast: {line}")
    proof = check_decoding(paths, backbone, run) if decode == "reduced" else None
    read: Counter[int] = Counter()

    with profile_told(tell, asked=profile), progress("photographs", len(paths)) as advance:
        files: list[Path] = []
        for by_layer in extract_layers(
            paths,
            backbone,
            run,
            compiled=compiled,
            on_failure=note(failures),
        ):
            for features in by_layer.values():
                if features.provenance.tiles:
                    tell(seam_told(features.provenance))
            of = next(iter(by_layer.values())).provenance
            read[of.reduction] += 1
            path = feature_path(out, of, file_format)
            with timed("write"):
                check_no_other_model(path, of)
                write_features(path, by_layer, format_=file_format)
            files.append(path)
            advance(len(files) + len(failures))
    if decode == "reduced":
        ledger.append(asdict(decoding_entry(proof, read)))
        tell(f"decoding: {ledger[-1]['detail']}")
    if ledger:
        write_json(out / "ledger.json", {"ledger": ledger})
    if as_json:
        told = {"ledger": ledger} if ledger else {}
        print(strict_json({"files": files, "failures": failures, **told}))
    else:
        print(f"{len(files)} of {len(paths)} photographs: {out}")
    end(failures)
