"""Measure snapshots, one line of evaluation.jsonl each; what is there already is not measured again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dinoscope.anchoring.checkpoint import file_digest
from dinoscope.anchoring.checks import require
from dinoscope.anchoring.findings import Score
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.held_out import HeldOut, Probes
from dinoscope.anchoring.probes import features_of, finite, measure
from dinoscope.atomic import write_text
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError

FORMAT = 1
RENAMED = {
    "patch_knn_miou": "scene_knn_miou",
    "effective_rank": "effective_rank_scenes",
    "cls_patch_cosine": "cls_patch",
    "gram_distance": "gram_distance_teacher",
}
"""Keys of older files, and what they are called now."""
_NO_TEACHER = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to measure.

    Attributes:
        run, seed, step: as in `dinoscope.anchoring.findings.Score`.
        path: of its Hugging Face folder.
    """

    run: str
    seed: int
    step: int
    path: Path

    @property
    def key(self) -> tuple[str, int, int]:
        """What tells it from every other."""
        return self.run, self.seed, self.step


def subjects_of(
    folder: RunFolder, run: str, seed: int, *, every: int = 1, also: int | None = None
) -> list[Subject]:
    """Snapshots of a run by step: multiples of ``every``, ``also`` where it exists, and always the last."""
    steps = folder.snapshot_steps()
    return [
        Subject(run, seed, step, folder.snapshot(step))
        for step in steps
        if step % every == 0 or step in (steps[-1], also)
    ]


def evaluate(
    subjects: Sequence[Subject],
    scenes: HeldOut,
    file: str | Path,
    *,
    teacher: Path | None = None,
    device: str = "cpu",
    on_score: Callable[[Score], None] | None = None,
    force: bool = False,
) -> tuple[Score, ...]:
    """Measure every subject that ``file`` does not hold yet.

    The first line of the file says how everything in it was measured; a torn last line is dropped.

    Args:
        subjects: each (run, seed, step) once.
        scenes: what they are measured on.
        file: ``evaluation.jsonl``.
        teacher: network that the Gram distance is to: the same for every line; None for no distance.
        device: as torch names it.
        on_score: called after each network measured.
        force: start the file again.

    Returns:
        The scores of the subjects, in their order.

    Raises:
        InputError: a file measured in another way or to another teacher, or a snapshot that is not the
            one in the file.
    """
    file = Path(file)
    require(len({s.key for s in subjects}) == len(subjects), "a subject is given twice")
    header = {
        "format": FORMAT,
        "probes": asdict(scenes.probes),
        "teacher": _NO_TEACHER if teacher is None else _digest(teacher),
    }
    if force:
        file.unlink(missing_ok=True)
    known = _open(file, header)
    held: list[PatchFeatures] | None = None
    scores: list[Score] = []
    with file.open("a", encoding="utf-8") as log:
        for subject in subjects:
            digest = _digest(subject.path)
            line = known.get(subject.key)
            if line is not None:
                require(
                    line["digest"] == digest,
                    f"{str(file)!r} holds another network as {subject.run}, seed {subject.seed}, step "
                    f"{subject.step}: force to measure everything again, or choose another file",
                )
                scores.append(_score(line))
                continue
            if held is None and teacher is not None:
                shown = list(scenes.pixels[: scenes.probes.n_dense])
                held = features_of(teacher, shown, scenes.probes.grid, device=device)
            features = features_of(subject.path, list(scenes.pixels), scenes.probes.grid, device=device)
            values = finite(measure(features, scenes, held))
            line = {"run": subject.run, "seed": subject.seed, "step": subject.step}
            line |= {"digest": digest, "values": values}
            log.write(json.dumps(line) + "\n")
            log.flush()
            scores.append(_score(line))
            if on_score is not None:
                on_score(scores[-1])
    return tuple(scores)


def read_evaluation(file: str | Path) -> tuple[Probes, tuple[Score, ...]]:
    """How the lines of a file were measured, and all of them.

    Raises:
        InputError: not a file that `evaluate` wrote.
    """
    header, lines = _lines(Path(file))
    if header is None:
        raise InputError(f"{str(file)!r} holds no evaluation")
    return Probes(**header["probes"]), tuple(_score(line) for line in lines)


def _open(file: Path, header: dict[str, Any]) -> dict[tuple[str, int, int], dict[str, Any]]:
    found, lines = _lines(file) if file.exists() else (None, [])
    if found is None:
        _write(file, [header])
        return {}
    differs = [name for name in header if found.get(name) != header[name]]
    require(
        not differs,
        f"{str(file)!r} was measured with another {', '.join(differs)}: force to measure everything again, "
        "or choose another file",
    )
    _write(file, [header, *lines])
    return {(str(line["run"]), int(line["seed"]), int(line["step"])): line for line in lines}


def _lines(file: Path) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    try:
        texts = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{str(file)!r} cannot be read: {error}") from error
    read: list[dict[str, Any]] = []
    for number, text in enumerate(texts):
        try:
            read.append(dict(json.loads(text)))
        except (ValueError, TypeError, RecursionError) as error:
            if number == len(texts) - 1:
                break  # torn by the end of the process
            raise InputError(f"{str(file)!r}, line {number + 1}: not a JSON object") from error
    if not read:
        return None, []
    if not isinstance(read[0], dict) or read[0].get("format") != FORMAT:
        raise InputError(f"{str(file)!r} is not an evaluation of format {FORMAT}")
    return read[0], read[1:]


def _score(line: dict[str, Any]) -> Score:
    values = {
        RENAMED.get(name, name): math.nan if v is None else float(v) for name, v in line["values"].items()
    }
    return Score(str(line["run"]), int(line["seed"]), int(line["step"]), values)


def _write(file: Path, lines: Iterable[dict[str, Any]]) -> None:
    write_text(file, "".join(json.dumps(line) + "\n" for line in lines))


def _digest(network: Path) -> str:
    return file_digest(network / "model.safetensors")
