"""The masks that a measurement was given: one person's to score against, and further people's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Integer

from dinoscope.data.annotation import Annotation, MaskKind
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure, LedgerEntry, Measurements
from dinoscope.errors import ImageError, InputError
from dinoscope.io.label_images import check_labels
from dinoscope.io.masks import MaskFolder, find_masks, kind_of_labels, read_annotation
from dinoscope.names import path_named, readable

Masks = str | Path | Mapping[str, Integer[np.ndarray, "H W"]]
"""A folder of label images, or label images by the photograph's name."""


@dataclass(frozen=True, slots=True, eq=False)
class OpenMasks:
    """One person's masks, ready to be read.

    Attributes:
        source: where they are.
        name: to show: of the folder, never its place on this machine.
        kind: of them.
        digest: tells them from others of that name.
    """

    source: MaskFolder | Mapping[str, Integer[np.ndarray, "H W"]]
    name: str
    kind: MaskKind
    digest: str

    def has(self, photograph: Photograph) -> bool:
        """Whether there is a mask of the photograph's name."""
        if isinstance(self.source, MaskFolder):
            return self.source.has(photograph)
        return _of_name(self.source, photograph) is not None

    def read(
        self,
        photograph: Photograph,
        failed: Callable[[Failure], None],
        *,
        second_view: bool = False,
    ) -> Annotation | None:
        """The masks of a photograph; None, and a failure told, where it has none that fit."""
        try:
            if isinstance(self.source, MaskFolder):
                return read_annotation(self.source, photograph, second_view=second_view)
            found = _of_name(self.source, photograph)
            if found is None:
                raise ImageError(photograph.name, "no mask of that name")
            labels = check_labels(
                np.asarray(found), photograph.size, photograph.name, binary=self.kind.binary
            )
            return Annotation(labels, labels if self.kind.has_classes else None, self.kind)
        except ImageError as error:
            source = photograph.source or photograph.name
            failed(Failure(source, f"measured without its mask in {self.name}: {error}"))
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
    several = [masks] if isinstance(masks, str | Path | Mapping) else list(masks)
    opened = [_opened(one, kind) for one in several]
    places = [m.source.path.resolve() for m in opened if isinstance(m.source, MaskFolder)]
    twice = [place for k, place in enumerate(places) if place in places[:k]]
    if twice:
        raise InputError(
            f"masks {readable(twice[0])!r} were named twice: nobody is scored against themselves"
        )
    return tuple(opened)


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
    held = {name: np.asarray(labels) for name, labels in sorted(masks.items())}
    seen = hashlib.sha256()
    for name, labels in held.items():
        seen.update(f"{name}\0{labels.dtype}{labels.shape}".encode(errors="surrogatepass") + labels.tobytes())
    named = f"{len(held)} label images"
    return OpenMasks(masks, named, kind_of_labels(list(held.values()), kind), seen.hexdigest())
