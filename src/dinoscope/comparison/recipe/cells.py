"""Every size at every resolution, one after the other; what is done is not done again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dinoscope.atomic import write_text
from dinoscope.backbones.base import Backbone
from dinoscope.comparison.compare import compare
from dinoscope.comparison.masks import Masks, open_masks
from dinoscope.comparison.measure import measure
from dinoscope.comparison.recipe.cell_names import cell_name, size_and_grid
from dinoscope.comparison.recipe.recipes import Recipe
from dinoscope.comparison.report.report import write_report
from dinoscope.comparison.tables.files import comparison_json
from dinoscope.comparison.tables.reading import measurements_in, read_metrics
from dinoscope.data.results import Failure, Measurements
from dinoscope.errors import InputError
from dinoscope.names import readable
from dinoscope.pipeline.extract import ImageLike

CELLS = "cells"
METRICS = "metrics.json"
SHOWN = 4
"""Photographs whose maps a cell's report shows, and on which its ledger is judged."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What all cells share.

    Attributes:
        photographs: files.
        masks, mask_kind, controls, resize, seed: as for `dinoscope.measure`.
    """

    photographs: Sequence[Path]
    masks: Masks | Sequence[Masks] | None = None
    mask_kind: str | None = None
    controls: bool = True
    resize: str = "bilinear"
    seed: int = 0

    @property
    def digest(self) -> str:
        """A digest of the photographs as files, and of everything that decides the numbers."""
        files = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in self.photographs if p.is_file()]
        masks = [(m.name, m.digest) for m in open_masks(self.masks, self.mask_kind)]
        words = repr((files, masks, self.mask_kind, self.controls, self.resize, self.seed))
        return hashlib.sha256(words.encode("utf-8", "surrogateescape")).hexdigest()


def run_cells(
    recipe: Recipe,
    sizes: Sequence[str],
    grids: Sequence[int],
    asked: Asked,
    out: Path,
    *,
    load: Callable[[str, int], Backbone],
    on_cell: Callable[[str], None] = lambda _: None,
    on_failure: Callable[[Failure], None],
) -> None:
    """Measures every size on every grid, each into ``out/cells/SIZE-GRID``; resumable at any photograph.

    A cell's ``metrics.json`` is that of a comparison of all photographs; its ``report.html`` shows `SHOWN`
    of them, on which its ledger is judged.

    Args:
        recipe: which models.
        sizes: of those of the recipe.
        grids: patches on the short side.
        asked: what is measured.
        out: folder.
        load: a model by its name, for a grid; asked for when its size's turn has come.
        on_cell: called with the name of each cell before it is measured.
        on_failure: called with each photograph left out.

    Raises:
        InputError: sizes that the recipe does not have, no grid.
        UnknownBackboneError, WeightsError: as `load_backbone`.
    """
    unknown = [size for size in sizes if size not in recipe.sizes]
    if unknown or not sizes or not grids:
        raise InputError(f"{recipe.name} has sizes {', '.join(recipe.sizes)}; and it needs a grid")
    digest = asked.digest
    for size in sizes:
        models: list[Backbone] = []
        for grid in grids:
            cell = cell_name(size, grid)
            if _is_done(out / CELLS / cell / METRICS, digest):
                continue
            on_cell(cell)
            models = models or [load(name, max(grids)) for name in recipe.models(size)]
            _run_cell(models, grid, asked, out / CELLS / cell, digest, on_failure)


def read_cells(out: Path) -> dict[str, Measurements]:
    """Every cell that is done, by its name, small sizes and coarse grids first.

    Raises:
        InputError: none.
    """
    found = {path.parent.name: read_metrics(path) for path in (out / CELLS).glob(f"*/{METRICS}")}
    if not found:
        raise InputError(f"{str(out)!r} holds no cells of a recipe")
    return {name: measurements_in(found[name]) for name in sorted(found, key=_place)}


def _place(cell: str) -> tuple[int, int]:
    size, grid = size_and_grid(cell)
    return ("SBL".find(size), grid)


def _is_done(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    settings: Mapping[str, Any] = read_metrics(path).get("settings", {})
    return settings.get("asked") == digest


def _run_cell(
    models: Sequence[Backbone],
    grid: int,
    asked: Asked,
    folder: Path,
    digest: str,
    on_failure: Callable[[Failure], None],
) -> None:
    failures: list[Failure] = []

    def failed(failure: Failure) -> None:
        failures.append(failure)
        on_failure(failure)

    folder.mkdir(parents=True, exist_ok=True)
    every: list[ImageLike] = list(asked.photographs)
    measured = measure(
        every,
        models,
        grid,
        masks=asked.masks,
        mask_kind=asked.mask_kind,
        controls=asked.controls,
        journal=folder / "rows.jsonl",
        resize=asked.resize,
        seed=asked.seed,
        on_failure=failed,
    )
    failed_ones = {failure.source for failure in failures}
    good = [p for p in asked.photographs if readable(p) not in failed_ones] or list(asked.photographs)
    shown: list[ImageLike] = [
        good[i] for i in np.unique(np.linspace(0, len(good) - 1, SHOWN).round().astype(int))
    ]
    few = compare(
        shown,
        models,
        grid,
        masks=asked.masks,
        mask_kind=asked.mask_kind,
        controls=False,
        resize=asked.resize,
        seed=asked.seed,
        on_failure=lambda _: None,
    )
    write_report(few, folder / "report.html")
    settings = dict(few.settings) | {"asked": digest, "ledger_of_photographs": len(few.photographs)}
    whole = replace(few, measurements=measured, failures=tuple(failures), settings=settings)
    write_text(folder / METRICS, comparison_json(whole))
