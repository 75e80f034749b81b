"""Each photograph through every model, decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import DinoscopeError, InputError
from dinoscope.pipeline.extract import ImageLike, OnFailure, extracted, failure_of, load_photograph
from dinoscope.pipeline.feed import ahead, cores, worker_count
from dinoscope.pipeline.run import Run

WINDOW = 8
"""Decoded photographs held at a time."""


def extract_together(
    images: Iterable[ImageLike],
    backbones: Sequence[Backbone],
    run: Run,
    layers: Sequence[int | None],
    *,
    on_failure: OnFailure,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Iterator[tuple[Photograph, tuple[PatchFeatures, ...]]]:
    """Every photograph that all models can use, with its features by each, in order, streamed.

    A photograph given twice (by content) is used once; the second is a failure, as is one that any
    model cannot use.

    Args:
        images: as for `extract`.
        backbones: at least one.
        run: the same for all, but for the layers.
        layers: one for each backbone; None for its last.
        on_failure: called with each photograph left out.
        on_progress: called with how many photographs are done with, used or not.
    """
    if len(layers) != len(backbones):
        raise InputError(f"{len(layers)} layers for {len(backbones)} backbones")
    seen: dict[str, str] = {}
    workers = max((worker_count(b.device.type, cores()) for b in backbones), default=1)
    feed = ahead(
        iter(images), load_photograph, workers=workers, depth=WINDOW, weight=lambda photo: photo.pixels.nbytes
    )
    done = 0
    with closing(feed):
        while window := list(islice(feed, WINDOW)):
            photographs = []
            for image, loaded in window:
                try:
                    photograph = loaded()
                except DinoscopeError as error:
                    on_failure(failure_of(image, error))
                    continue
                if photograph.digest in seen:
                    twin = seen[photograph.digest]
                    on_failure(Failure(photograph.source, f"the same photograph as {twin!r}; used once"))
                    continue
                seen[photograph.digest] = photograph.name
                photographs.append(photograph)
            columns: list[dict[str, PatchFeatures]] = []
            for backbone, layer in zip(backbones, layers, strict=True):
                usable = [p for p in photographs if all(p.digest in column for column in columns)]
                columns.append(
                    {
                        f.provenance.image_digest: f
                        for f in extracted(usable, backbone, run.at(layer), on_failure=on_failure)
                    }
                )
            done += len(window)
            on_progress(done)
            for photograph in photographs:
                if all(photograph.digest in column for column in columns):
                    yield photograph, tuple(column[photograph.digest] for column in columns)
