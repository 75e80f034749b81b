"""`dinoscope anchor`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

from dinoscope.errors import InputError
from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument, option, out_option
from dinoscope.shell.panels import COMPUTE, INPUT, OUTPUT

NETWORK, TRAINING, ARMS, REFINING = "Network", "Training", "Arms", "Refinement (--from)"

Sources = Annotated[
    list[str],
    argument(
        "Photographs to learn from, or folders or tar files of them; scenes:N draws N procedural ones "
        "into --out.",
        INPUT,
    ),
]


@examples(
    "dinoscope anchor my-photos/ -o laboratory",
    "dinoscope anchor scenes:2000 -o laboratory --trunk-steps 500 --steps 100",
    "dinoscope anchor --from dinov2-reg-small my-photos/ -o refined --rank 8",
)
def anchor_command(
    photos: Sources,
    *,
    recursive: options.Recursive = False,
    pixel_range: options.PixelRange = "full",
    source: Annotated[
        str | None,
        option(
            "Refine this model instead: hold its patches to its own at twice the resolution.",
            REFINING,
            "--from",
            metavar="MODEL",
        ),
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        option(
            "Photographs to measure on (repeatable); by default every fifth is held out.",
            REFINING,
            metavar="PATH",
        ),
    ] = None,
    masks: Annotated[
        Path | None,
        option("Folder of label images of the held-out photographs.", REFINING, metavar="DIR"),
    ] = None,
    grid: Annotated[
        int, option("Patches on the short side of held-out photographs.", REFINING, metavar="N", min=4)
    ] = 16,
    crop_grid: Annotated[
        int, option("Patches on a side of a crop to learn from.", REFINING, metavar="N", min=2)
    ] = 8,
    rank: Annotated[
        int, option("Learn products of this rank beside the weights; 0: every weight.", REFINING, min=0)
    ] = 0,
    rate: Annotated[float, option("Highest learning rate.", REFINING)] = 3e-5,
    controls: Annotated[
        bool,
        option(
            "Train the controls, too: no Gram loss; the same resolution; that blurred.",
            REFINING,
            "--controls/--no-controls",
        ),
    ] = True,
    dim: Annotated[int, option("Channels of the network.", NETWORK)] = 128,
    depth: Annotated[int, option("Its blocks.", NETWORK)] = 6,
    heads: Annotated[int, option("Its attention heads.", NETWORK)] = 4,
    patch_size: Annotated[int, option("Pixels of a patch.", NETWORK)] = 8,
    crops: Annotated[
        str,
        option("Pixels of a global and of a local crop.", TRAINING, metavar="G,L"),
    ] = "64,32",
    batch: Annotated[int, option("Photographs a step.", TRAINING)] = 64,
    trunk_steps: Annotated[int, option("Steps before the arms branch off.", TRAINING)] = 2000,
    snapshot_every: Annotated[int, option("Steps between networks that are kept.", TRAINING)] = 100,
    measure_every: Annotated[int, option("Steps between networks that are measured.", TRAINING)] = 400,
    checkpoint_every: Annotated[int, option("Steps between checkpoints to resume from.", TRAINING)] = 100,
    measured_scenes: Annotated[int, option("Held-out scenes that networks are measured on.", TRAINING)] = 256,
    arms: Annotated[
        str,
        option("Separated by commas; an empty string for the trunk alone.", ARMS, metavar="A[,B...]"),
    ] = "continue,local-half,gram-x1,gram-x2,feature-mse",
    steps: Annotated[int, option("Steps of each arm.", ARMS)] = 400,
    seeds: Annotated[int, option("How many times each arm forks, with seeds 0 to N - 1.", ARMS)] = 3,
    weight: Annotated[float, option("Of the anchor's loss.", ARMS)] = 2.0,
    teacher_step: Annotated[
        int | None, option("Snapshot that the frozen teacher is; a fifth of the trunk by default.", ARMS)
    ] = None,
    update_every: Annotated[
        int | None,
        option(
            "Steps until the current average replaces the teacher, 0 for never; a hundredth of the "
            "trunk by default.",
            ARMS,
        ),
    ] = None,
    ramp: Annotated[
        int | None,
        option("Steps until the anchor's weight holds; a thousandth of the trunk by default.", ARMS),
    ] = None,
    planted_steps: Annotated[
        int,
        option(
            "Steps of planted damage, the positive control where the gate does not fire; 0 for none.", ARMS
        ),
    ] = 200,
    planted_arms: Annotated[
        str,
        option("Arms after the damage, separated by commas.", ARMS, metavar="A[,B...]"),
    ] = "continue,gram-x2",
    workers: Annotated[int, option("Threads that cut crops.", COMPUTE, metavar="N")] = 1,
    device: options.Device = "auto",
    compiled: Annotated[
        bool | None,
        option(
            "Through torch.compile; by default on a CPU with a C++ compiler, from 64 channels on.",
            COMPUTE,
            "--compile/--no-compile",
        ),
    ] = None,
    seed: options.Seed = 0,
    out: Annotated[
        Path,
        out_option("Folder of the experiment."),
    ],
    show: Annotated[
        list[Path] | None,
        option(
            "Photograph of the film strip, not trained on (repeatable); scenes by default.",
            OUTPUT,
            metavar="PATH",
        ),
    ] = None,
    resume: Annotated[
        bool,
        option("Go on with the experiment in the folder.", OUTPUT, "--resume"),
    ] = False,
    force: Annotated[
        bool,
        option("Replace the experiment in the folder.", OUTPUT, "--force"),
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Train a small ViT with and without the Gram anchor, measure every network, and conclude by rule.

    With --from a model that exists already is refined instead; of the options of network, training and arms
    only --batch, --checkpoint-every, --steps and --weight have a meaning there.
    """
    from dinoscope.anchoring.arms import Recipe
    from dinoscope.anchoring.config import Crops, Machine, Network, Settings
    from dinoscope.anchoring.held_out import Probes
    from dinoscope.anchoring.laboratory import laboratory
    from dinoscope.anchoring.plan import Plan, Planting
    from dinoscope.anchoring.report.report import write_laboratory
    from dinoscope.io.images import read_photograph
    from dinoscope.io.pixel_range import read_range, use_range
    from dinoscope.shell.paths import check_files, check_folders, check_out
    from dinoscope.shell.terminal import read_ints, read_words, tell_training, training_sources
    from dinoscope.strict_json import strict_json

    check_files(show or ())
    check_out(out)
    use_range(read_range(pixel_range))
    if source is not None:
        from dinoscope.anchoring.refine.command import parted, run_refinement
        from dinoscope.anchoring.refine.refine import HeldOut, refine
        from dinoscope.anchoring.refine.settings import Refinement
        from dinoscope.backbones.load import load_backbone, torch_device

        check_files(held_out or ())
        check_folders([] if masks is None else [masks], "masks")
        settings = Refinement(
            steps=steps,
            batch=batch,
            grid=crop_grid,
            weight=weight,
            rank=rank,
            learning_rate=rate,
            seed=seed,
            checkpoint_every=checkpoint_every,
            controls=controls,
        )
        learned, shown = parted(training_sources(photos, out, recursive=recursive), held_out)
        refined = partial(
            refine,
            load_backbone(source, device=torch_device(device)),
            learned,
            HeldOut(shown, masks, grid),
            out,
            settings,
            workers=workers,
            resume=resume,
            force=force,
        )
        run_refinement(refined, out, as_json=as_json)
        return
    sides = read_ints(crops, "--crops")
    if len(sides) != 2:
        raise InputError(f"--crops takes G,L, such as 64,32; got {crops!r}")
    if seeds < 1:
        raise InputError(f"--seeds must be at least 1, got {seeds}")
    block = max(1, sides[0] // max(1, patch_size) // 3)
    trunk = Settings(
        seed=seed,
        steps=trunk_steps,
        batch=batch,
        warmup=min(100, max(1, trunk_steps // 10)),
        checkpoint_every=checkpoint_every,
        snapshot_every=snapshot_every,
        network=Network(dim=dim, depth=depth, heads=heads, patch_size=patch_size, hidden=4 * dim),
        crops=Crops(global_px=sides[0], local_px=sides[1], mask_side=(block, 2 * block)),
        machine=Machine(device=device, compile=compiled, workers=workers),
    )
    planting = None
    if planted_steps:
        planting = Planting(steps=planted_steps, arms=tuple(read_words(planted_arms)))
    plan = Plan(
        trunk=trunk,
        recipe=Recipe(steps, weight, ramp=ramp, teacher_step=teacher_step, update_every=update_every),
        arms=tuple(read_words(arms)),
        seeds=tuple(range(seeds)),
        probes=Probes(n=measured_scenes, n_dense=min(96, measured_scenes)),
        measure_every=measure_every,
        planted=planting,
    )
    try:
        found = laboratory(
            training_sources(photos, out, recursive=recursive),
            out,
            plan,
            shown=[read_photograph(path) for path in show or ()],
            on_step=tell_training(),
            resume=resume,
            force=force,
        )
    except KeyboardInterrupt:
        print(f"cut off; the same command with --resume goes on in {str(out)!r}", file=sys.stderr)
        raise
    report = write_laboratory(found, out)
    control = None if found.control is None else found.control.sentences
    if as_json:
        print(strict_json({"conclusion": found.conclusion.sentences, "control": control, "report": report}))
        return
    print("\n".join(found.conclusion.sentences))
    if control is not None:
        print("\nPositive control, no part of the above:\n" + "\n".join(control))
    print(f"\nreport: {report}")
