"""The masks that a measurement was given: one person's to score against, and further people's."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from dinoscope.data.annotation import Annotation, MaskKind
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure, LedgerEntry, Measurements
from dinoscope.errors import ImageError, InputError
from dinoscope.io.label_images import SUFFIXES, check_labels
from dinoscope.io.layouts import LAYOUTS, LayoutMasks, find_layout
from dinoscope.io.masks import MaskFolder, find_masks, kind_of_labels, label_folders, read_annotation
from dinoscope.names import path_named, printable, readable

LOG = logging.getLogger(__name__)

Masks = str | Path | LayoutMasks | Mapping[str, Integer[np.ndarray, "H W"]]
"""A folder of label images, a data set of a known layout, or label images by the photograph's name."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenMasks:
    """One person's masks, ready to be read.

    Attributes:
        source: where they are.
        name: to show: of the folder, never its place on this machine.
        kind: of them.
        digest: tells them from others of that name.
    """

    source: MaskFolder | LayoutMasks | Mapping[str, Integer[np.ndarray, "H W"]]
    name: str
    kind: MaskKind
    digest: str

    @property
    def laid_out(self) -> bool:
        """Whether a data set's layout says what they are."""
        return isinstance(self.source, LayoutMasks)

    def has(self, photograph: Photograph) -> bool:
        """Whether there is a mask of the photograph's name."""
        if isinstance(self.source, MaskFolder | LayoutMasks):
            return self.source.has(photograph)
        return _of_name(self.source, photograph) is not None

    def read(
        self,
        photograph: Photograph,
        failed: Callable[[Failure], None],
        *,
        second_view: bool = False,
        so: str = "measured without its mask",
    ) -> Annotation | None:
        """The masks of a photograph; None where it has none that fit: then a failure is told, with ``so``."""
        try:
            if isinstance(self.source, MaskFolder):
                return read_annotation(self.source, photograph, second_view=second_view)
            if isinstance(self.source, LayoutMasks):
                return self.source.read(photograph)
            found = _of_name(self.source, photograph)
            if found is None:
                raise ImageError(photograph.name, "no mask of that name")
            labels = check_labels(
                np.asarray(found), photograph.size, photograph.name, binary=self.kind.binary
            )
            return Annotation(labels, labels if self.kind.has_classes else None, self.kind)
        except ImageError as error:
            source = photograph.source or photograph.name
            failed(Failure(source, f"{so} in {self.name}: {error}"))
            return None


def _of_name(
    held: Mapping[str, Integer[np.ndarray, "H W"]], photograph: Photograph
) -> Integer[np.ndarray, "_ _"] | None:
    """By the photograph's name as text, or as it is on disk."""
    return held.get(photograph.name, held.get(str(path_named(photograph.name))))


def open_masks(masks: Masks | Sequence[Masks] | None, kind: str | None = None) -> tuple[OpenMasks, ...]:
    """Masks ready to be read, one entry a person; none where none were asked for.

    Args:
        masks: one person's, or several people's.
        kind: of all of them; None to find out.

    Raises:
        InputError: a folder without label images, an unknown kind, or the same folder twice.
    """
    if masks is None:
        if kind is not None:
            raise InputError(f"masks of kind {kind!r} were spoken of, and no masks given")
        return ()
    several = [masks] if isinstance(masks, str | Path | LayoutMasks | Mapping) else list(masks)
    opened = [_opened(one, kind) for one in several]
    places = [m.source.path.resolve() for m in opened if isinstance(m.source, MaskFolder | LayoutMasks)]
    twice = [place for k, place in enumerate(places) if place in places[:k]]
    if twice:
        raise InputError(
            f"masks {readable(twice[0])!r} were named twice: nobody is scored against themselves"
        )
    return tuple(opened)


