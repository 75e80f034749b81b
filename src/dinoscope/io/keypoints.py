"""Keypoint files: which points of two photographs show the same thing; SPair's layout and PF-PASCAL's."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from jaxtyping import Float64

from dinoscope.data.photograph import read_only
from dinoscope.errors import InputError, shortened
from dinoscope.io.limits import read_text
from dinoscope.names import readable

COLUMNS = "source_image, target_image, class, XA, YA, XB, YB"
"""Columns of PF-PASCAL's lists, in this order whatever the first line calls them."""


@dataclass(frozen=True, slots=True, eq=False)
class KeypointPair:
    """Points that show the same thing, in pixels of the two photographs.

    Attributes:
        source_name, target_name: of the photographs' files, without folders.
        source, target: (x, y), one row a point in both.
        box_px: the longer side of the box around the target's object, which tolerances are shares of; None
            where none is given, and the photograph's own longer side counts.
        where: the pair, in words.
    """

    source_name: str
    target_name: str
    source: Float64[np.ndarray, "n 2"]
    target: Float64[np.ndarray, "_ 2"]
    box_px: float | None
    where: str

    def __post_init__(self) -> None:
        if self.source.shape != self.target.shape or not len(self.source):
            raise InputError(
                f"{self.where}: {len(self.source)} points in the first photograph, {len(self.target)} in the "
                "second; each needs its partner, and there must be one pair at least"
            )
        if not (np.isfinite(self.source).all() and np.isfinite(self.target).all()):
            raise InputError(f"{self.where}: NaN or infinite coordinates")
        if self.box_px is not None and not self.box_px > 0:
            raise InputError(f"{self.where}: the box around the target has no size")
        for name in ("source", "target"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def places(
        self, source_size: tuple[int, int], target_size: tuple[int, int]
    ) -> tuple[Float64[np.ndarray, "n 2"], Float64[np.ndarray, "n 2"]]:
        """The points as places (x, y) in [0, 1]² of photographs of these ``(W, H)``.

        Raises:
            InputError: a point lies outside its photograph.
        """
        found = []
        for points, size, name in (
            (self.source, source_size, self.source_name),
            (self.target, target_size, self.target_name),
        ):
            outside = ((points < 0) | (points > size)).any(axis=1)
            if outside.any():
                first = int(np.argmax(outside))
                x, y = points[first]
                raise InputError(
                    f"{self.where}: point {first + 1} at ({x:g}, {y:g}) lies outside {readable(name)!r}, "
                    f"which has {size[0]}x{size[1]} px"
                )
            found.append(points / size)
        return found[0], found[1]


def read_keypoints(path: str | Path) -> tuple[KeypointPair, ...]:
    """The pairs of a JSON file of SPair-71k, of a folder of them, or of a CSV list of PF-PASCAL.

    Source: SPair-71k (Min et al., arXiv 1908.10543), ``PairAnnotation/*/*.json``; PF-PASCAL (Ham et al.,
    arXiv 1703.07144) as the lists ``*_pairs_pf_pascal.csv``, whose coordinates are separated by semicolons.

    Raises:
        InputError: no such file, another layout, or points without partners.
    """
    path, shown = Path(path), readable(path)
    if os.path.isdir(path):
        files = sorted(path.glob("*.json"))
        if not files:
            raise InputError(f"keypoints {shown!r}: a folder without .json files of pairs")
        return tuple(pair for file in files for pair in read_keypoints(file))
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise InputError(f"keypoints {shown!r} cannot be read: {shortened(error)}") from error
    return (_spair(text, shown),) if path.suffix.lower() == ".json" else _pf_pascal(text, shown)


def pair_named(pairs: tuple[KeypointPair, ...], source: str, target: str) -> KeypointPair:
    """The pair of two photographs, by the names of their files.

    Raises:
        InputError: there is none.
    """
    for pair in pairs:
        if (pair.source_name, pair.target_name) == (source, target):
            return pair
    held = ", ".join(f"{p.source_name} with {p.target_name}" for p in pairs[:3])
    raise InputError(
        f"no keypoints of {readable(source)!r} with {readable(target)!r}: the file holds {len(pairs)} "
        f"pair{'s' if len(pairs) > 1 else ''} ({held}{', …' if len(pairs) > 3 else ''})"
    )


def _spair(text: str, shown: str) -> KeypointPair:
    try:
        held = json.loads(text)
        left, top, right, bottom = (float(v) for v in held["trg_bndbox"])
        return KeypointPair(
            _name(held["src_imname"]),
            _name(held["trg_imname"]),
            np.array(held["src_kps"], np.float64).reshape(-1, 2),
            np.array(held["trg_kps"], np.float64).reshape(-1, 2),
            max(right - left, bottom - top),
            f"keypoints {shown!r}",
        )
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise InputError(
            f"keypoints {shown!r}: no pair of SPair's (src_imname, trg_imname, src_kps, trg_kps, "
            f"trg_bndbox): {type(error).__name__} {shortened(error)}"
        ) from error


def _pf_pascal(text: str, shown: str) -> tuple[KeypointPair, ...]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise InputError(f"keypoints {shown!r} cannot be read as CSV: {shortened(error)}") from error
    if not rows or any(len(row) != 7 for row in rows):
        raise InputError(f"keypoints {shown!r}: expected lines of {COLUMNS}, or a .json file of SPair's")
    if rows[0][0].lower() == "source_image":
        rows = rows[1:]
    pairs = []
    for number, row in enumerate(rows, 1):
        where = f"keypoints {shown!r}, pair {number}"
        try:
            xa, ya, xb, yb = ([float(v) for v in cell.split(";") if v.strip()] for cell in row[3:])
            source, target = np.array([xa, ya], np.float64).T, np.array([xb, yb], np.float64).T
        except ValueError as error:
            raise InputError(
                f"{where}: coordinates are numbers separated by semicolons: {shortened(error)}"
            ) from error
        pairs.append(KeypointPair(_name(row[0]), _name(row[1]), source, target, None, where))
    if not pairs:
        raise InputError(f"keypoints {shown!r}: a list without pairs")
    return tuple(pairs)


def _name(path: str) -> str:
    return PurePosixPath(PureWindowsPath(path).as_posix()).name
