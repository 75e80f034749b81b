"""Photographs to be judged, and where their defects are known to be: MVTec AD's layout, or plain folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from dinoscope.errors import ImageError, InputError
from dinoscope.io.images import SUFFIXES
from dinoscope.io.region_mask import read_region_mask
from dinoscope.io.sources import folders_of_photographs
from dinoscope.names import readable

GOOD = "good"
"""Folder of photographs without a defect."""

_MASK_NAMES = ("{stem}_mask.png", "{stem}.png")


@dataclass(frozen=True, slots=True)
class Query:
    """A photograph to be judged.

    Attributes:
        path: of the photograph.
        kind: the name of its folder: in MVTec's layout its kind of defect.
    """

    path: Path
    kind: str


@dataclass(frozen=True, slots=True)
class DefectFolders:
    """What is normal, what is to be judged, and the masks of defects.

    Attributes:
        good: photographs, or folders of them, that are normal.
        queries: to be judged.
        masks: folder of masks; None where nothing is known.
    """

    good: tuple[Path, ...]
    queries: tuple[Query, ...]
    masks: Path | None


def defect_folders(
    good: Path, queries: Sequence[Path], masks: Path | None, *, recursive: bool = False
) -> DefectFolders:
    """The folders meant.

    Where ``good`` holds ``train/good``, as a category of MVTec AD does (Bergmann et al., CVPR 2019), that is
    what is normal, and ``test`` and ``ground_truth`` beside it are what is not named. Of a query that is a
    folder the photographs directly inside, or where there are none those in the folders inside it; with
    ``recursive`` of every folder all below it, too, whose kind is the name of the folder that each lies in.

    Raises:
        InputError: nothing to judge, or no such folder.
    """
    normal = good
    if (good / "train" / GOOD).is_dir():
        normal = good / "train" / GOOD
        queries = queries or [good / "test"]
        if masks is None and (good / "ground_truth").is_dir():
            masks = good / "ground_truth"
    if not queries:
        raise InputError(
            "nothing to judge: name photographs after the folder of normal ones, or a folder that holds "
            "train/good and test"
        )
    if masks is not None and not masks.is_dir():
        raise InputError(f"masks {readable(masks)!r}: no such folder")
    found = [query for path in queries for query in _queries(path, recursive=recursive)]
    below = folders_of_photographs(normal) if recursive and normal.is_dir() else []
    return DefectFolders(tuple(below) or (normal,), tuple(found), masks)


def read_defects(query: Query, masks: Path, size: tuple[int, int]) -> Bool[np.ndarray, "H W"]:
    """Pixels that are known to be defective.

    Masks are looked for as ``KIND/NAME_mask.png``, ``KIND/NAME.png``, ``NAME_mask.png`` and ``NAME.png``. A
    photograph in a folder named good needs none.

    Raises:
        ImageError: no mask, or one that does not fit the photograph.
    """
    for folder in (masks / query.kind, masks):
        for name in _MASK_NAMES:
            path = folder / name.format(stem=query.path.stem)
            if path.is_file():
                return read_region_mask(path, size, may_be_empty=True)
    if query.kind == GOOD:
        return np.zeros((size[1], size[0]), bool)
    raise ImageError(
        readable(query.path),
        f"no mask {query.path.stem}_mask.png or {query.path.stem}.png in {readable(masks)!r}, and its folder "
        f"is not named {GOOD!r}: whether it is normal is not known",
    )


def _queries(path: Path, *, recursive: bool) -> list[Query]:
    if not os.path.isdir(path):
        return [Query(path, path.parent.name)]
    inside = _photographs(path)
    if inside and not recursive:
        return [Query(each, path.name) for each in inside]
    folders = folders_of_photographs(path) if recursive else [p for p in sorted(path.iterdir()) if p.is_dir()]
    found = [Query(each, folder.name) for folder in folders for each in _photographs(folder)]
    if not found:
        below = "below it" if recursive else "in the folders inside it (--recursive looks deeper)"
        raise InputError(f"{readable(path)!r}: no photographs there or {below}")
    return found


def _photographs(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
