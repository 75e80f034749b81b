"""Comparisons made again and again as photographs come and go: no photograph is extracted twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.compare import assemble
from dinoscope.comparison.maps import DEFAULT_MAPS, MapOptions
from dinoscope.comparison.measuring import check_equal_grids, measurements_of, raise_failure
from dinoscope.comparison.plan import MeasuringPlan, as_backbones, plan_for
from dinoscope.comparison.sample import Features
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Comparison
from dinoscope.errors import InputError
from dinoscope.io.images import PREVIEW_PX, preview
from dinoscope.pipeline.extract import extracted
from dinoscope.pipeline.memory import check_grid, check_memory
from dinoscope.pipeline.run import AS_LOADED, DEFAULT_RUN, Arithmetic, Run

KEPT_BYTES = 2 * 2**30
"""Features kept before those of other grids are let go, least recently used first."""

PREVIEW_BYTES = 2**30
"""Previews kept, about 340 of the largest; a photograph beyond that is refused."""


class Session:
    """Features by content of the photograph and grid, and comparisons of any choice of them.

    One thread adds at a time; comparisons may be made and photographs forgotten beside it. Holds features and
    previews, never a photograph's full pixels.

    Args:
        backbones: one or more, or names of some; the first is the reference of differences and colours.
        run: how photographs become features, but for the grid.
        arithmetic: of all models; proven on the first photograph.
        options: what the maps show.
        layers: one for each backbone; None for the last.
        kept_bytes: of features; those of the grid being extracted are never let go.
        preview_bytes: of previews; these are let go by `forget` alone.
    """

    def __init__(
        self,
        backbones: Backbone | str | Sequence[Backbone | str],
        run: Run = DEFAULT_RUN,
        arithmetic: Arithmetic = AS_LOADED,
        options: MapOptions = DEFAULT_MAPS,
        *,
        layers: Sequence[int | None] | None = None,
        kept_bytes: int = KEPT_BYTES,
        preview_bytes: int = PREVIEW_BYTES,
    ) -> None:
        models = as_backbones(backbones)
        options.check(models)
        self._plan = plan_for(models, replace(run, grid=1), layers)
        self._arithmetic = arithmetic
        self._is_proven = False
        self._options = options
        self._kept_bytes = kept_bytes
        self._preview_bytes = preview_bytes
        self._rows: OrderedDict[tuple[str, int], Features] = OrderedDict()
        self._previews: dict[str, Photograph] = {}
        self._lock = threading.RLock()

    def check(self, grid: int) -> None:
        """Refuse a grid that is impossible for any photograph.

        Raises:
            InputError: below 1, or too large for the memory there is.
        """
        for model in self._plan.models:
            check_grid(model.spec, grid)

    def has(self, digest: str, grid: int) -> bool:
        """Whether the photograph of this content needs no extraction at this grid."""
        return (digest, grid) in self._rows

    def add(
        self,
        photograph: Photograph,
        grid: int,
        on_progress: Callable[[int, int], None] = lambda done, of: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Extract one photograph by every model, unless that was done before.

        Args:
            grid: patches on the short side.
            on_progress: called with how many of how many models are done.
            cancelled: asked before each model.

        Returns:
            Whether the features are there now; False only where ``cancelled`` said so, and then nothing
            is kept.

        Raises:
            InputError: an impossible grid, a photograph that a model cannot use, no room for one more, or a
                way of computing that is too far from float32.
        """
        key = (photograph.digest, grid)
        with self._lock:
            if key in self._rows:
                self._rows.move_to_end(key)
                return True
        self.check(grid)
        self._check_room(photograph, grid)
        seen = self._previews.get(photograph.digest) or self._fitting_preview(photograph)
        plan = self.plan(grid)
        if not self._is_proven:
            plan, _ = plan.proven(self._arithmetic, [photograph])
            self._plan, self._is_proven = plan, True
        features: list[PatchFeatures] = []
        for model, layer in zip(plan.models, plan.layers, strict=True):
            if cancelled():
                return False
            on_progress(len(features), len(plan.models))
            features += extracted([photograph], model, plan.run.at(layer))
        check_equal_grids(features)
        with self._lock:
            self._rows[key] = tuple(features)
            self._previews[photograph.digest] = seen
            self._let_go(grid)
        on_progress(len(features), len(plan.models))
        return True

    def comparison(self, digests: Sequence[str], grid: int) -> Comparison:
        """Compare photographs added before, in this order; equal to `compare` of the same
        without controls.

        Raises:
            InputError: none is named, or one was not added at this grid.
        """
        if not digests:
            raise InputError("there is no photograph to compare")
        plan, digests = self.plan(grid), list(dict.fromkeys(digests))
        with self._lock:
            rows = self.features(digests, grid)
            photographs = [self._previews[digest] for digest in digests]
        stream = zip(photographs, rows, strict=True)
        measurements = measurements_of(stream, plan, failed=raise_failure)
        return assemble(plan, photographs, rows, measurements, self._options)

    def features(self, digests: Sequence[str], grid: int) -> list[Features]:
        """Features of photographs added before, a row each, models in their order.

        Raises:
            InputError: one was not added at this grid.
        """
        with self._lock:
            missing = [digest for digest in digests if not self.has(digest, grid)]
            if missing:
                raise InputError(
                    f"{len(missing)} of {len(digests)} photographs were not extracted at grid {grid}"
                )
            for digest in digests:
                self._rows.move_to_end((digest, grid))
            return [self._rows[digest, grid] for digest in digests]

    def plan(self, grid: int) -> MeasuringPlan:
        """Models, their labels and layers, and how photographs become features at this grid."""
        return replace(self._plan, run=replace(self._plan.run, grid=grid))

    def forget(self, digest: str) -> None:
        """Let go of everything about one photograph; nothing happens where there is none."""
        with self._lock:
            for key in [key for key in self._rows if key[0] == digest]:
                del self._rows[key]
            self._previews.pop(digest, None)

    def _check_room(self, photograph: Photograph, grid: int) -> None:
        needed = sum(
            PatchGrid.fit(photograph.size, model.spec.patch_size, grid=grid).n * model.spec.dim * 4
            for model in self._plan.models
        )
        check_memory(needed, f"keeping the features of {photograph.name!r}", "Ask for a smaller grid.")

    def _fitting_preview(self, photograph: Photograph) -> Photograph:
        seen = preview(photograph, longest_px=PREVIEW_PX)
        held = sum(kept.pixels.nbytes for kept in list(self._previews.values()))
        if held + seen.pixels.nbytes > self._preview_bytes:
            raise InputError(
                f"{len(self._previews)} photographs are held already, and there is no room for one more; "
                "take some away first"
            )
        return seen

    def _let_go(self, grid: int) -> None:
        held = sum(_bytes(row) for row in self._rows.values())
        for key in [key for key in self._rows if key[1] != grid]:
            if held <= self._kept_bytes:
                return
            held -= _bytes(self._rows.pop(key))


def _bytes(row: Features) -> int:
    return sum(features.values.nbytes for features in row)
