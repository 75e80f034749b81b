"""Models beside themselves with a test-time register: what becomes of high-norm patches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from dinoscope.backbones.base import Backbone
from dinoscope.backbones.registers import as_repairable
from dinoscope.comparison.first import FirstPhotographs
from dinoscope.comparison.plan import unique_labels
from dinoscope.data.results import Comparison, LedgerEntry
from dinoscope.data.views import COLOURS, NORMS, CloserLook, View
from dinoscope.errors import BackboneError, InputError
from dinoscope.pipeline.extract import ImageLike, each_image
from dinoscope.pipeline.repair import N_PHOTOGRAPHS, Repair, repair
from dinoscope.pipeline.run import Run

REPAIRS = ("none", "registers")


@dataclass(frozen=True, slots=True, eq=False)
class Repaired:
    """Models to compare, and which of them are others repaired.

    Attributes:
        models: as given, each that was repaired followed by what became of it.
        layers: one for each.
        repairs: by the number of the model that a repair was tried on; its reason where it cannot be.
    """

    models: tuple[Backbone, ...]
    layers: tuple[int | None, ...]
    repairs: tuple[tuple[int, Repair | str], ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """A line for each model that a repair was tried on."""
        labels = unique_labels(self.models)
        return tuple(f"{labels[m]}: {_words(found)}" for m, found in self.repairs)

    def look(self, comparison: Comparison) -> tuple[CloserLook, ...]:
        """Norms and colours, before and after; nothing where no repair was asked for."""
        tried = [(m, found) for m, found in self.repairs if not isinstance(found, str)]
        if not tried:
            return ()
        rows = tuple(
            tuple(view for m, found in tried for view in _views(comparison, i, m, found))
            for i in range(min(N_PHOTOGRAPHS, len(comparison.photographs), len(tried[0][1].norms_before)))
        )
        told = (
            "Lengths of the last block's patches before the final norm, as multiples of the length from "
            f"which on they stand out (each model's own), on the photographs that the repair was fitted on. "
            f"{'; '.join(self.words)}. A test-time register (arXiv 2506.08010) takes what the neurons write "
            "that make such patches; no weight is trained. Colours and numbers of the repaired model stand "
            "beside its own everywhere on this page."
        )
        return (CloserLook("repair", "High-norm patches, repaired", told, rows),)

    def ledger(self) -> tuple[LedgerEntry, ...]:
        """The ledger's line on repairs, where a model was altered."""
        if not any(isinstance(found, Repair) and found.neurons for _, found in self.repairs):
            return ()
        detail = f"a test-time register moves high-norm tokens out of the patches; {'; '.join(self.words)}"
        return (LedgerEntry("Models are compared as they were published", False, f"{detail}."),)


def with_repaired(
    models: Sequence[Backbone],
    layers: Sequence[int | None] | None,
    images: ImageLike | Iterable[ImageLike],
    run: Run,
    how: str,
) -> tuple[Repaired, ImageLike | Iterable[ImageLike]]:
    """Each model that has high-norm patches, followed by itself with a test-time register.

    Args:
        models, layers: to be compared.
        images: the neurons are chosen on the first `N_PHOTOGRAPHS` that can be read.
        run: grid and resize.
        how: ``none`` or ``registers``.

    Returns:
        The models; and all images, in order.

    Raises:
        InputError: another way.
        BackboneError: none of the models can be given a register.
    """
    if how not in REPAIRS:
        raise InputError(f"no repair {how!r}; there are {', '.join(REPAIRS)}")
    asked = tuple(layers or [None] * len(models))
    if how == "none":
        return Repaired(tuple(models), asked), images
    for_all = [reason for model in models if (reason := _why_not(model))]
    if len(for_all) == len(models):
        raise BackboneError(for_all[0])
    source = FirstPhotographs(each_image(images))
    chosen = list(islice(source, N_PHOTOGRAPHS))
    every: Iterator[ImageLike] = source.all()
    found: list[tuple[Backbone, int | None]] = []
    repairs: list[tuple[int, Repair | str]] = []
    for model, layer in zip(models, asked, strict=True):
        found.append((model, layer))
        if not chosen:
            continue  # told when they are to be measured
        place = len(found) - 1
        reason = _why_not(model)
        done = None if reason else repair(model, chosen, grid=run.grid, resize=run.resize)
        repairs.append((place, done or reason))
        if done is not None and done.neurons:
            found.append((done.backbone, layer))
    return Repaired(tuple(m for m, _ in found), tuple(k for _, k in found), tuple(repairs)), every


def _why_not(model: Backbone) -> str:
    """Why a model cannot be repaired; empty where it can."""
    try:
        as_repairable(model)
    except BackboneError as error:
        return str(error)
    return ""


def _words(found: Repair | str) -> str:
    return found if isinstance(found, str) else found.words


def _views(comparison: Comparison, i: int, m: int, found: Repair) -> list[View]:
    label, after = comparison.models[m].label, m + 1 if found.neurons else m
    norms = [norm_maps[i] / found.threshold for norm_maps in (found.norms_before, found.norms_after)]
    longest = [f"longest {values.max():.2g}, median {np.median(values):.2g}" for values in norms]
    held = [comparison.maps[i][k].colours for k in (m, after)]
    below = "nothing to repair" if after == m else "as repaired"
    return [
        View(f"{label}: norms", NORMS, norms[0], longest[0]),
        View("norms, repaired", NORMS, norms[1], longest[1]),
        View(f"{label}: colours", COLOURS, held[0], "as it is"),
        View("colours, repaired", COLOURS, held[1], below),
    ]
