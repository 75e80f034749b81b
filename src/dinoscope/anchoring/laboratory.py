"""The whole experiment: trunk, arms, measurement, conclusion; each stage goes on where it stopped.

::

    trunk/                  see `dinoscope.anchoring.folder`
    arms/seed-0/ARM/        likewise
    planted/                the positive control, where the gate did not fire; `dinoscope.anchoring.planted`
    random/                 the trunk's network before its first step
    held-out.npz            the scenes that everything is measured on
    evaluation.jsonl        one line for each network
    compute.jsonl           time spent, stage by stage
"""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dinoscope.anchoring.branches import Branches
from dinoscope.anchoring.checkpoint import file_digest
from dinoscope.anchoring.checks import require
from dinoscope.anchoring.conclude import conclude
from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.evaluate import Subject, evaluate, subjects_of
from dinoscope.anchoring.findings import RANDOM, TRUNK, GramPair, Laboratory, LossCurve, Score
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.gate import mean_gate
from dinoscope.anchoring.held_out import held_out
from dinoscope.anchoring.logs import Ledger, loss_curve
from dinoscope.anchoring.network import write_backbone
from dinoscope.anchoring.photographs import Photographs, listed
from dinoscope.anchoring.plan import Plan
from dinoscope.anchoring.planted import examine_planted, train_planted
from dinoscope.anchoring.state import fresh_state, torch_device
from dinoscope.anchoring.strip import chosen_frames, film_strip, gram_pairs, last_of_arms
from dinoscope.anchoring.train import Progress, run
from dinoscope.data.photograph import Photograph
from dinoscope.errors import InputError
from dinoscope.io.images import photograph_from_array
from dinoscope.io.sources import photograph_paths

OnProgress = Callable[[str, int, int], None]
"""Told the stage, what is done of it, and how much there is."""

N_SCENES_SHOWN, SCENES_SHOWN_SEED = 4, 20_260_011
"""The scenes that are shown where no photographs are given."""


def laboratory(
    photographs: Photographs,
    out: str | Path,
    plan: Plan | None = None,
    *,
    shown: Sequence[Photograph] = (),
    on_progress: OnProgress | None = None,
    on_step: Callable[[str, Progress], None] | None = None,
    resume: bool = False,
    force: bool = False,
) -> Laboratory:
    """Run the experiment, or what is left of it.

    Args:
        photographs: folder to train on, or several folders and files.
        out: folder of the experiment.
        plan: what to do; None for the defaults.
        shown: photographs of the film strip, none of them trained on; none for four scenes.
        on_progress: called after each step of training and each network measured.
        on_step: called after each step of training with the stage's name, the losses and an estimate.
        resume: go on with the experiment in ``out``; start it if there is none.
        force: remove the experiment in ``out`` first.

    Raises:
        InputError: settings, photographs or folder that do not fit.
        TrainingStoppedError: a loss is not finite, or nothing can be written any more.
    """
    plan = Plan() if plan is None else plan
    out = Path(out)
    _refuse_trained(listed(photographs), shown)
    if force:
        _remove(out)
    stage = partial(_stage, Ledger(out / "compute.jsonl"), on_progress, on_step)
    with stage(TRUNK) as tell:
        run(plan.trunk, photographs, out / "trunk", on_step=tell, resume=resume, force=force)
    branches = Branches(out / "arms", plan.arms, plan.seeds)
    branches.train(out / "trunk", photographs, plan.recipe, stage, resume=resume, force=force)
    if plan.planted is not None:
        gate = mean_gate(_measured(out, plan, on_progress=on_progress).scores)
        if gate is None or not gate.fires:
            train_planted(
                out / "trunk",
                photographs,
                out / "planted",
                plan,
                plan.planted,
                stage,
                resume=resume,
                force=force,
            )
    return examine(out, plan, shown=shown, on_progress=on_progress)


