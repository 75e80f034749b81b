"""Trains the bundled pair, or a pilot of it, for as long as there is time; the next call goes on.

    nice -n 19 python -m experiments.pair OUT THUMBNAILS/[0-3].tar [--minutes 50] [--pilot NAME]

OUT gets ``code.json``, ``trunk/`` and ``arms/seed-0/ARM/`` (`dinoscope.anchoring.folder`), or ``NAME/`` of a
pilot. A call that is ended in any way loses at most 50 steps. ``--keep STATE`` saves the trunk (its newest
checkpoint in one file, its losses and settings); ``--from STATE`` puts that into an empty OUT first. One
thread, so that others can use the other cores.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from dinoscope.anchoring.arms import Branch, run_arm
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.train import Progress, run
from dinoscope.errors import InputError
from experiments.pinned import pin
from experiments.recipe import ARMS, PAIR, PILOTS, TRUNK


class TimeIsUpError(Exception):
    """Ends a slice after a checkpoint."""


def listener(minutes: float, every: int) -> Callable[[Progress], None]:
    """Says how far the run is, and ends it behind the first checkpoint after so many minutes; 0 for never."""
    until = time.monotonic() + 60 * minutes if minutes else float("inf")

    def listen(progress: Progress) -> None:
        if progress.step % every:
            return
        said = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
        print(
            f"step {progress.step} of {progress.steps}  {progress.seconds_per_step:.2f} s  {said}", flush=True
        )
        if time.monotonic() > until:
            raise TimeIsUpError

    return listen


def keep(out: Path, state: Path) -> None:
    """What the trunk needs to go on elsewhere, the snapshot of the anchor's teacher included, in a folder."""
    trunk = RunFolder(out / "trunk")
    latest = trunk.latest_checkpoint()
    if latest is None:
        raise InputError(f"{str(out)!r} has no checkpoint yet")
    (state / "trunk" / "checkpoints").mkdir(parents=True, exist_ok=True)
    kept = RunFolder(state / "trunk")
    shutil.copy2(latest, kept.checkpoints / latest.name)
    for old in kept.checkpoints.glob("step-*.pt"):
        if old.name != latest.name:
            old.unlink()
    shutil.copy2(trunk.about, kept.about)
    shutil.copy2(trunk.losses, kept.losses)
    shutil.copy2(out / "code.json", state / "code.json")
    for step in {PAIR.teacher_step}.intersection(trunk.snapshot_steps()):
        shutil.copytree(trunk.snapshot(step), kept.snapshot(step), dirs_exist_ok=True)


def slice_parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """What every run in slices is told: where it lies, how long, how many threads, under which code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=0.0, help="of this slice; 0 until it is done")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--other-code", action="store_true", help="go on under this code all the same")
    return parser


def main(words: Sequence[str] | None = None) -> None:
    """Train."""
    parser = slice_parser("experiments.pair", __doc__)
    parser.add_argument("photographs", nargs="*")
    parser.add_argument("--pilot", choices=tuple(PILOTS))
    parser.add_argument("--arms", default=",".join(ARMS), help="of a finished trunk those alone")
    parser.add_argument("--from", dest="state", type=Path, help="saved state to go on from")
    parser.add_argument("--keep", type=Path, help="save the trunk's state there and end")
    asked = parser.parse_args(words)
    if asked.keep is not None:
        keep(asked.out, asked.keep)
        return
    if asked.state is not None and not (asked.out / "trunk").exists():
        shutil.copytree(asked.state, asked.out, dirs_exist_ok=True)
    torch.set_num_threads(asked.threads)
    pin(asked.out, other=asked.other_code)
    try:
        if asked.pilot:
            settings = PILOTS[asked.pilot]
            listen = listener(asked.minutes, settings.checkpoint_every)
            run(settings, asked.photographs, asked.out / asked.pilot, on_step=listen, resume=True)
            return
        listen = listener(asked.minutes, TRUNK.checkpoint_every)
        if not RunFolder(asked.out / "trunk").teacher.exists():
            run(TRUNK, asked.photographs, asked.out / "trunk", on_step=listen, resume=True)
        for arm in asked.arms.split(","):
            out = asked.out / "arms" / "seed-0" / arm
            run_arm(
                asked.out / "trunk", asked.photographs, out, Branch(arm), PAIR, on_step=listen, resume=True
            )
    except TimeIsUpError:
        print("the time is up; the same command goes on")


if __name__ == "__main__":
    main()
