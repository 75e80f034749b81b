"""Photographs and a backbone in, patch features out, in order, streamed.

Threads decode and resize ahead of the model, a bounded number of photographs. Those of equal grid share a
forward pass; none is ever padded, so what stands beside a photograph never changes its features.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.facets import TOKEN, facet_of
from dinoscope.backbones.finer import finer_of
from dinoscope.backbones.load import as_backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.spec import check_layers
from dinoscope.errors import DinoscopeError, InputError
from dinoscope.io.resize import filter_name
from dinoscope.pipeline.batches import (
    LARGEST,
    BatchLimits,
    InOrder,
    batches_in_turn,
    equal_shapes,
    first_batch_size,
    in_parts_that_fit,
)
from dinoscope.pipeline.described import FeatureMaps
from dinoscope.pipeline.fast import compiled_backbone
from dinoscope.pipeline.feed import CPU_HELD_BYTES, HELD_BYTES, ahead, cores, worker_count
from dinoscope.pipeline.forward import ForwardPass, Pending, Prepared, prepared
from dinoscope.pipeline.memory import check_forward, device_bytes, forward_bytes, tiled_bytes
from dinoscope.pipeline.photographs import (
    ImageLike,
    OnFailure,
    each_image,
    failure_of,
    load_photograph,
    report,
)
from dinoscope.pipeline.run import Run
from dinoscope.pipeline.tiles import Tiling, blended, tiling

__all__ = [
    "ImageLike",
    "OnFailure",
    "each_image",
    "extract",
    "extract_layers",
    "extracted",
    "failure_of",
    "load_photograph",
]

WINDOW = 4
"""How many batches' photographs are looked at for equal grids."""

SQUARE = (4096, 4096)
"""A size of photographs whose grid is as small as the run's may be."""


def extract(
    images: ImageLike | Iterable[ImageLike],
    backbone: Backbone | str,
    *,
    grid: int | tuple[int, int] | None = None,
    size_px: int | None = None,
    layer: int | None = None,
    final_norm: bool = True,
    facet: str = TOKEN,
    finer: int = 1,
    resize: str = "bilinear",
    batch_size: int | None = None,
    tile: int | None = None,
    overlap: int | None = None,
    compiled: bool = False,
    decode: str = "full",
    on_failure: OnFailure | None = None,
) -> Iterator[PatchFeatures]:
    """Patch features of photographs by one layer, in the order given.

    Args:
        images: files, PIL images, uint8 arrays ``H W 3``, or photographs; one, or any number.
        backbone: as `load_backbone` returns it, or a name for it.
        grid: patches on the short side, or the exact ``(h, w)``; 32 where neither is given.
        size_px: instead: pixels on the short side of the input.
        layer: absolute 0-based block number; None for the last.
        final_norm: apply the backbone's final normalisation.
        facet: ``token``; or the block's ``key``, ``query`` or ``value``, and ``rotated-key`` and
            ``rotated-query`` after rotary positions: see `facet_of`.
        finer: so many times as many places along each side, by passes over shifted inputs: see
            `dinoscope.backbones.finer.Finer`. It divides the patch size.
        resize: ``bilinear`` or ``bicubic`` for every model, or ``official``, each family's own.
        batch_size: photographs (tiles) in one forward pass, at most; None chooses: on a CPU 1, of small
            inputs up to 16; elsewhere by the free memory. Where memory runs out it is halved.
        tile: pixels of the model's input on each side of a tile: a photograph larger than that goes through
            in overlapping tiles, which are blended. Not the features of the whole: see the provenance's
            ``seam``. No class or register tokens then. None: whole.
        overlap: pixels that neighbouring tiles share; None for a quarter of a tile.
        compiled: run the blocks of a DINO model through ``torch.compile``; without a compiler as ever,
            with a warning.
        decode: ``full``; or ``reduced``: of JPEG files the decoder makes a half, a quarter or an eighth of
            the pixels along each side, at least 1.25 times the model's input, several times as fast. Not
            quite the same features: see `dinoscope.pipeline.reduced.check_decoding`; each one's provenance
            says its ``reduction``.
        on_failure: called with each photograph that cannot be used, which is then left out. None
            raises at the first.

    Raises:
        ImageError: a photograph cannot be used, and there is no ``on_failure``.
        LayerError: no such layer.
        InputError: an impossible grid, size, resize, tile, facet, factor or way to decode.
        BackboneError: the backbone has no such facet.
    """
    if grid is not None and size_px is not None:
        raise InputError("give either grid= or size_px=, not both")
    run = Run(
        grid=32 if grid is None else grid,
        size_px=size_px,
        layers=None if layer is None else (layer,),
        final_norm=final_norm,
        resize=resize,
        batch_size=batch_size,
        tile=tile,
        overlap=overlap,
        decode=decode,
    )
    seen = finer_of(facet_of(as_backbone(backbone), facet), finer)
    return extracted(images, seen, run, compiled=compiled, on_failure=on_failure)


