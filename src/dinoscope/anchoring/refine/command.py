"""`dinoscope anchor --from NAME`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from dinoscope.anchoring.refine.card import as_json as findings_json
from dinoscope.anchoring.refine.card import sentences, table
from dinoscope.anchoring.refine.findings import Findings
from dinoscope.anchoring.refine.settings import REFINED
from dinoscope.data.results import Failure
from dinoscope.drawing.text_table import text_table
from dinoscope.errors import InputError
from dinoscope.io.sources import photograph_paths
from dinoscope.shell.terminal import end, note, tell, tell_training
from dinoscope.strict_json import strict_json

EVERY = 5
"""Without held-out photographs of its own every so-many-th is held out."""

MOST = 64
"""So many are held out of the photographs, at most."""


def run_refinement(refined: Callable[..., Findings], out: Path, *, as_json: bool) -> None:
    """Refines, and says what became of the dense features.

    Args:
        refined: `refine` but for who is told of steps and failures.
        out: its folder.
        as_json: one object on stdout.
    """
    failures: list[Failure] = []
    try:
        found = refined(on_step=tell_training(), on_failure=note(failures))
    except KeyboardInterrupt:
        tell(f"cut off; the same command with --resume goes on in {str(out)!r}")
        raise
    if as_json:
        print(strict_json(findings_json(found)))
    else:
        print("\n".join(sentences(found)) + "\n")
        (_, *models), *rows = table(found)
        print(text_table([row[:4] for row in rows], ["", *models[:3]]))
        if controls := models[3:]:
            print("\n" + text_table([[row[0], *row[4:]] for row in rows], ["controls", *controls]))
        print(f"\nmodel: {out / REFINED}\nreport: {out / 'comparison' / 'report.html'}")
    sys.stdout.flush()
    end(failures)


def parted(photos: Sequence[Path], held_out: Sequence[Path] | None) -> tuple[list[Path], list[Path]]:
    """Photographs to learn from, and those held out: some of the former where none are named.

    Raises:
        InputError: too few for any to be held out.
    """
    if held_out:
        return list(photos), list(held_out)
    paths, _ = photograph_paths(photos)
    shown = paths[EVERY - 1 :: EVERY][:MOST]
    if not shown:
        raise InputError(f"no photograph can be held out: give --held-out, or at least {EVERY} photographs")
    held = set(shown)
    return [path for path in paths if path not in held], shown
