"""The folder of a watched training: what is written after every check, and read when it goes on.

::

    checks.jsonl   a line for each check
    checks.csv     the same numbers as a table
    first.npz      the features of the first check, which the drift is measured from
    maps/STEP.npz  features of the shown photographs, in half precision
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dinoscope.atomic import write_bytes, write_whole
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError, shortened
from dinoscope.io.arrays import open_npz
from dinoscope.io.limits import read_text
from dinoscope.monitoring.check import KEYS, Check


class RunFiles:
    """Reads and writes one run.

    Args:
        folder: made where it is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    @property
    def rows(self) -> Path:
        """The file of checks."""
        return self.folder / "checks.jsonl"

    def checks(self) -> list[Check]:
        """Every check so far; a last line that was cut short does not count.

        Raises:
            InputError: no run, or a file that is none.
        """
        if not os.path.isfile(self.rows):
            raise InputError(f"{str(self.folder)!r} holds no watched training: it has no {self.rows.name}")
        found = []
        try:
            lines = read_text(self.rows).splitlines()
        except (OSError, ValueError) as error:
            raise InputError(f"{str(self.rows)!r} cannot be read: {shortened(error)}") from error
        for number, line in enumerate(lines):
            try:
                found.append(Check.from_json(json.loads(line)))
            except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
                if number == len(lines) - 1:
                    break
                raise InputError(f"{str(self.rows)!r}, line {number + 1}: no check") from error
        return found

    def write(self, checks: Sequence[Check], shown: Sequence[PatchFeatures]) -> None:
        """All checks, and the maps of the last."""
        lines = "".join(json.dumps(check.as_json()) + "\n" for check in checks)
        write_bytes(self.rows, lines.encode())
        write_bytes(self.folder / "checks.csv", checks_csv(checks).encode())
        self._put(self.folder / "maps" / f"{checks[-1].step}.npz", shown)

    def write_first(self, features: Sequence[PatchFeatures]) -> None:
        """What the drift is measured from."""
        self._put(self.folder / "first.npz", features)

    def first(self) -> list[PatchFeatures]:
        """The features of the first check."""
        return self._read(self.folder / "first.npz")

    def maps(self, checks: Sequence[Check]) -> dict[int, list[PatchFeatures]]:
        """By step, the shown photographs' features at those of the checks that have them."""
        paths = {check.step: self.folder / "maps" / f"{check.step}.npz" for check in checks}
        return {step: self._read(path) for step, path in paths.items() if path.is_file()}

    def _put(self, path: Path, features: Sequence[PatchFeatures]) -> None:
        arrays: dict[str, Any] = {}
        for number, f in enumerate(features):
            arrays[f"{number}"] = f.values.astype(np.float16)
            arrays[f"{number}/size"] = np.array(f.grid.image_size)
        write_whole(path, lambda file: np.savez(file, **arrays))

    def _read(self, path: Path) -> list[PatchFeatures]:
        try:
            with open_npz(path) as held:
                names = sorted((n for n in held.names if "/" not in n), key=int)
                sizes = [tuple(map(int, held.read(f"{n}/size"))) for n in names]
                return [
                    PatchFeatures.from_array(held.read(n).astype(np.float32), image_size=(size[0], size[1]))
                    for n, size in zip(names, sizes, strict=True)
                ]
        except Exception as error:  # a damaged archive can raise anything
            raise InputError(f"{str(path)!r} cannot be read: {shortened(error)}") from error


def checks_csv(checks: Sequence[Check]) -> str:
    """A table with a row for each check; undefined is empty."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["step", "quality", *KEYS, "falls_since", "alarm"])
    for check in checks:
        known = [q for q in check.quality if np.isfinite(q)]
        quality = f"{np.mean(known):.6g}" if known else ""
        numbers = [f"{check.values[key]:.6g}" if key in check.values else "" for key in KEYS]
        since = "" if check.falls_since is None else check.falls_since
        table.writerow([check.step, quality, *numbers, since, check.alarm])
    return out.getvalue()