def extracted(
    images: ImageLike | Iterable[ImageLike],
    backbone: Backbone,
    run: Run,
    *,
    compiled: bool = False,
    on_failure: OnFailure | None = None,
) -> Iterator[PatchFeatures]:
    """Patch features as `extract` gives them; of several layers one after the other."""
    for by_layer in extract_layers(images, backbone, run, compiled=compiled, on_failure=on_failure):
        yield from by_layer.values()


def extract_layers(
    images: ImageLike | Iterable[ImageLike],
    backbone: Backbone,
    run: Run,
    *,
    compiled: bool = False,
    on_failure: OnFailure | None = None,
) -> Iterator[dict[int, PatchFeatures]]:
    """Patch features by several layers of one forward pass.

    Args:
        images: as for `extract`.
        backbone: as `load_backbone` returns it.
        run: grid, layers, resize and the like.
        compiled, on_failure: as for `extract`.

    Raises:
        As `extract`.
    """
    spec = as_backbone(backbone).spec
    layers = check_layers(run.layers, spec.depth, spec.name)
    filter_ = filter_name(run.resize, spec.family)
    cut = None if run.tile is None else tiling(run.tile, run.overlap, spec.patch_size)
    if compiled:
        backbone = compiled_backbone(backbone)
    forward = ForwardPass(backbone, layers, filter_, final_norm=run.final_norm)
    maps = FeatureMaps(backbone, layers, filter_, final_norm=run.final_norm)
    # Tiles are cut from the resized photograph: the decoding thread resizes it.
    way = forward.route if cut is None else replace(forward.route, resize_there=False)
    limits = BatchLimits(lambda shape: run.batch_size or photographs_together(backbone, shape))
    memory = _FreeMemory(backbone)

    enough = None if run.decode == "full" else partial(run.enough, patch_size=spec.patch_size)

    def prepare(image: ImageLike) -> Prepared:
        photograph = load_photograph(image, enough=enough)
        patch_grid = run.fit(photograph.size, spec.patch_size)
        whole = cut is None or cut.within(patch_grid).shape == patch_grid.shape
        check_forward(
            spec,
            patch_grid,
            memory.n_bytes,
            what=repr(photograph.name),
            n_bytes=None
            if cut is None or whole
            else tiled_bytes(spec, patch_grid, cut.within(patch_grid), len(layers)),
        )
        return prepared(photograph, patch_grid, filter_, way)

    window = _window(backbone, run)
    feed = _numbered(each_image(images), prepare, window, backbone, on_failure)
    with closing(feed):  # whatever ends this run, the decoding threads end with it
        if cut is not None:
            yield from _tiled(feed, forward, maps, cut, limits, memory, on_failure)
        else:
            yield from _whole(feed, forward, maps, limits, memory, window, on_failure)


class _FreeMemory:
    """Memory for one forward pass: looked at between the passes, so that a pass that runs while the next
    photograph is prepared does not make that one seem too large.
    """

    def __init__(self, backbone: Backbone) -> None:
        self._device = backbone.device
        self.n_bytes = device_bytes(self._device)

    def look(self) -> None:
        """Now, when no pass is being started."""
        self.n_bytes = device_bytes(self._device)


