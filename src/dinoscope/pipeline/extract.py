"""Photographs and a backbone in, patch features out, in order, streamed.

Photographs of equal grid that lie within a bounded window share a forward pass; none is ever padded,
so what stands beside a photograph never changes its features. Where the model runs on another device
than the CPU, decoding and resizing run ahead in a thread meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from dinoscope.backbones.base import Backbone
from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.data.layers import LayerOutputs
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.data.spec import check_layers
from dinoscope.errors import DinoscopeError, ImageError, InputError
from dinoscope.io.images import photograph_from_array, read_photograph
from dinoscope.io.resize import filter_name, resize_pixels
from dinoscope.io.sources import photograph_paths
from dinoscope.pipeline.memory import check_memory, forward_bytes

ImageLike = str | Path | Photograph | Image.Image | np.ndarray
"""A file, a decoded photograph, a PIL image, or an ``H W 3`` array of uint8."""

OnFailure = Callable[[Failure], None]
WINDOW = 4
"""How many batches are decoded ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A photograph ready for the model."""

    photograph: Photograph
    grid: PatchGrid
    pixels: Float[Tensor, "3 H W"]


def extract(
    images: ImageLike | Iterable[ImageLike],
    backbone: Backbone,
    *,
    grid: int | tuple[int, int] | None = None,
    size_px: int | None = None,
    layer: int | None = None,
    final_norm: bool = True,
    resize: str = "bilinear",
    batch_size: int | None = None,
    on_failure: OnFailure | None = None,
) -> Iterator[PatchFeatures]:
    """Patch features of photographs by one layer, in the order given.

    Args:
        images: files, PIL images, uint8 arrays ``H W 3``, or photographs; one, or any number.
        backbone: as `load_backbone` returns it.
        grid: patches on the short side, or the exact ``(h, w)``; 32 where neither is given.
        size_px: instead: pixels on the short side of the input.
        layer: absolute 0-based block number; None for the last.
        final_norm: apply the backbone's final normalisation.
        resize: ``bilinear`` or ``bicubic`` for every model, or ``official``, each family's own.
        batch_size: photographs in one forward pass; None chooses 1 on a CPU and 16 elsewhere.
        on_failure: called with each photograph that cannot be used, which is then left out. None
            raises at the first.

    Raises:
        ImageError: a photograph cannot be used, and there is no ``on_failure``.
        LayerError: no such layer.
        InputError: an impossible grid, size or resize.
    """
    chosen = None if layer is None else (layer,)
    for by_layer in extract_layers(
        images,
        backbone,
        layers=chosen,
        grid=grid,
        size_px=size_px,
        final_norm=final_norm,
        resize=resize,
        batch_size=batch_size,
        on_failure=on_failure,
    ):
        yield from by_layer.values()


def extract_layers(
    images: ImageLike | Iterable[ImageLike],
    backbone: Backbone,
    *,
    layers: tuple[int, ...] | None = None,
    grid: int | tuple[int, int] | None = None,
    size_px: int | None = None,
    final_norm: bool = True,
    resize: str = "bilinear",
    batch_size: int | None = None,
    on_failure: OnFailure | None = None,
) -> Iterator[dict[int, PatchFeatures]]:
    """Patch features by several layers of one forward pass; otherwise as `extract`."""
    if grid is None and size_px is None:
        grid = 32
    layers = check_layers(layers, backbone.spec.depth)
    if batch_size is None:
        batch_size = 1 if backbone.device.type == "cpu" else 16
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1, got {batch_size}")
    filter_ = filter_name(resize, backbone.spec.family)

    def prepare(image: ImageLike) -> Prepared:
        photograph = load_photograph(image)
        patch_grid = PatchGrid.fit(photograph.size, backbone.spec.patch_size, grid=grid, size_px=size_px)
        check_memory(
            forward_bytes(backbone.spec, patch_grid),
            f"{photograph.name!r} on a grid of {patch_grid.h}x{patch_grid.w} through {backbone.spec.name}",
            "Ask for a smaller grid.",
        )
        return Prepared(photograph, patch_grid, resize_pixels(photograph, patch_grid.input_size, filter_))

    # On a CPU the model takes every core: a thread beside it would only get in its way.
    ahead = backbone.device.type != "cpu"
    for window in _windows(each_image(images), prepare, batch_size, on_failure, ahead=ahead):
        results: dict[int, dict[int, PatchFeatures]] = {}
        for batch in _equal_shapes(window, batch_size):
            outputs = _forward(backbone, [window[i] for i in batch], layers, final_norm=final_norm)
            for row, i in enumerate(batch):
                item = window[i]
                try:
                    results[i] = {
                        layer: _features(item, outputs, row, layer, backbone, filter_) for layer in layers
                    }
                except InputError as error:
                    _report(item.photograph, error, on_failure)
        for i in sorted(results):
            yield results[i]


def load_photograph(image: ImageLike) -> Photograph:
    """A photograph from whatever the user gave.

    Raises:
        ImageError: it cannot be used.
    """
    if isinstance(image, Photograph):
        return image
    if isinstance(image, np.ndarray):
        return photograph_from_array(image, name="array")
    if isinstance(image, Image.Image):
        name = Path(str(getattr(image, "filename", "") or "image")).name
        return photograph_from_array(np.asarray(image.convert("RGB")), name=name)
    if isinstance(image, str | Path):
        return read_photograph(image)
    raise ImageError(
        repr(image)[:80], f"a {type(image).__name__} is no photograph: give a path, PIL image or uint8 array"
    )


def each_image(images: ImageLike | Iterable[ImageLike]) -> Iterator[ImageLike]:
    """Every photograph meant: a single one, those directly inside a folder, or those of an iterable.

    Raises:
        InputError: a folder without photographs.
    """
    if isinstance(images, str | Path) and Path(images).is_dir():
        paths, failures = photograph_paths([images])
        if failures:
            raise InputError(f"{str(images)!r}: {failures[0].reason}")
        return iter(paths)
    if isinstance(images, str | Path | Photograph | Image.Image):
        return iter([images])
    if isinstance(images, np.ndarray) and images.ndim == 3:
        return iter([images])
    return iter(images)


def _windows(
    images: Iterator[ImageLike],
    prepare: Callable[[ImageLike], Prepared],
    batch_size: int,
    on_failure: OnFailure | None,
    *,
    ahead: bool,
) -> Iterator[list[Prepared]]:
    """Prepared photographs by the window; with ``ahead``, the next window is prepared meanwhile."""
    size = batch_size if batch_size == 1 else batch_size * WINDOW
    pool = ThreadPoolExecutor(1, thread_name_prefix="dinoscope-decode") if ahead else None
    try:
        coming = _submit(pool, prepare, images, size)
        while coming:
            pending = coming
            if pool is not None:
                coming = _submit(pool, prepare, images, size)
            window = []
            for image, prepared in pending:
                try:
                    window.append(prepared())
                except DinoscopeError as error:
                    _report(image, error, on_failure)
            if window:
                yield window
            if pool is None:
                coming = _submit(pool, prepare, images, size)
    finally:
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _submit(
    pool: ThreadPoolExecutor | None,
    prepare: Callable[[ImageLike], Prepared],
    images: Iterator[ImageLike],
    size: int,
) -> list[tuple[ImageLike, Callable[[], Prepared]]]:
    """The next window's photographs, each with what returns it prepared."""
    if pool is None:
        return [(image, partial(prepare, image)) for image in islice(images, size)]
    return [(image, pool.submit(prepare, image).result) for image in islice(images, size)]


