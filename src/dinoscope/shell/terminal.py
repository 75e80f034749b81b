"""What every command needs between the shell and the library: words into values, progress, failures."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import typer

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.facets import FACETS, TOKEN
from dinoscope.backbones.load import load_backbone, planned_spec, torch_device
from dinoscope.backbones.references import FINER
from dinoscope.data.results import Failure
from dinoscope.errors import InputError, told
from dinoscope.io.own_pictures import warn_of_own_pictures
from dinoscope.io.pixel_range import read_range, use_range
from dinoscope.io.sources import folders_of_photographs, photograph_paths
from dinoscope.pipeline.attention import CLS
from dinoscope.pipeline.fast import autocast_backbone, wanted_dtype
from dinoscope.pipeline.memory import check_grid
from dinoscope.shell.stages import EVERY_S, OFTEN_S, Stage, stages
from dinoscope.shell.verbosity import QUIET, VERBOSE, level

SOME_FAILED = 1
TRAINING_SCENES = 20_261_001
"""Seed of scenes to learn from; those that are measured on have another."""


def read_ints(words: str, option: str) -> tuple[int, ...]:
    """Whole numbers separated by commas; an empty string holds none.

    >>> read_ints("5,11", "--layers")
    (5, 11)
    """
    try:
        return tuple(int(word) for word in words.split(",") if word.strip())
    except ValueError:
        raise InputError(f"{option} takes whole numbers separated by commas, got {words!r}") from None


def read_words(words: str) -> list[str]:
    """Words separated by commas.

    >>> read_words("mean, cls,")
    ['mean', 'cls']
    """
    return [word.strip() for word in words.split(",") if word.strip()]


def read_models(words: str) -> list[str]:
    """Models separated by commas; one alone where a file or folder has a comma in its name.

    >>> read_models("mini,random:dinov3-vits16")
    ['mini', 'random:dinov3-vits16']
    """
    place = words.rpartition("=")[2].strip()
    return [words] if "," in words and os.path.exists(place) else read_words(words)


def read_floats(words: str, option: str, count: int) -> tuple[float, ...]:
    """So many numbers separated by commas.

    >>> read_floats("0.1,0.2", "--patch", 2)
    (0.1, 0.2)
    """
    try:
        numbers = tuple(float(word) for word in words.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != count:
        raise InputError(f"{option} takes {count} numbers separated by commas, got {words!r}")
    return numbers


def read_triple(words: str, option: str) -> tuple[int, int, int]:
    """Exactly three whole numbers."""
    numbers = read_ints(words, option)
    if len(numbers) != 3:
        raise InputError(f"{option} takes three numbers such as 0,1,2, got {words!r}")
    return numbers[0], numbers[1], numbers[2]


def read_places(words: Iterable[str]) -> list[tuple[float, float]]:
    """Places X,Y in [0, 1]².

    >>> read_places(["0.4,0.6"])
    [(0.4, 0.6)]
    """
    return [_read_place(word, "--at takes X,Y") for word in words]


def read_query(word: str) -> str | tuple[float, float] | None:
    """Whose attention: ``cls``, or a place X,Y in [0, 1]²; None for nobody's.

    >>> read_query("cls"), read_query("0.4,0.6"), read_query("")
    ('cls', (0.4, 0.6), None)
    """
    if word in ("", CLS):
        return word or None
    return _read_place(word, f"--attention takes {CLS}, or X,Y")


def _read_place(word: str, taken: str) -> tuple[float, float]:
    try:
        x, y = (float(number) for number in word.split(","))
    except ValueError:
        raise InputError(f"{taken} with both in [0, 1], such as 0.4,0.6; got {word!r}") from None
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise InputError(f"{taken} with both in [0, 1], got {word!r}")
    return x, y


def read_shard(words: str | None) -> tuple[int, int] | None:
    """Part I of N, as I/N.

    >>> read_shard("0/8")
    (0, 8)
    """
    if words is None:
        return None
    first, _, second = words.partition("/")
    try:
        part, parts = int(first), int(second)
    except ValueError:
        part, parts = 0, 0
    if not 0 <= part < parts:
        raise InputError(f"--shard takes I/N, I from 0 to N - 1, such as 0/8; got {words!r}")
    return part, parts


def read_photographs(
    sources: Iterable[Path], *, recursive: bool, pixel_range: str
) -> tuple[list[Path], list[Failure]]:
    """The photographs meant, and the folders that hold none; deep ones are read in this range from now on.

    Raises:
        InputError: nothing at all to work on, or models where photographs are meant.
    """
    from dinoscope.backbones.catalog import CONTROLS, is_known

    sources = tuple(sources)
    named = [str(s) for s in sources if (is_known(str(s)) or str(s) in CONTROLS) and not s.exists()]
    if named:
        raise InputError(
            f"{', '.join(named)}: no photograph here, but the name of a model; where a command takes such "
            "names, they go after --models or --model"
        )
    use_range(read_range(pixel_range))
    paths, failures = photograph_paths(sources, recursive=recursive)
    for failure in failures:
        say_failure(failure)
    if not paths:
        told_why = "".join(f" ({failure.reason})" for failure in failures[:1])
        raise InputError(f"no photographs: name files, or a folder that holds some{told_why}")
    warn_of_own_pictures(path for path in paths if path not in sources)
    return paths, failures


def load_models(words: str, *, grid: int, device: str, dtype: str, seed: int) -> list[Backbone]:
    """Backbones named on the command line; every name and the grid are checked before any is loaded.

    Raises:
        InputError: no model, an unknown device or dtype, an impossible grid.
        UnknownBackboneError, WeightsError: as `load_backbone`.
    """
    names = read_models(words)
    if not names:
        raise InputError("no model: --models takes names separated by commas; see `dinoscope models`")
    if grid < 1:
        raise InputError(f"a grid needs at least 1 patch on each side, got {grid}")
    where = torch_device(device)
    arithmetic = wanted_dtype(dtype, where)
    for name in names:
        spec = planned_spec(name)
        if spec is not None:
            check_grid(spec, grid)
    return [load_backbone(name, device=where, dtype=arithmetic, seed=seed) for name in names]


def looked_at(words: str, facet: str, finer: int) -> str:
    """The models' names with the way that all of them are looked at in front.

    Raises:
        InputError: no such facet, or a factor below 1.
    """
    if facet not in FACETS:
        raise InputError(f"no facet {facet!r}; there are {', '.join(FACETS)}")
    if finer < 1:
        raise InputError(f"a grid can be 2 or more times as fine, got {finer}")
    way = ("" if finer == 1 else f"{FINER}{finer}:") + ("" if facet == TOKEN else f"{facet}:")
    return ",".join(f"{way}{name}" for name in read_models(words))


def load_model(words: str, *, grid: int, device: str, dtype: str, autocast: bool, seed: int) -> Backbone:
    """The one backbone named on the command line, computing as asked for; otherwise as `load_models`."""
    wanted = wanted_dtype(dtype, torch_device(device), autocast=autocast)
    loaded_in = "float32" if autocast else dtype
    backbone, *others = load_models(words, grid=grid, device=device, dtype=loaded_in, seed=seed)
    if others:
        raise InputError(f"one model at a time, not {words!r}")
    return autocast_backbone(backbone, wanted) if autocast else backbone


def with_kinds(words: str, backbones: Iterable[Backbone]) -> str:
    """A text with lines below it that say which of these models are controls, and which are toys."""
    from dinoscope.backbones.bundled import toys_told

    specs = [backbone.spec for backbone in backbones]
    controls = ", ".join(spec.name for spec in specs if spec.control)
    told = (f"controls, not trained models: {controls}" if controls else "", toys_told(s.name for s in specs))
    return "\n".join([words, *(f"note: {note}" for note in told if note)]) + "\n"


def tell(words: str) -> None:
    """Words for people, beside what the command prints; none with ``--quiet``."""
    if level() != QUIET:
        print(words, file=sys.stderr)


def say_failure(failure: Failure) -> None:
    """List one input that could not be used; control characters are shown, not sent to the terminal."""
    print(f"skipped {told(failure.source)}: {told(failure.reason)}", file=sys.stderr)


def note(failures: list[Failure]) -> Callable[[Failure], None]:
    """A listener that lists each failure and keeps it."""

    def listen(failure: Failure) -> None:
        failures.append(failure)
        say_failure(failure)

    return listen


def end(failures: Iterable[Failure]) -> None:
    """Leave with 1 where some inputs failed."""
    count = len(list(failures))
    if count:
        print(f"{count} input{'s' if count > 1 else ''} could not be used (listed above)", file=sys.stderr)
        raise typer.Exit(SOME_FAILED)


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress of work that is one stage; see `stages`."""
    with stages(Stage(what, total=total)) as course:
        yield course.advance