def laid_out(folders: Sequence[Path] | None, layout: str | None) -> list[Masks] | None:
    """Folders of a command line as `open_masks` takes them: of a data set's layout where one is named.

    Raises:
        InputError: a layout and no folder, or a folder that is not laid out so.
    """
    if layout is not None and not folders:
        raise InputError(f"--layout {layout} says how --masks is laid out: name that folder, too")
    found: list[Masks] = list(folders or ())
    return [find_layout(folder, layout) for folder in folders or ()] if layout else found or None


def photographs_of(paths: Sequence[Path], masks: Sequence[Masks] | None) -> list[Path]:
    """Without label images: what lies in a data set of a known layout and is none of its photographs, and
    what is the mask of another one in a folder of masks, which may be that of the photographs. Warns where
    several photographs would be scored against one mask, as masks are found by name.

    Raises:
        InputError: no photograph is left.
    """
    sets = [
        (Path(os.path.realpath(m.path)), LAYOUTS[m.layout].images)
        for m in masks or ()
        if isinstance(m, LayoutMasks)
    ]

    labels = {
        os.path.realpath(place) for m in masks or () if isinstance(m, Path) for place in label_folders(m)
    }
    named = Counter(path.stem for path in paths)

    def belongs(path: Path) -> bool:
        whole = Path(os.path.realpath(path))  # which raises nothing
        is_alone = named[path.stem] == 1 or path.suffix.lower() not in SUFFIXES
        if not is_alone and str(whole.parent) in labels:
            return False
        return not any(root in whole.parents and images not in whole.parts for root, images in sets)

    found = [path for path in paths if belongs(path)]
    if not found:
        folders = " or ".join(sorted({repr(images) for _, images in sets}))
        raise InputError(f"no photographs: those of this layout lie below a folder {folders}")
    if labels:
        _warn_of_namesakes(found)
    return found


def _warn_of_namesakes(paths: Sequence[Path]) -> None:
    places: dict[str, dict[str, Path]] = {}
    for path in paths:
        places.setdefault(path.stem, {})[os.path.realpath(path)] = path
    namesakes = {stem: [*found.values()] for stem, found in places.items() if len(found) > 1}
    if namesakes:
        stem, (first, second, *_) = next(iter(namesakes.items()))
        LOG.warning(
            "%d name%s of several photographs, as %s of %s and %s: masks are found by name, so these are "
            "scored against one mask. Measure each folder by itself, with its own masks",
            len(namesakes),
            "s are" if len(namesakes) > 1 else " is",
            printable(stem),
            printable(readable(first)),
            printable(readable(second)),
        )


def masks_entry(measured: Measurements) -> tuple[LedgerEntry, ...]:
    """The ledger's line about masks; none without them."""
    kind = measured.mask_kind
    if kind is None:
        return ()
    detail = f"{measured.masks}: {kind.name}; {kind.because}"
    return (LedgerEntry("It is known what the numbers in the masks mean", kind.sure, f"{detail}."),)


def _opened(masks: Masks, kind: str | None) -> OpenMasks:
    if isinstance(masks, str | Path):
        folder = find_masks(masks, kind)
        return OpenMasks(folder, folder.name, folder.kind, folder.digest)
    if isinstance(masks, LayoutMasks):
        if kind not in (None, masks.kind.name):
            raise InputError(f"masks of {masks.name} are laid out as {masks.kind.name}, not {kind}")
        return OpenMasks(masks, masks.name, masks.kind, masks.digest)
    if not isinstance(masks, Mapping):
        raise InputError(
            f"masks are a folder, or label images by the photograph's name ({{'a.jpg': array}}), not a "
            f"{type(masks).__name__}"
        )
    held = {name: np.asarray(labels) for name, labels in sorted(masks.items())}
    seen = hashlib.sha256()
    for name, labels in held.items():
        seen.update(f"{name}\0{labels.dtype}{labels.shape}".encode(errors="surrogatepass") + labels.tobytes())
    named = f"{len(held)} label images"
    return OpenMasks(masks, named, kind_of_labels(list(held.values()), kind), seen.hexdigest())