def examine(
    out: str | Path,
    plan: Plan,
    *,
    trunk: str | Path | None = None,
    arms: str | Path | None = None,
    planted: str | Path | None = None,
    shown: Sequence[Photograph] = (),
    on_progress: OnProgress | None = None,
) -> Laboratory:
    """Measure what has been trained so far, and conclude.

    Args:
        out: folder of the experiment.
        plan: as in `laboratory`; arms and seeds that are not there yet are left out.
        trunk, arms, planted: folders that lie elsewhere; only the last is written to: its
            scores lie with it.
        shown: photographs of the film strip; none for four scenes.
        on_progress: called after each network measured.

    Raises:
        InputError: no trunk with a snapshot, or an evaluation of something else.
    """
    out = Path(out)
    measured = _measured(out, plan, trunk=trunk, arms=arms, on_progress=on_progress)
    source, subjects, teacher_step = measured.trunk, measured.subjects, measured.teacher_step
    pictures = list(shown) or _scenes_shown(plan.probes.n_classes)
    ledger = Ledger(out / "compute.jsonl")
    control = None
    if plan.planted is not None:
        with ledger.stage("the positive control's measurement and pictures"):
            control = examine_planted(
                out / "planted" if planted is None else Path(planted),
                source,
                plan,
                plan.planted,
                pictures,
                measured.measure,
                device=measured.device,
            )
    with ledger.stage("pictures"):
        frames, device = chosen_frames(subjects, also=teacher_step), measured.device
        strip = film_strip(frames, pictures, at=plan.at, device=device)
        grams: tuple[GramPair, ...] = ()
        if teacher_step is not None:
            teacher, arms_last = source.snapshot(teacher_step), last_of_arms(subjects)
            grams = gram_pairs(arms_last, teacher, teacher_step, pictures[0], device=device)
    base = source.settings()
    logs = [(source, TRUNK, base.seed)]
    logs += [(folder, arm, seed) for (arm, seed), folder in measured.branches.begun().items()]
    curves: list[LossCurve] = [c for c in (loss_curve(*log) for log in logs) if c is not None]
    return Laboratory(
        scores=measured.scores,
        conclusion=conclude(measured.scores, teacher_step=teacher_step, planned_seeds=len(plan.seeds)),
        losses=tuple(curves),
        strip=strip,
        grams=grams,
        control=control,
        spent=ledger.spent(),
        teacher_step=teacher_step,
        fork_step=measured.fork_step,
        settings={
            "trunk": asdict(base),
            "recipe": asdict(plan.recipe),
            "probes": asdict(plan.probes),
            "planted": None if plan.planted is None else asdict(plan.planted),
        },
        machine=_machine(measured.device),
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    trunk: RunFolder
    branches: Branches
    subjects: list[Subject]
    measure: Callable[..., tuple[Score, ...]]
    scores: tuple[Score, ...]
    teacher_step: int | None
    fork_step: int | None
    device: str


def _measured(
    out: Path,
    plan: Plan,
    *,
    trunk: str | Path | None = None,
    arms: str | Path | None = None,
    on_progress: OnProgress | None = None,
) -> _Measured:
    """Trunk and arms, measured as far as they were not yet."""
    source = RunFolder(out / "trunk" if trunk is None else Path(trunk))
    branches = Branches(out / "arms" if arms is None else Path(arms), plan.arms, plan.seeds)
    base = source.settings()
    teacher_step = branches.teacher_step()
    subjects = [
        Subject(RANDOM, base.seed, 0, _random(out / "random", base)),
        *subjects_of(source, TRUNK, base.seed, every=plan.measure_every, also=teacher_step),
    ]
    require(len(subjects) > 1, f"{str(source.path)!r} has no snapshots to measure")
    subjects += branches.subjects(plan.measure_every)
    device = str(torch_device(plan.trunk.machine))
    with Ledger(out / "compute.jsonl").stage("measurement"):
        scenes = held_out(plan.probes, out / "held-out.npz")
        told = _scored(on_progress)
        measure = partial(evaluate, scenes=scenes, device=device, on_score=told)
        teacher = None if teacher_step is None else source.snapshot(teacher_step)
        scores = measure(subjects, file=out / "evaluation.jsonl", teacher=teacher)
    stages = (folder.settings().second_stage for folder in branches.begun().values())
    fork_step = next((stage.start for stage in stages if stage is not None), None)
    return _Measured(source, branches, subjects, measure, scores, teacher_step, fork_step, device)


def _scored(on_progress: OnProgress | None) -> Callable[[Score], None] | None:
    if on_progress is None:
        return None
    return lambda score: on_progress(f"measured {score.run}", score.step, score.step)


def _random(folder: Path, settings: Settings) -> Path:
    """The network that a run of these settings starts from, exported once."""
    if not (folder / "model.safetensors").is_file():
        with torch.random.fork_rng():
            state = fresh_state(replace(settings, second_stage=None), torch.device("cpu"), None)
        write_backbone(state.teacher.backbone, folder)
    return folder


def _scenes_shown(n_classes: int) -> list[Photograph]:
    from dinoscope.scenes.generate import scenes

    drawn = scenes(N_SCENES_SHOWN, SCENES_SHOWN_SEED, size=(320, 320), n_classes=n_classes)
    return [
        replace(photograph_from_array(np.asarray(s.first.image), name=f"scene {i}"), name=f"scene {i}")
        for i, s in enumerate(drawn, 1)
    ]


def _refuse_trained(sources: Sequence[Path], shown: Sequence[Photograph]) -> None:
    """What is shown must not have been learnt from."""
    digests = {photograph.digest: photograph.name for photograph in shown}
    for path in photograph_paths(sources)[0] if digests else ():
        name = digests.get(file_digest(path)) if path.is_file() else None
        if name is not None:
            raise InputError(
                f"{name!r} is to be shown and lies in {str(path.parent)!r} too: take it out of one"
            )


def _remove(out: Path) -> None:
    """What this laboratory wrote and the runs themselves do not replace."""
    for name in ("random", "arms", "planted"):
        if (out / name).is_dir():
            shutil.rmtree(out / name)
    for name in ("evaluation.jsonl", "compute.jsonl"):
        (out / name).unlink(missing_ok=True)


@contextmanager
def _stage(
    ledger: Ledger,
    on_progress: OnProgress | None,
    on_step: Callable[[str, Progress], None] | None,
    name: str,
) -> Iterator[Callable[[Progress], None]]:
    """Time a stage; yields what its steps are told to."""
    with ledger.stage(name) as counted:

        def tell(progress: Progress) -> None:
            counted[0] += 1
            if on_step is not None:
                on_step(name, progress)
            if on_progress is not None:
                on_progress(name, progress.step, progress.steps)

        yield tell


def _machine(device: str) -> str:
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.processor()
    cores = f"{os.cpu_count()} CPU cores"
    return f"{device}{f' ({name})' if name else ''}, {cores}, {platform.system()}, torch {torch.__version__}"