def _report(image: ImageLike, error: DinoscopeError, on_failure: OnFailure | None) -> None:
    if on_failure is None:
        raise error
    on_failure(failure_of(image, error))


def failure_of(image: ImageLike, error: DinoscopeError) -> Failure:
    """What to list about a photograph that could not be used."""
    if isinstance(error, ImageError):
        return Failure(error.source, error.reason)
    if isinstance(image, Photograph):
        return Failure(image.source or image.name, str(error))
    return Failure(str(image) if isinstance(image, str | Path) else "image", str(error))


def _equal_shapes(window: list[Prepared], batch_size: int) -> Iterator[list[int]]:
    groups: dict[tuple[int, int], list[int]] = {}
    for i, item in enumerate(window):
        groups.setdefault(item.grid.shape, []).append(i)
    for members in groups.values():
        for start in range(0, len(members), batch_size):
            yield members[start : start + batch_size]


def _forward(
    backbone: Backbone, batch: list[Prepared], layers: tuple[int, ...], *, final_norm: bool
) -> LayerOutputs:
    mean = torch.tensor(backbone.spec.mean).view(3, 1, 1)
    std = torch.tensor(backbone.spec.std).view(3, 1, 1)
    pixels = torch.stack([item.pixels for item in batch]).sub_(mean).div_(std)
    return backbone.forward(pixels, layers=layers, final_norm=final_norm)


def _features(
    item: Prepared, outputs: LayerOutputs, row: int, layer: int, backbone: Backbone, filter_: str
) -> PatchFeatures:
    values = outputs.patches[layer][row].float().cpu().numpy()
    if not np.isfinite(values).all():
        raise InputError(
            f"{backbone.spec.name} gives NaN or infinite features for {item.photograph.name!r}"
            + ("" if backbone.dtype == torch.float32 else f" in {backbone.dtype}; try float32")
        )
    grid = item.grid
    if values.shape[:2] != grid.shape:  # an earlier stage of a ConvNeXt has smaller patches
        h, w = values.shape[:2]
        grid = PatchGrid(h, w, grid.patch_size * grid.h // h, grid.image_size)
    registers = outputs.registers[layer][row].float().cpu().numpy() if layer in outputs.registers else None
    return PatchFeatures(
        values=values,
        grid=grid,
        provenance=Provenance(
            image=item.photograph.name,
            image_digest=item.photograph.digest,
            backbone=backbone.spec.name,
            weights_digest=backbone.origin.digest,
            layer=layer,
            final_norm=outputs.final_norm,
            dtype=str(backbone.dtype).removeprefix("torch."),
            resize=filter_,
            mean=backbone.spec.mean,
            std=backbone.spec.std,
        ),
        cls=outputs.cls[layer][row].float().cpu().numpy() if layer in outputs.cls else None,
        registers=registers if registers is not None and len(registers) else None,
    )
