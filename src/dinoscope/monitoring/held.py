"""The photographs that a training is watched on: read once, kept in memory, shown at every check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.masks import Masks, open_masks
from dinoscope.comparison.numbers import seen_on
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from dinoscope.errors import DinoscopeError, InputError, NoUsablePhotographError
from dinoscope.io.resize import resize_pixels
from dinoscope.maths.patches import prepared
from dinoscope.maths.spectrum import effective_rank
from dinoscope.metrics.registry import COLLECTION, PHOTOGRAPH
from dinoscope.metrics.subject import Collection, Seen, Subject
from dinoscope.monitoring.check import KEYS, quality_keys
from dinoscope.pipeline.extract import ImageLike, OnFailure, each_image, load_photograph
from dinoscope.pipeline.photographs import report
from dinoscope.training.tokens import bare, patch_px_of, tokens_of

Triple = tuple[float, float, float]


class HeldPhotographs:
    """Photographs with their masks, on a grid of so many patches on the short side.

    Args:
        photos: files that vanish later do no harm.
        grid: patches on the short side.
        masks: as `ds.measure` takes them, of one person; None for none.
        statistics: mean and std of the normalisation that the model is used to.
        on_failure: called with each photograph that cannot be used, which is then left out. None raises.

    Raises:
        NoUsablePhotographError: none is left.
        InputError: masks that are none.
    """

    def __init__(
        self,
        photos: ImageLike | Iterable[ImageLike],
        grid: int,
        masks: Masks | None = None,
        *,
        statistics: tuple[Triple, Triple] = (IMAGENET_MEAN, IMAGENET_STD),
        on_failure: OnFailure | None = None,
    ) -> None:
        self.photographs: list[Photograph] = []
        for image in each_image(photos):
            try:
                self.photographs.append(load_photograph(image))
            except DinoscopeError as error:
                report(image, error, on_failure)
        if not self.photographs:
            raise NoUsablePhotographError("no photograph to watch the training on")
        people = open_masks(masks)
        self.masked = bool(people)
        self._mean, self._std = statistics
        self._grids = [PatchGrid.fit(p.size, 1, grid=grid) for p in self.photographs]
        self._seen = [
            seen_on(g, p, annotation=people[0].read(p, _ignored) if people else None)
            for g, p in zip(self._grids, self.photographs, strict=True)
        ]
        self._pixels: dict[int, list[Tensor]] = {}

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """``(h, w)`` of every photograph."""
        return [grid.shape for grid in self._grids]

    def features(self, model: Any) -> list[PatchFeatures]:
        """What a model makes of each, in evaluation mode; it is left as it was found.

        Raises:
            InputError: its patch size is not known, or it gives no patch tokens or another grid.
        """
        side = patch_px_of(bare(model))
        if side is None:
            raise InputError(
                f"the patch size of {type(model).__name__} is not known (no patch_size of its own or of its "
                "config): update with features instead, such as those of ds.extract"
            )
        device = model.device if isinstance(model, Backbone) else _device(model)
        found = []
        with _evaluating(model), torch.no_grad():
            for pixels, grid in zip(self._sized(side), self._grids, strict=True):
                seen = tokens_of(model, pixels[None].to(device))
                if seen.grid != grid.shape:
                    raise InputError(f"the model gives a grid of {seen.grid} where {grid.shape} was shown")
                values = seen.patches[0].float().cpu().numpy().reshape(*grid.shape, -1)
                cls = None if seen.cls is None else seen.cls[0].float().cpu().numpy()
                found.append(_features(values, grid, cls))
        return found

    def values(
        self, features: Sequence[PatchFeatures], first: Sequence[PatchFeatures] | None
    ) -> tuple[dict[str, float], tuple[float, ...], tuple[float, ...]]:
        """Means of `KEYS`, and every photograph's quality and effective rank.

        Args:
            features: of every photograph.
            first: those of the run's first check; None for the first itself.
        """
        table: dict[str, list[float]] = {}
        for number, (f, seen) in enumerate(zip(features, self._seen, strict=True)):
            reference = None if first is None else first[number]
            for key, value in _numbers(f, seen, reference, masked=self.masked).items():
                table.setdefault(key, []).append(value)
        means = {key: float(np.nanmean(row)) for key, row in table.items() if np.isfinite(row).any()}
        for family in COLLECTION:
            if any(metric.key in KEYS for metric in family.metrics):
                found = family.measure(Collection([prepared(f) for f in features]))
                means |= {key: value for key, value in found.items() if key in KEYS and np.isfinite(value)}
        tokens = [f.cls for f in features if f.cls is not None]
        if len(tokens) == len(features) > 1:
            means["cls_rank"] = effective_rank(np.stack(tokens))
        axes = [table[key] for key in quality_keys(masked=self.masked)]
        quality = tuple(float(q) for q in np.mean(axes, axis=0))
        return {key: means[key] for key in KEYS if key in means}, quality, tuple(table["effective_rank"])

    def _sized(self, side: int) -> list[Tensor]:
        if side not in self._pixels:
            mean, std = (torch.tensor(t).view(3, 1, 1) for t in (self._mean, self._std))
            self._pixels[side] = [
                (resize_pixels(p, (g.h * side, g.w * side), "bilinear") - mean) / std
                for p, g in zip(self.photographs, self._grids, strict=True)
            ]
        return self._pixels[side]


def _numbers(
    features: PatchFeatures, seen: Seen, first: PatchFeatures | None, *, masked: bool
) -> dict[str, float]:
    subject = Subject(prepared(features), seen, features.cls, first)
    found: dict[str, float] = {}
    for family in PHOTOGRAPH:
        if any(m.key in KEYS and (masked or not m.needs_masks) for m in family.metrics):
            found |= family.measure(subject)
    return {key: float(value) for key, value in found.items() if key in KEYS}


def _features(values: np.ndarray, grid: PatchGrid, cls: np.ndarray | None) -> PatchFeatures:
    """NaN and infinite values stay what they are: they are for the check to find."""
    made = PatchFeatures.from_array(np.zeros_like(values), image_size=grid.image_size, name="watched")
    return replace(made, values=values, cls=cls)


def _device(model: Any) -> torch.device:
    inside = bare(model)
    first = next(inside.parameters(), None) if isinstance(inside, nn.Module) else None
    return torch.device("cpu") if first is None else first.device


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Every module in evaluation mode, and as it was afterwards."""
    inside = bare(model)
    modes = {m: m.training for m in inside.modules()} if isinstance(inside, nn.Module) else {}
    try:
        for module in modes:
            module.training = False
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _ignored(_: object) -> None:
    """A photograph without its mask is measured without one; quality is then undefined for it."""
