"""Whatever a user calls a photograph, as one; and what to say of one that cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import DinoscopeError, ImageError, InputError
from dinoscope.io.images import Enough, photograph_from_array, photograph_from_image, read_photograph
from dinoscope.io.sources import photograph_paths
from dinoscope.names import readable
from dinoscope.pipeline.profile import timed

ImageLike = str | Path | Photograph | Image.Image | np.ndarray
"""A file, a decoded photograph, a PIL image, or an ``H W 3`` array of uint8."""

OnFailure = Callable[[Failure], None]


def load_photograph(image: ImageLike, *, enough: Enough | None = None) -> Photograph:
    """A photograph from whatever the user gave.

    Args:
        image: decoded already, or not.
        enough: as for `read_photograph`: of files alone.

    Raises:
        ImageError: it cannot be used.
    """
    if isinstance(image, Photograph):
        return image
    with timed("decode"):
        if isinstance(image, np.ndarray):
            return photograph_from_array(image, name="array")
        if isinstance(image, Image.Image):
            return photograph_from_image(
                image, name=Path(str(getattr(image, "filename", "") or "image")).name
            )
        if isinstance(image, str | Path):
            return read_photograph(image, enough=enough)
    raise ImageError(
        repr(image)[:80], f"a {type(image).__name__} is no photograph: give a path, PIL image or uint8 array"
    )


def each_image(images: ImageLike | Iterable[ImageLike]) -> Iterator[ImageLike]:
    """Every photograph meant: a single one, those directly inside a folder, or those of an iterable.

    Raises:
        InputError: a folder without photographs.
    """
    if isinstance(images, str | Path) and os.path.isdir(images):
        paths, failures = photograph_paths([images])
        if failures:
            raise InputError(f"{str(images)!r}: {failures[0].reason}")
        return iter(paths)
    if isinstance(images, str | Path | Photograph | Image.Image):
        return iter([images])
    if isinstance(images, np.ndarray) and images.ndim == 3:
        return iter([images])
    try:
        return iter(images)
    except TypeError as error:
        raise InputError(
            f"photographs are a path, an array H W 3, or several of them, not a {type(images).__name__}"
        ) from error


def failure_of(image: ImageLike, error: DinoscopeError) -> Failure:
    """What to list about a photograph that could not be used."""
    if isinstance(error, ImageError):
        return Failure(error.source, error.reason)
    if isinstance(image, Photograph):
        return Failure(image.source or image.name, str(error))
    return Failure(readable(image) if isinstance(image, str | Path) else "image", str(error))


def reason_of(error: DinoscopeError) -> str:
    """Why something cannot be used, without its name."""
    return error.reason if isinstance(error, ImageError) else str(error)


def report(image: ImageLike, error: DinoscopeError, on_failure: OnFailure | None) -> None:
    """Tells of a photograph that is left out; raises where nobody listens."""
    if on_failure is None:
        raise error
    on_failure(failure_of(image, error))
