"""A choice as files and as text."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from dinoscope import __version__
from dinoscope.atomic import write_bytes
from dinoscope.backbones.bundled import kind_of
from dinoscope.choice.choice import Choice
from dinoscope.choice.figures.pareto import plot_choice
from dinoscope.choice.words import title_of, verdict
from dinoscope.data.spec import kind_flags
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.text_table import text_table, wrapped
from dinoscope.drawing.verdicts import with_ends
from dinoscope.io.json_files import json_text, write_json

SCHEMA_VERSION = 1
FILE, PICTURE = "choose.json", "choose.png"
HEADS = {
    "place_knn_miou": "k-NN",
    "place_linear_miou": "linear",
    "boundary_auc": "boundary",
    "matched_coherence_auc": "coherence",
}
"""Titles of the text's columns."""

MOST = 12
"""Settings that the text lists, best first."""


def write_choice(choice: Choice, folder: Path) -> None:
    """`FILE` and `PICTURE`, each whole or not at all."""
    write_json(folder / FILE, choice_content(choice))
    write_bytes(folder / PICTURE, png_bytes(plot_choice(choice)))


def choice_content(choice: Choice) -> dict[str, object]:
    """What `FILE` holds."""
    pareto = choice.pareto()
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "models": [
            {"label": label, **kind_flags(kind_of(label))}
            for label in dict.fromkeys(setting.model for setting in choice.settings)
        ],
        "by": choice.by,
        "best": asdict(choice.settings[choice.best]),
        "honest": choice.honest,
        "chosen_without_each_fold": [asdict(choice.settings[s]) for s in choice.chosen],
        "recommended": asdict(choice.settings[choice.recommended]),
        "default": asdict(choice.settings[choice.default]),
        "gain_over_default": choice.gain,
        "verdict": verdict(choice),
        "settings": [
            {
                **asdict(setting),
                "cost": choice.costs[s],
                "pareto": s in pareto,
                "summaries": {key: row[s] for key, row in choice.summaries.items()},
                "best_minus_this": choice.from_best[s],
            }
            for s, setting in enumerate(choice.settings)
        ],
        "images": choice.images,
        "groups": choice.groups,
        "values": choice.values,
        "failures": choice.failures,
    }


def choice_json(choice: Choice) -> str:
    """`choice_content` as text."""
    return json_text(choice_content(choice))


def choice_text(choice: Choice) -> str:
    """The verdict, and the best settings with their scores and costs."""
    keys = sorted(choice.summaries, key=lambda key: (key != choice.by, list(HEADS).index(key)))
    order = sorted(range(len(choice.settings)), key=lambda s: -choice.summaries[choice.by][s].mean)
    pareto, rows = choice.pareto(), []
    for s in order[:MOST]:
        cost = choice.costs[s]
        rows.append(
            [
                f"{'*' if s in pareto else ' '} {choice.settings[s]}",
                *(f"{choice.summaries[key][s].mean:.3f}".replace("nan", "-") for key in keys),
                f"{cost.seconds:.2f}",
                f"{cost.n_bytes / 2**20:.0f}",
                with_ends(choice.from_best[s].interval, "+"),
            ]
        )
    header = ["setting", *(HEADS[key] for key in keys), "s", "MiB", "best minus this"]
    listed = [wrapped(verdict(choice)), "", text_table(rows, header, right=range(1, len(header) - 1))]
    if len(order) > MOST:
        listed.append(f"  and {len(order) - MOST} more")
    names = ", ".join(f"{HEADS[key]}: {title_of(key)}" for key in keys)
    listed += [
        wrapped(names),
        "* no cheaper setting is as good; seconds are of the pass that gives all layers",
    ]
    return "\n".join(listed)
