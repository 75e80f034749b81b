"""The monitor: looks at a model now and then while somebody else's loop trains it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dinoscope.comparison.masks import Masks
from dinoscope.data.features import PatchFeatures
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from dinoscope.errors import GridMismatchError, InputError
from dinoscope.monitoring.check import Check
from dinoscope.monitoring.held import HeldPhotographs, Triple
from dinoscope.monitoring.rule import advice, fall
from dinoscope.monitoring.run_files import RunFiles
from dinoscope.pipeline.extract import ImageLike

SHOWN = 3
"""Photographs whose maps are kept for the film strip."""


class Monitor:
    """Measures the dense features of a model every so many steps, and says since when they get worse.

    Training goes on bitwise as without it: the model is looked at in evaluation mode without gradients, left
    in the modes that it was in, and no random number is drawn.

    Args:
        photos: that the training does not learn from; 8 to 32 of them. Read now, and kept in memory. Or as
            they are held already, with their masks, grid and statistics.
        every: steps between looks.
        run: folder to write to, for `dinoscope watch`; None for none. One that holds checks goes on.
        masks: a folder of label images, or label images by name; without, the photographs' own edges and
            colours stand in, which are proxies.
        grid: patches on the short side.
        statistics: mean and std of the normalisation that the model is used to.
        warmup: steps of a network that starts at random, whose features are no reference for later ones.
        writer: anything with TensorBoard's ``add_scalar(name, value, step)``. A run of Weights & Biases that
            is open is told by itself.

    Raises:
        ImageError: a photograph cannot be used.
        NoUsablePhotographError: there is none.
        InputError: ``every`` below 1; masks, or a folder, that are none.
    """

    def __init__(
        self,
        photos: ImageLike | Iterable[ImageLike] | HeldPhotographs,
        every: int = 1000,
        *,
        run: str | Path | None = None,
        masks: Masks | None = None,
        grid: int = 16,
        statistics: tuple[Triple, Triple] = (IMAGENET_MEAN, IMAGENET_STD),
        warmup: int = 0,
        writer: Any = None,
    ) -> None:
        if every < 1:
            raise InputError(f"every must be 1 or more, got {every}")
        self.every, self.warmup = every, warmup
        self.photographs = (
            photos
            if isinstance(photos, HeldPhotographs)
            else HeldPhotographs(photos, grid, masks, statistics=statistics)
        )
        self.checks: list[Check] = []
        self._writer = writer
        self._files = None if run is None else RunFiles(run)
        self._first: list[PatchFeatures] | None = None
        if self._files is not None and self._files.rows.is_file():
            self.checks, self._first = self._files.checks(), self._files.first()
        self._goes_on = bool(self.checks)

    def update(self, model: Any, step: int) -> Check | None:
        """Looks, where the step is a multiple of ``every``; None where it is not.

        Args:
            model: what `dinoscope.training.tokens.tokens_of` understands and knows the patch size of; or
                the features of every photograph, such as `ds.extract` gives them.
            step: of the training; it only rises. The first one after a run was taken up may lie before checks
                of that run, which are then taken back.

        Raises:
            InputError: a step before the last check; a model of another architecture than at the first check;
                no patch tokens.
        """
        if step % self.every:
            return None
        if self._goes_on:
            self.checks = [check for check in self.checks if check.step < step]
            self._goes_on = False
        if self.checks and step <= self.checks[-1].step:
            raise InputError(f"step {step} comes after step {self.checks[-1].step}: steps only rise")
        made = isinstance(model, list | tuple) and all(isinstance(f, PatchFeatures) for f in model)
        features = list(model) if made else self.photographs.features(model)
        self._fits(features)
        check = self._checked(features, step)
        if self._first is None or not self.checks:
            self._first = features
            if self._files is not None:
                self._files.write_first(features)
        self.checks.append(check)
        if self._files is not None:
            self._files.write(self.checks, features[:SHOWN])
        self._tell(check)
        return check

    @property
    def maps(self) -> dict[int, list[PatchFeatures]]:
        """By step, the features of the first `SHOWN` photographs, for `plot_strip`.

        Raises:
            InputError: a monitor without a folder keeps none.
        """
        if self._files is None:
            raise InputError("maps are kept in the folder of a run: give run=")
        return self._files.maps(self.checks)

    @property
    def advice(self) -> str:
        """Whether an anchor to an earlier state would hold the model to something better than it is now."""
        return self.checks[-1].advice if self.checks else ""

    def _checked(self, features: Sequence[PatchFeatures], step: int) -> Check:
        if not all(np.isfinite(f.values).all() for f in features):
            unknown = tuple([float("nan")] * len(features))
            return Check(step, {}, unknown, unknown, f"NaN or infinite features at step {step}", finite=False)
        check = Check(step, *self.photographs.values(features, self._first))
        fallen = fall([*self.checks, check], warmup=self.warmup)
        check = replace(check, advice=advice([*self.checks, check], warmup=self.warmup))
        if fallen is None:
            return check
        best, said = fallen
        return replace(check, alarm=f"{said}; {check.advice}", falls_since=best.step)

    def _fits(self, features: Sequence[PatchFeatures]) -> None:
        shapes = self.photographs.shapes
        if len(features) != len(shapes):
            raise InputError(f"features of {len(features)} photographs, and {len(shapes)} are watched")
        for f, shape in zip(features, shapes, strict=True):
            if f.grid.shape != shape:
                raise GridMismatchError(f.grid.shape, shape, f"extract with grid={min(shape)}")
        if self._first is not None and features[0].dim != self._first[0].dim:
            raise InputError(
                f"the model has {features[0].dim} channels, and had {self._first[0].dim} at the first check: "
                "one monitor watches one architecture"
            )

    def _tell(self, check: Check) -> None:
        known = [q for q in check.quality if np.isfinite(q)]
        told = {f"dense/{key}": value for key, value in check.values.items()}
        told |= {"dense/quality": float(np.mean(known))} if known else {}
        told |= {"dense/alarm": float(bool(check.alarm))}
        if self._writer is not None:
            for name, value in told.items():
                self._writer.add_scalar(name, value, check.step)
        wandb = sys.modules.get("wandb")
        if wandb is not None and getattr(wandb, "run", None) is not None:
            wandb.log(told, step=check.step)
