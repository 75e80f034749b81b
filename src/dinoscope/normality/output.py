"""What is not normal, as files and as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dinoscope import __version__
from dinoscope.atomic import write_bytes
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.verdicts import direction, with_ends
from dinoscope.io.json_files import json_text, write_json
from dinoscope.normality.figures.distances import plot_normal
from dinoscope.normality.judged import SCORES, Judged, JudgedModel
from dinoscope.normality.normal import Normal

SCHEMA_VERSION = 1
FILE, PICTURE = "normal.json", "normal.png"


def write_judged(judged: Judged, folder: Path) -> None:
    """`FILE` and `PICTURE`, each whole or not at all."""
    write_json(folder / FILE, judged_content(judged))
    write_bytes(folder / PICTURE, png_bytes(plot_normal(judged)))


def judged_content(judged: Judged) -> dict[str, object]:
    """What `FILE` holds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "settings": judged.settings,
        "models": [_model(model) for model in judged.models],
        "queries": [
            {
                "name": name,
                "kind": judged.kinds[i],
                "digest": judged.digests[i],
                "defective": judged.defective[i],
                "scores": {m.label: float(m.scores[i]) for m in judged.models},
                "in_bank": in_bank,
                "called_defective": {
                    m.label: None if in_bank else bool(m.scores[i] > m.threshold.photograph)
                    for m in judged.models
                },
            }
            for i, (name, in_bank) in enumerate(zip(judged.names, judged.in_bank, strict=True))
        ],
        "failures": judged.failures,
    }


def _model(model: JudgedModel) -> dict[str, object]:
    bank = model.bank
    return {
        "label": model.label,
        "control": model.control,
        "toy": model.kind == "toy",
        "weights": {"source": Path(model.origin.source).name, "digest": model.origin.digest},
        "layer": bank.provenance.layer,
        "bank": {
            "n_photographs": bank.n_photographs,
            "n_patches": bank.n_patches,
            "n_kept": len(bank.vectors),
            "coverage": bank.coverage,
            "search": _search(bank),
        },
        "threshold": model.threshold,
        "held_out_scores": bank.held_out[:, 0],
        "summaries": model.summaries,
        "differences": model.differences,
    }


def _search(bank: Normal) -> dict[str, object]:
    """How the nearest patch is found, and how often."""
    if bank.lists is None:
        return {"exact": True}
    lists = bank.lists
    return {
        "exact": False,
        "lists": lists.lists.partitions,
        "looked_into": lists.probes,
        "recall": lists.recall,
        "excess": lists.excess,
        "n_queries": lists.n_queries,
    }


def judged_json(judged: Judged) -> str:
    """`judged_content` as text."""
    return json_text(judged_content(judged))


def judged_text(judged: Judged) -> str:
    """One line for each model, and one for each query."""
    first, lines = judged.models[0], []
    rate = first.threshold.rate
    kept = f"{first.bank.n_photographs} normal photographs, {first.bank.n_patches:,} patches"
    if first.bank.lists is not None:
        kept += (
            f"; the nearest found for {100 * first.bank.lists.recall:.1f}% of {first.bank.lists.n_queries}"
        )
    lines.append(f"{kept}; threshold at a false-alarm rate of {100 * rate:.1f}%")
    new = ~np.array(judged.in_bank)
    for model in judged.models:
        called = int((model.scores > model.threshold.photograph)[new].sum())
        lines.append(f"{model.shown}: {called} of {new.sum()} called defective")
        for key, interval in model.summaries.items():
            beside = ""
            if key in model.differences:
                difference = model.differences[key]
                told = {1: "higher", -1: "lower", 0: "no difference that can be told"}[direction(difference)]
                beside = f"; minus {first.shown} {with_ends(difference, '+')}: {told}"
            lines.append(f"  {SCORES[key]} {with_ends(interval)}{beside}")
    lines.append("")
    for i, name in enumerate(judged.names):
        truth = {True: " (defective)", False: " (good)", None: ""}[judged.defective[i]]
        shares = "  ".join(
            f"{m.shown} {m.scores[i] / max(m.threshold.photograph, 1e-12):.2f}" for m in judged.models
        )
        said = f"in the bank, so this says nothing: {shares}" if judged.in_bank[i] else shares
        lines.append(f"{judged.kinds[i]}/{name}{truth}: {said}")
    lines.append("numbers: score over threshold; above 1 is called defective; in (brackets): controls")
    return "\n".join(lines)
