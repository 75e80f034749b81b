"""One page about a family: the plane, every metric, every pair, and what else differs between them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from dinoscope.atomic import write_text
from dinoscope.comparison import words
from dinoscope.comparison.recipe.cell_names import cell_name, size_and_grid
from dinoscope.comparison.recipe.figures import axes_of, plot_family, plot_pairs, plot_trends
from dinoscope.comparison.recipe.numbers import Cells, difference, grids_of, sizes_of
from dinoscope.comparison.recipe.recipes import Pair, Recipe
from dinoscope.drawing.html import plot
from dinoscope.drawing.pages import Section, fill, report_page
from dinoscope.drawing.verdicts import direction
from dinoscope.maths.intervals import by_chance
from dinoscope.metrics.registry import METRICS

_ROOM = "comparison/recipe/"


def family_html(recipe: Recipe, cells: Cells, *, notes: Sequence[str] = (), reports: bool = True) -> str:
    """The page.

    Args:
        recipe: which models.
        cells: by name, at least one.
        notes: what must be read beside.
        reports: whether each cell's own report lies in ``cells/NAME/report.html``.
    """
    keys = _metrics(cells)
    plane, pairs = plot_family(recipe, cells), plot_pairs(recipe, cells)
    trends = plot(plot_trends(recipe, cells, keys), "every metric against size and resolution")
    sections = [
        Section("plane", "Every model on the plane", _figure(plane, "every model on the plane")),
        Section("pairs", "Pair by pair", _figure(pairs, "every pair") + _tables(recipe, cells, keys)),
        Section("trends", "Against size and resolution", trends),
        Section("causes", "What else differs", _facts(recipe)),
        Section("cells", "The comparisons", _cells(cells) if reports else Markup("")),
    ]
    counts = sorted({len(measured.images) for measured in cells.values()})
    told = {
        "name": recipe.name,
        "sizes": ", ".join(sizes_of(recipe, cells)),
        "grids": ", ".join(map(str, grids_of(cells))),
        "photographs": " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1]))),
        "verdicts": family_verdict(recipe, cells),
        "notes": [recipe.note, *notes],
    }
    return report_page(f"{_ROOM}page.html", sections, told)


def write_family(recipe: Recipe, cells: Cells, out: Path, **more: object) -> Path:
    """Writes ``index.html``, whole or not at all; further arguments as for `family_html`."""
    path = out / "index.html"
    write_text(path, family_html(recipe, cells, **more))  # type: ignore[arg-type]
    return path


def family_verdict(recipe: Recipe, cells: Cells) -> list[str]:
    """For each pair, where its second model lies clearly above or below the first on the two axes."""
    keys = axes_of(cells) or ()
    told = []
    for pair in recipe.pairs:
        places = [(key, grid) for key in keys for grid in grids_of(cells)]
        found = {place: difference(cells, pair, place[1], place[0]) for place in places}
        known = {place: value for place, value in found.items() if not math.isnan(value.mean)}
        said = [
            f"{'above' if direction(value) > 0 else 'below'} in {METRICS[key].short} on grid {grid} "
            f"({words.fitting(value, sign='+')})"
            for (key, grid), value in known.items()
            if direction(value)
        ]
        if known:
            nothing = "no difference that can be told on either axis"
            told.append(f"{pair.after} against {pair.before}: {', '.join(said) or nothing}.")
    return told


def _figure(figure: object, what: str) -> Markup:
    return Markup("") if figure is None else plot(figure, what)  # type: ignore[arg-type]


def _metrics(cells: Cells) -> list[str]:
    """Keys that every cell has, in the order they are shown."""
    shared = set.intersection(*(set(measured.values) for measured in cells.values()))
    return [key for key in METRICS if key in shared]


def _tables(recipe: Recipe, cells: Cells, keys: Sequence[str]) -> Markup:
    tables = []
    for grid in grids_of(cells):
        pairs = [pair for pair in recipe.pairs if cell_name(pair.size, grid) in cells]
        rows = [
            [METRICS[key].short, *(_cell(cells, pair, grid, key) for pair in pairs)]
            for key in keys
            if any(not math.isnan(difference(cells, pair, grid, key).mean) for pair in pairs)
        ]
        head = ["", *(f"{pair.after} − {pair.before}" for pair in pairs)]
        chance = by_chance(len(rows) * len(pairs))
        tables.append({"grid": grid, "head": head, "rows": rows, "chance": chance})
    return fill(f"{_ROOM}pairs.html", tables=tables)


def _cell(cells: Cells, pair: Pair, grid: int, key: str) -> str:
    value = difference(cells, pair, grid, key)
    mark = {1: " ▲", -1: " ▼", 0: ""}[direction(value)]
    return words.fitting(value, sign="+") + mark


def _facts(recipe: Recipe) -> Markup:
    rows = [[fact.what, fact.before, fact.after, fact.differs] for fact in recipe.facts]
    return fill(f"{_ROOM}facts.html", head=["", "first", "second", "differs in pairs"], rows=rows)


def _cells(cells: Cells) -> Markup:
    listed = [
        {"name": name, "size": size_and_grid(name)[0], "grid": size_and_grid(name)[1], "n": len(m.images)}
        for name, m in cells.items()
    ]
    return fill(f"{_ROOM}cells.html", cells=listed)
