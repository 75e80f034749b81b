"""Masks: label images in a folder beside the photographs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Int64

from dinoscope.data.annotation import CLASSES, INSTANCES, KINDS, Annotation, MaskKind, SecondView
from dinoscope.data.photograph import Photograph
from dinoscope.errors import ImageError, InputError
from dinoscope.io.arrays import open_npz
from dinoscope.io.images import read_photograph
from dinoscope.io.label_images import SUFFIXES, VOID, read_labels, read_values
from dinoscope.maths.mask_kind import kind_of
from dinoscope.names import path_named, readable

T = TypeVar("T")

KIND_FOLDERS = ("instance", "class")
"""Folders in a folder of masks: what belongs together, and what is the same kind."""

SAMPLED = 32
"""Label images that say what kind of masks a folder holds, evenly spaced over its names."""

BINARY = "0 and 255 alone (grey edges are cut at half): 255 is the one object of each photograph"


@dataclass(frozen=True, slots=True)
class MaskFolder:
    """Where masks lie.

    Attributes:
        path: as named.
        regions: folder of label images.
        classes: folder of class maps; None where it is not known what is the same kind.
        views: folder with ``second/images`` and ``flow``; None without second views.
        kind: of the label images in ``regions``.
    """

    path: Path
    regions: Path
    classes: Path | None
    views: Path | None
    kind: MaskKind

    @property
    def name(self) -> str:
        """The folder's own name."""
        return readable(self.path.resolve().name)

    @property
    def digest(self) -> str:
        """Digest of the names and sizes of its label images: what tells apart folders of one name."""
        folders = {self.regions, self.classes or self.regions}
        listed = [
            (p.parent.name, p.name, os.path.getsize(p) if os.path.isfile(p) else None)
            for folder in sorted(folders)
            for p in _label_files(folder)
        ]
        return hashlib.sha256(repr(listed).encode("utf-8", "surrogateescape")).hexdigest()

    def has(self, photograph: Photograph) -> bool:
        """Whether there is a label image of the photograph's name."""
        return _labels_path(self.regions, photograph) is not None


def label_folders(folder: Path) -> tuple[Path, ...]:
    """Where the label images of a folder of masks may lie, whether these places exist or not."""
    return tuple(root / place for root in (folder, folder / "masks") for place in ("", *KIND_FOLDERS))


def find_masks(folder: str | Path, kind: str | None = None) -> MaskFolder:
    """The masks in a folder, and of what kind they are.

    ``FOLDER/NAME.png`` for a photograph ``NAME.*``; or apart, ``FOLDER/instance/NAME.png`` for what
    belongs together and ``FOLDER/class/NAME.png`` for what is the same kind; or a folder of scenes.

    Args:
        folder: where they lie.
        kind: of `KINDS`; None: by folders named ``instance`` and ``class``, and where there are none by
            `dinoscope.maths.mask_kind.kind_of` from at most `SAMPLED` label images.

    Raises:
        InputError: no such folder, one without label images, or an unknown kind.
    """
    path = Path(folder)
    if kind is not None and kind not in KINDS:
        raise InputError(f"masks are {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {kind!r}")
    if not path.is_dir():
        raise InputError(f"masks {readable(folder)!r}: no such folder")
    root = path / "masks" if (path / "masks").is_dir() else path
    kinds = {name: root / name for name in KIND_FOLDERS if (root / name).is_dir()}
    if not kinds and root.resolve().name in KIND_FOLDERS:
        kinds = {root.resolve().name: root}
    regions = kinds.get("instance", kinds.get("class", root))
    files = _label_files(regions)
    if not files:
        raise InputError(
            f"masks {readable(folder)!r}: no label images ({', '.join(SUFFIXES)}) there or in instance/, "
            "class/"
        )
    views = root.parent if (root.parent / "flow").is_dir() and (root.parent / "second").is_dir() else None
    found = replace(_kind(files, kinds, kind), class_maps=len(kinds) == 2)
    classes = kinds.get("class", regions) if found.has_classes else None
    return MaskFolder(path, regions, classes, views, found)