def training_sources(words: Iterable[str], out: Path, *, recursive: bool = False) -> list[Path]:
    """Folders and files to learn from; ``scenes:N`` is drawn into ``OUT/scenes``, with a seed of its own.

    Raises:
        InputError: ``scenes:`` without a number, or nothing at all.
    """
    sources = []
    for word in words:
        kind, _, number = word.partition(":")
        if kind != "scenes":
            sources += (
                folders_of_photographs(Path(word)) if recursive and Path(word).is_dir() else [Path(word)]
            )
            continue
        if not number.isdigit() or int(number) < 1:
            raise InputError(f"scenes:N takes a number of scenes, got {word!r}")
        from dinoscope.scenes.write import write_scenes

        with progress("scenes", int(number)) as advance:
            write_scenes(out / "scenes", int(number), TRAINING_SCENES, on_progress=advance)
        sources.append(out / "scenes" / "images")
    if not sources:
        raise InputError("no photographs to learn from: name a folder, or scenes:N")
    return sources


def tell_training() -> Callable[[str, Any], None]:
    """A listener to training: a line on stderr at every stage's end, and every `EVERY_S` seconds, or
    `OFTEN_S` on a terminal or with ``--verbose``.
    """
    every = OFTEN_S if level() == VERBOSE or sys.stderr.isatty() else EVERY_S
    last = time.monotonic() - every

    def listen(stage: str, progress: Any) -> None:
        nonlocal last
        now = time.monotonic()
        if level() == QUIET or (now - last < every and progress.step < progress.steps):
            return
        last = now
        losses = "  ".join(f"{name} {value:.3f}" for name, value in progress.losses.items())
        left = timedelta(seconds=round(progress.remaining_s))
        print(
            f"{stage}: step {progress.step:,} of {progress.steps:,}  {losses}  "
            f"{progress.seconds_per_step:.2f} s a step, about {left} left",
            file=sys.stderr,
        )

    return listen
