"""`dinoscope compare --recipe` and `dinoscope combine`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.recipe.cells import Asked
from dinoscope.data.results import Measurements
from dinoscope.errors import InputError
from dinoscope.shell import options
from dinoscope.shell.commands import examples
from dinoscope.shell.option import argument
from dinoscope.shell.panels import INPUT


def run_recipe(
    name: str,
    sizes: str,
    grids: str,
    asked: Asked,
    out: Path,
    *,
    load: Callable[[str, int], Backbone],
    as_json: bool,
) -> Path:
    """Measures the family, and writes its page; ends with 1 where photographs were left out."""
    from dinoscope.comparison.recipe.cells import read_cells, run_cells
    from dinoscope.comparison.recipe.page import family_verdict, write_family
    from dinoscope.comparison.recipe.recipes import find_recipe
    from dinoscope.data.results import Failure
    from dinoscope.shell.terminal import note, read_ints, read_words, tell
    from dinoscope.strict_json import strict_json

    recipe = find_recipe(name)
    failures: list[Failure] = []
    listen = note(failures)
    told: set[str] = set()

    def failed(failure: Failure) -> None:
        if failure.source not in told:
            told.add(failure.source)
            listen(failure)

    run_cells(
        recipe,
        read_words(sizes) or recipe.sizes,
        read_ints(grids, "--grids"),
        asked,
        out,
        load=load,
        on_cell=lambda cell: tell(f"{cell}: measuring"),
        on_failure=failed,
    )
    cells = read_cells(out)
    page = write_family(recipe, cells, out)
    verdict = family_verdict(recipe, cells)
    if as_json:
        print(strict_json({"recipe": name, "cells": list(cells), "verdict": verdict, "page": page}))
    else:
        print("\n".join([*verdict, "", recipe.note, "", f"page: {page}"]))
    if failures:
        raise typer.Exit(1)
    return page


@examples("dinoscope combine mine/ theirs/ -o together", "dinoscope combine runs/* -o together --json")
def combine_command(
    runs: Annotated[list[Path], argument("Folders that `compare`, or its --recipe, wrote.", INPUT)],
    *,
    out: options.OutFolder,
    as_json: options.Json = False,
) -> None:
    """Combine the numbers of several comparisons where their ledgers agree, and say what differed.

    Ends with 1 where a run was left out.
    """
    from dinoscope.comparison.recipe.combine import Combined, combined, runs_of
    from dinoscope.comparison.recipe.combined_files import write_combined
    from dinoscope.comparison.recipe.page import write_family
    from dinoscope.comparison.recipe.recipes import RECIPES
    from dinoscope.comparison.words import count
    from dinoscope.shell.paths import check_folders, check_out
    from dinoscope.strict_json import strict_json

    check_folders(runs, "run")
    check_out(out)
    done: dict[str, Combined] = {}
    refused: dict[str, str] = {}
    for cell, held in runs_of(runs).items():
        try:
            if len(held) < 2:
                raise InputError("only one run has it")
            done[cell] = combined(held)
        except InputError as error:
            refused[cell] = str(error)
    if not done:
        raise InputError("nothing to combine: " + "; ".join(_named(c, said) for c, said in refused.items()))
    for cell, found in done.items():
        write_combined(found, out / "cells" / cell if cell else out)
    family = {cell: found.measured for cell, found in done.items() if cell}
    recipe = next((r for r in RECIPES.values() if _fits(family.values(), r.kinds)), None)
    notes = list(dict.fromkeys(note for found in done.values() for note in found.notes))
    page = write_family(recipe, family, out, notes=notes, reports=False) if recipe and family else None
    told = {
        "cells": {
            cell: {"runs": f.runs, "left_out": f.left_out, "notes": f.notes} for cell, f in done.items()
        },
        "refused": refused,
        "page": page,
    }
    if as_json:
        print(strict_json(told))
    else:
        for cell, found in done.items():
            print(
                _named(cell, f"{count(len(found.measured.images), 'photograph')} of {', '.join(found.runs)}")
            )
            for note in found.notes[1:]:  # the first names the runs
                print(f"  {note}")
            for name, differs in found.left_out.items():
                print(f"  left out {name}: {', '.join(differs)}")
        for cell, said in refused.items():
            print(_named(cell, said))
        print(f"\n{'page' if page else 'numbers'}: {page or out}")
    if refused or any(found.left_out for found in done.values()):
        raise typer.Exit(1)


def _named(cell: str, said: str) -> str:
    return f"{cell}: {said}" if cell else said


def _fits(measured: Iterable[Measurements], kinds: Mapping[str, str]) -> bool:
    models = {model for one in measured for model in one.models}
    return bool(models) and models <= set(kinds)