def kind_of_labels(images: Sequence[np.ndarray], kind: str | None = None) -> MaskKind:
    """The kind of label images that are held already, as `find_masks` finds it.

    Raises:
        InputError: an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise InputError(f"masks are {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {kind!r}")
    return _judged([image for image in _spread(images) if image.dtype.kind in "biu"], kind)


def _kind(files: Sequence[Path], kinds: Iterable[str], asked: str | None) -> MaskKind:
    named = "instance" if "instance" in kinds else "class" if "class" in kinds else None
    known = asked or {"instance": INSTANCES, "class": CLASSES, None: None}[named]
    shown, refused = list(_spread(files)), list[ImageError]()
    found = _judged(_readable(shown, refused), known)
    if len(refused) == len(shown) and known is None:
        found = replace(found, reason=f"none of the label images looked at can be read: {refused[0]}")
    return found if asked or named is None else replace(found, reason=f"they lie in a folder named {named}")


def _readable(files: Iterable[Path], refused: list[ImageError]) -> Iterator[np.ndarray]:
    """What files hold; that one cannot be read is told where its photograph is measured."""
    for path in files:
        try:
            values = read_values(path)
        except ImageError as error:
            refused.append(error)
        else:
            yield values


def _judged(images: Iterable[np.ndarray], known: str | None) -> MaskKind:
    held = [(image.dtype, {int(label) for label in np.unique(image)}) for image in images]
    every: set[int] = set().union(*(labels for _, labels in held))
    binary = every == {0, VOID} and all(dtype == np.uint8 for dtype, _ in held)
    if known is not None:
        return MaskKind(known, "as asked for", binary=binary, zero=0 in every)
    if binary:
        return MaskKind(INSTANCES, BINARY, binary=True)
    found = kind_of([labels - {VOID} if dtype == np.uint8 else labels for dtype, labels in held])
    alone = sum(labels == {0, VOID} and dtype == np.uint8 for dtype, labels in held)
    if every == {0, 1, VOID} and alone:
        mixed = (
            f"{alone} of {len(held)} label images hold 0 and 255 alone, others 1: 255 is read as unknown; "
        )
        return replace(found, sure=False, reason=f"{mixed}if it is the object, save it as 1")
    return found


def _spread(items: Sequence[T]) -> list[T]:
    """At most `SAMPLED`, evenly spaced, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(SAMPLED, len(items))).round().astype(int)
    return [items[place] for place in places]


def _label_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)


def read_annotation(masks: MaskFolder, photograph: Photograph, *, second_view: bool = False) -> Annotation:
    """The label images of one photograph, found by its name.

    Args:
        masks: as `find_masks` returns it.
        photograph: its name without the suffix is the masks' name.
        second_view: read the second view, too, where there is one.

    Raises:
        ImageError: no mask, no label image, or one of another shape than the photograph.
    """
    regions = _read_of(masks.regions, photograph, binary=masks.kind.binary)
    classes = None
    if masks.classes is not None:
        same = masks.classes == masks.regions
        classes = regions if same else _read_of(masks.classes, photograph)
    second = None
    if second_view and masks.views is not None:
        second = _second(masks.views, Path(photograph.name).stem)
    return Annotation(regions, classes, masks.kind, second)


def _read_of(folder: Path, photograph: Photograph, *, binary: bool = False) -> Int64[np.ndarray, "H W"]:
    found = _labels_paths(folder, photograph)
    if not found:
        stem = Path(photograph.name).stem
        raise ImageError(photograph.name, _missing(folder, stem))
    if len(found) > 1:
        names = " and ".join(repr(readable(path.name)) for path in found)
        raise ImageError(photograph.name, f"which of the masks {names} is meant? Leave one there")
    return read_labels(found[0], photograph.size, binary=binary)


def _missing(folder: Path, stem: str) -> str:
    """What to say where there is no mask of a name; with the file that may have been meant."""
    said = f"no mask {stem}.png in {readable(folder.resolve().name)!r}"
    near = sorted(name for name in map(readable, os.listdir(folder)) if name.lower().startswith(stem.lower()))
    if not near:
        return said
    if near[0] in {f"{stem}{suffix}" for suffix in SUFFIXES}:
        return f"{near[0]!r} in {readable(folder.resolve().name)!r} is no file: a folder, or a broken link"
    ends = ", ".join(SUFFIXES)
    return f"{said}, but {near[0]!r}: a mask is a file of its photograph's name, in one of {ends}"


def _labels_path(folder: Path, photograph: Photograph) -> Path | None:
    found = _labels_paths(folder, photograph)
    return found[0] if found else None


def _labels_paths(folder: Path, photograph: Photograph) -> list[Path]:
    """All that its name allows, without the photograph itself where that lies beside others."""
    stem = Path(photograph.name).stem
    named = [folder / path_named(f"{stem}{suffix}") for suffix in SUFFIXES]
    found = [path for path in named if os.path.isfile(path)]
    if len(found) < 2:
        return found
    itself = os.path.realpath(path_named(photograph.source or photograph.name))
    return [path for path in found if os.path.realpath(path) != itself]


def _second(views: Path, stem: str) -> SecondView | None:
    image = views / "second" / "images" / path_named(f"{stem}.png")
    flow = views / "flow" / path_named(f"{stem}.npz")
    if not os.path.isfile(image) or not os.path.isfile(flow):
        return None
    try:
        with open_npz(flow) as arrays:
            moved, valid = arrays.read("flow"), arrays.read("valid")
    except Exception as error:  # a damaged file can raise anything
        raise ImageError(readable(flow.name), f"the flow cannot be read: {error}") from error
    if moved.ndim != 3 or moved.shape[2] != 2 or moved.dtype.kind != "f" or valid.shape != moved.shape[:2]:
        raise ImageError(
            readable(flow.name), f"the flow is H W 2, and valid H W; got {moved.shape}, {valid.shape}"
        )
    return SecondView(read_photograph(image), moved, valid.astype(bool))
