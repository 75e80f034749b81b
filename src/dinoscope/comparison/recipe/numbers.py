"""Numbers of a family, cell by cell."""

from __future__ import annotations

import math
from collections.abc import Mapping

from dinoscope.comparison.recipe.cell_names import cell_name, size_and_grid
from dinoscope.comparison.recipe.recipes import Pair, Recipe
from dinoscope.data.results import Interval, Measurements
from dinoscope.maths.intervals import paired_difference
from dinoscope.metrics.registry import range_of

Cells = Mapping[str, Measurements]
NOTHING = Interval(math.nan, math.nan, math.nan, 0)


def grids_of(cells: Cells) -> tuple[int, ...]:
    """Ascending."""
    return tuple(sorted({size_and_grid(cell)[1] for cell in cells}))


def sizes_of(recipe: Recipe, cells: Cells) -> tuple[str, ...]:
    """Those that are there, smallest first."""
    there = {size_and_grid(cell)[0] for cell in cells}
    return tuple(size for size in recipe.sizes if size in there)


def kind_of(recipe: Recipe, model: str) -> tuple[str, str]:
    """A model's kind and its size."""
    return recipe.kinds[model], next(size for size in recipe.sizes if model in recipe.models(size))


def of_model(cells: Cells, model: str, grid: int, key: str) -> Interval | None:
    """A model's mean over the photographs on a grid; None where it was not measured."""
    for cell, measured in cells.items():
        if size_and_grid(cell)[1] == grid and model in measured.models and key in measured.summaries:
            return measured.summaries[key][measured.models.index(model)]
    return None


def difference(cells: Cells, pair: Pair, grid: int, key: str) -> Interval:
    """A pair's difference on a grid, second minus first, by photograph; NaN where not measured."""
    measured = cells.get(cell_name(pair.size, grid))
    if (
        measured is None
        or key not in measured.values
        or not {pair.before, pair.after} <= set(measured.models)
    ):
        return NOTHING
    values = measured.values[key]
    before, after = (measured.models.index(model) for model in (pair.before, pair.after))
    return paired_difference(values[:, after], values[:, before], range_of(key)).interval
