"""A released backbone refined on photographs, measured on others, and saved with what was found."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dinoscope.anchoring.checkpoint import file_digest
from dinoscope.anchoring.checks import require
from dinoscope.anchoring.folder import RunFolder, only_process
from dinoscope.anchoring.photographs import Photographs, listed, read_memory
from dinoscope.anchoring.refine.card import as_json, card
from dinoscope.anchoring.refine.findings import Findings, findings
from dinoscope.anchoring.refine.settings import REFINED, Refinement
from dinoscope.anchoring.refine.train import check_refinable, train_arm
from dinoscope.anchoring.train import Progress
from dinoscope.atomic import write_text
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.hub import CARD
from dinoscope.backbones.load import as_backbone, load_backbone
from dinoscope.comparison.compare import compare
from dinoscope.comparison.masks import Masks
from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.tables.files import comparison_json
from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.io.sources import photograph_paths

ABOUT = "refinement.json"
FOUND = "refined.json"


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What a refinement is measured on.

    Attributes:
        photographs: not learned from; at least 6, so that a direction may be named.
        masks: of them, as for `dinoscope.measure`; None for the photographs' own edges and colours.
        grid: patches on the short side.
    """

    photographs: Sequence[str | Path]
    masks: Masks | None = None
    grid: int = 16


def refine(
    backbone: Backbone | str,
    photographs: Photographs,
    held_out: HeldOut,
    out: str | Path,
    settings: Refinement | None = None,
    *,
    workers: int = 1,
    resume: bool = False,
    force: bool = False,
    on_step: Callable[[str, Progress], None] = lambda _name, _progress: None,
    on_failure: Callable[[Failure], None] | None = None,
) -> Findings:
    """Train a backbone against its own Gram matrix at twice the resolution, beside controls, and measure all.

    ``out`` then holds ``refined/``, a Hugging Face folder with a card that says what became better and worse;
    the controls beside it; ``refined.json``; and ``comparison/`` with the whole report and every number.

    Args:
        backbone: a ViT of DINOv2 or DINOv3 in float32, on the device to learn on.
        photographs: a folder, or several folders, tar files and photographs, to learn from.
        held_out: what it is measured on, before and after.
        out: folder; with ``resume`` it goes on there, with ``force`` what it holds is replaced.
        settings: None for the defaults.
        workers: threads that cut crops.
        on_step: called after each step with the arm's name.
        on_failure: called with each held-out photograph that cannot be used; None raises at the first.

    Raises:
        InputError: no such backbone or photographs; held-out photographs among those learned from; another
            refinement in the folder.
        TrainingStoppedError: a loss is not finite.
    """
    settings = Refinement() if settings is None else settings
    before = check_refinable(as_backbone(backbone))
    folder = Path(out)
    shown, _ = photograph_paths(held_out.photographs)
    require(bool(shown), "no held-out photographs to measure on")
    px = settings.grid * before.spec.patch_size
    memory = read_memory(photographs, batch=settings.batch, crop_px=px, memory_px=3 * px)
    _check_apart(photographs, shown)
    about = {
        "format": 1,
        "model": before.spec.name,
        "weights": before.origin.digest,
        "settings": json.loads(settings.as_json()),
        "photographs": memory.digest,
    }
    with only_process(RunFolder(folder)):
        _claim(folder, about, settings, resume=resume, force=force)
        arms = [
            train_arm(before, memory, folder / name, settings, workers=workers, on_step=on_step)
            for name in settings.arms
        ]
        models = [before, *(load_backbone(weights=arm, device=before.device) for arm in arms)]
        compared = compare(shown, models, held_out.grid, masks=held_out.masks, on_failure=on_failure)
        found = findings(compared, before, shown)
        write_report(compared, folder / "comparison" / "report.html")
        write_text(folder / "comparison" / "metrics.json", comparison_json(compared))
        against = "without masks: by proxies" if held_out.masks is None else "against masks"
        facts = {"photographs": len(memory), "masks": against}
        write_text(folder / REFINED / CARD, card(found, before.spec, settings, facts))
        write_text(folder / FOUND, json.dumps(as_json(found) | {"about": about}, indent=1) + "\n")
    return found


def _claim(
    folder: Path, about: dict[str, object], settings: Refinement, *, resume: bool, force: bool
) -> None:
    """Make the folder this refinement's own; see `refine`."""
    require(not (resume and force), "resume goes on with a run, force removes it: give one of them")
    place = folder / ABOUT
    if place.is_file() and force:
        for name in settings.arms:
            for left in (folder / name, folder / f"{name}-state"):
                shutil.rmtree(left, ignore_errors=True)
    elif place.is_file():
        same = _read(place) == about
        if not (resume and same):
            other = "" if same else " another"
            raise InputError(
                f"{str(folder)!r} holds{other or ' this'} refinement: "
                + ("resume it (--resume), replace it (--force)" if same else "replace it (--force)")
                + ", or choose another folder"
            )
    else:
        taken = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        require(
            not taken, f"{str(folder)!r} holds other things ({', '.join(taken[:3])}): choose a new folder"
        )
    write_text(place, json.dumps(about, indent=2) + "\n")


def _read(path: Path) -> object:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _check_apart(learned: Photographs, shown: Sequence[Path]) -> None:
    """Files that are learned from and measured on tell nothing; tar files are not looked into."""
    paths, _ = photograph_paths(listed(learned))
    digests = {file_digest(path) for path in paths if path.is_file()}
    for path in shown:
        if path.is_file() and file_digest(path) in digests:
            raise InputError(f"{str(path)!r} is held out and learned from: take it out of one of the two")
