"""Several people's numbers as one, where they were measured on the same terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dinoscope.comparison import words
from dinoscope.comparison.recipe.cells import CELLS, METRICS
from dinoscope.comparison.tables.reading import measured_of, measurements_in, read_metrics
from dinoscope.data.results import Measurements
from dinoscope.errors import InputError
from dinoscope.names import readable

SAME = 1e-4
"""Values of one photograph in two runs may differ by as much: machines round otherwise."""

TOLD = 6


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """Runs that agree, photographs of all of them.

    Attributes:
        measured: numbers of every photograph once; what only a collection has cannot be combined.
        ledger: rules, whether they were met, and each run's words.
        details: of the models, as the first run has them.
        settings: of the first run.
        runs: names of those that are in it.
        left_out: why others are not, by their names.
        mask_kind: what the first run's masks are, and why, as its file says.
        notes: photographs of several runs whose numbers differ.
    """

    measured: Measurements
    ledger: tuple[Mapping[str, Any], ...]
    details: Any
    settings: Mapping[str, Any]
    runs: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]
    mask_kind: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def runs_of(folders: Sequence[Path]) -> dict[str, dict[str, dict[str, Any]]]:
    """What folders of comparisons and recipes hold: by cell (empty for a comparison's own), then by run.

    Raises:
        InputError: a folder without ``metrics.json``, or fewer than two folders.
    """
    if len(folders) < 2:
        raise InputError("combining needs at least two runs: name their folders")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for folder in folders:
        paths = {path.parent.name: path for path in sorted((folder / CELLS).glob(f"*/{METRICS}"))}
        if (folder / METRICS).is_file():
            paths[""] = folder / METRICS
        if not paths:
            raise InputError(
                f"{readable(folder)!r} holds no {METRICS} of a comparison, nor {CELLS} of a recipe"
            )
        for cell, path in paths.items():
            held = found.setdefault(cell, {})
            name, k = readable(folder.resolve().name), 2
            while name in held:
                name, k = f"{readable(folder.resolve().name)} ({k})", k + 1
            held[name] = read_metrics(path)
    return found


def combined(runs: Mapping[str, Mapping[str, Any]]) -> Combined:
    """Runs of one cell as one.

    Args:
        runs: contents of ``metrics.json`` by the run's name; the first sets the terms.

    Raises:
        InputError: none agrees with the first, with what differs; or the first has no ledger.
    """
    (first, content), *others = runs.items()
    if not content.get("ledger"):
        raise InputError(f"{first!r} has no ledger: `dinoscope compare` writes one, `measure` does not")
    wanted = terms(content)
    left_out: dict[str, tuple[str, ...]] = {}
    agreeing = {first: content}
    for name, other in others:
        differs = _differences(wanted, terms(other))
        if differs:
            left_out[name] = differs
        else:
            agreeing[name] = other
    if len(agreeing) < 2:
        said = "; ".join(f"{name}: {', '.join(differs[:TOLD])}" for name, differs in left_out.items())
        raise InputError(f"no run agrees with {first!r}. {said}")
    measured, notes = _merged({name: measurements_in(run) for name, run in agreeing.items()})
    ledger = tuple(
        {
            "rule": entry["rule"],
            "met": entry["met"],
            "detail": " | ".join(dict.fromkeys(run["ledger"][k]["detail"] for run in agreeing.values())),
        }
        for k, entry in enumerate(content["ledger"])
    )
    return Combined(
        measured,
        ledger,
        content["model_details"],
        content["settings"],
        tuple(agreeing),
        left_out,
        {key: content.get(key) for key in ("mask_kind", "mask_kind_because")},
        notes,
    )


def terms(content: Mapping[str, Any]) -> dict[str, str]:
    """What two runs must have in common, in words."""
    settings = content.get("settings", {})
    found = {"models": ", ".join(content["models"]), "masks are": str(content.get("mask_kind"))}
    found |= {name: str(settings.get(name)) for name in ("grid", "resize", "arithmetic")}
    controls = content.get("controls") or {}
    found["controls"] = ", ".join(controls.get("models", ()))
    for model in content.get("model_details", ()):
        label = model["label"]
        found[f"weights of {label}"] = str(model["weights"]["digest"])[:12]
        found[f"layer of {label}"] = str(model["layer"])
        found[f"arithmetic of {label}"] = str(model["dtype"])
    for entry in content.get("ledger", ()):
        met = {True: "met", False: "not met", None: "unknown"}[entry["met"]]
        found[f"“{entry['rule']}”"] = met
    return found


def _differences(wanted: Mapping[str, str], found: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name}: {found.get(name, 'not said')} instead of {wanted.get(name, 'not said')}"
        for name in dict.fromkeys((*wanted, *found))
        if wanted.get(name) != found.get(name)
    )


def _merged(runs: Mapping[str, Measurements]) -> tuple[Measurements, tuple[str, ...]]:
    place: dict[str, tuple[str, int]] = {}
    apart: dict[str, int] = {}
    for name, run in runs.items():
        for i, digest in enumerate(run.digests):
            if digest not in place:
                place[digest] = (name, i)
                continue
            known, j = place[digest]
            if not _same(runs[known], j, run, i):
                apart[name] = apart.get(name, 0) + 1
    kept = list(place.values())
    whole = _rows(runs, kept)
    if all(run.controls is not None for run in runs.values()):
        beside = {name: run.controls for name, run in runs.items() if run.controls is not None}
        rows = [(name, i) for name, i in kept if runs[name].digests[i] in beside[name].digests]
        held = [(name, beside[name].digests.index(runs[name].digests[i])) for name, i in rows]
        whole = replace(whole, controls=_rows(beside, held))
    notes = tuple(
        f"{words.count(n, 'photograph')} of {name} with other numbers in an earlier run, whose numbers count"
        for name, n in apart.items()
    )
    masks = ", ".join(dict.fromkeys(run.masks for run in runs.values() if run.masks))
    return replace(whole, masks=masks), (f"{len(runs)} runs: {', '.join(runs)}", *notes)


def _rows(runs: Mapping[str, Measurements], kept: Sequence[tuple[str, int]]) -> Measurements:
    first = next(iter(runs.values()))
    keys = [key for key in first.values if all(key in run.values for run in runs.values())]
    return measured_of(
        [(runs[name].images[i], runs[name].digests[i]) for name, i in kept],
        first.models,
        {key: np.stack([runs[name].values[key][i] for name, i in kept]) for key in keys},
        is_control=first.is_control,
    )


def _same(one: Measurements, i: int, other: Measurements, j: int) -> bool:
    keys = set(one.values) & set(other.values)
    return all(
        np.allclose(one.values[key][i], other.values[key][j], atol=SAME, rtol=SAME, equal_nan=True)
        for key in keys
    )