def photographs_together(backbone: Backbone, shape: tuple[int, int]) -> int:
    """How many photographs of this grid share a pass where nobody says."""
    spec = backbone.spec
    grid = PatchGrid(*shape, spec.patch_size, (1, 1))
    free = device_bytes(backbone.device)
    return first_batch_size(backbone.device.type, forward_bytes(spec, grid), free, grid.input_size)


class _Window(NamedTuple):
    """How many photographs are looked at, and how much of them waits, at most."""

    photographs: int
    n_bytes: int


def _window(backbone: Backbone, run: Run) -> _Window:
    """Where a processor chooses the batches, as many square photographs as share a pass."""
    on_cpu = backbone.device.type == "cpu"
    size = run.batch_size or LARGEST
    window = size if size == 1 else size * WINDOW
    if run.batch_size is None and on_cpu:
        try:
            window = photographs_together(backbone, run.fit(SQUARE, backbone.spec.patch_size).shape)
        except InputError:  # of an impossible grid, which is told with each photograph
            window = 1
    return _Window(window, CPU_HELD_BYTES if on_cpu else HELD_BYTES)


def _numbered(
    images: Iterator[ImageLike],
    prepare: Callable[[ImageLike], Prepared],
    window: _Window,
    backbone: Backbone,
    on_failure: OnFailure | None,
) -> Generator[tuple[int, Prepared | None], None, None]:
    """Prepared photographs with their places; None for one that cannot be used."""
    feed = ahead(
        images,
        prepare,
        workers=worker_count(backbone.device.type, cores()),
        depth=max(window.photographs, WINDOW),
        weight=lambda item: item.n_bytes,
        limit=window.n_bytes,
    )
    with closing(feed):
        for place, (image, ready) in enumerate(feed):
            try:
                item = ready()
            except DinoscopeError as error:
                report(image, error, on_failure)
                yield place, None
            else:
                yield place, item


def _whole(
    feed: Iterator[tuple[int, Prepared | None]],
    forward: ForwardPass,
    maps: FeatureMaps,
    limits: BatchLimits,
    memory: _FreeMemory,
    most: _Window,
    on_failure: OnFailure | None,
) -> Iterator[dict[int, PatchFeatures]]:
    order: InOrder[dict[int, PatchFeatures]] = InOrder()
    started: deque[tuple[list[tuple[int, Prepared]], Pending]] = deque()

    def collect(until: int) -> Iterator[dict[int, PatchFeatures]]:
        while len(started) > until:
            batch, pending = started.popleft()
            outputs = pending()
            for row, (place, item) in enumerate(batch):
                try:
                    found: dict[int, PatchFeatures] | None = maps.of_row(item, outputs, row)
                except InputError as error:
                    report(item.photograph, error, on_failure)
                    found = None
                yield from order.put(place, found)

    for window in batches_in_turn(feed, most.photographs, lambda item: item.n_bytes, most.n_bytes):
        usable = [(place, item) for place, item in window if item is not None]
        for place, item in window:
            if item is None:
                yield from order.put(place, None)
        for batch in equal_shapes(usable, lambda member: member[1].grid.shape, limits):
            shape = batch[0][1].grid.shape
            memory.look()
            for part, pending in in_parts_that_fit(
                batch,
                shape,
                lambda members: forward.start([item for _, item in members]),
                limits,
                before_retry=forward.free_memory,
            ):
                if isinstance(pending, InputError):
                    for place, item in part:
                        report(item.photograph, pending, on_failure)
                        yield from order.put(place, None)
                else:
                    started.append((part, pending))
                    yield from collect(forward.route.deferred)
    yield from collect(0)


def _tiled(
    feed: Iterator[tuple[int, Prepared | None]],
    forward: ForwardPass,
    maps: FeatureMaps,
    cut: Tiling,
    limits: BatchLimits,
    memory: _FreeMemory,
    on_failure: OnFailure | None,
) -> Iterator[dict[int, PatchFeatures]]:
    for _, item in feed:
        memory.look()
        if item is None:
            continue
        try:
            if cut.within(item.grid).shape == item.grid.shape:
                found = maps.of_row(item, forward.start([item])(), 0)
            else:
                found = maps.of_tiles(item, blended(item, forward, maps.layers, cut, limits), cut)
        except InputError as error:
            report(item.photograph, error, on_failure)
            continue
        yield found
