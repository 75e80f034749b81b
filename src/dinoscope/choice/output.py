"""A choice as files and as text."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from dinoscope import __version__
from dinoscope.atomic import write_bytes
from dinoscope.choice.choice import Choice
from dinoscope.choice.figures.pareto import plot_choice
from dinoscope.choice.words import shown, title_of, verdict
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.io.json_files import json_text, write_json

SCHEMA_VERSION = 1
FILE, PICTURE = "choose.json", "choose.png"
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
    keys = list(choice.summaries)
    order = sorted(range(len(choice.settings)), key=lambda s: -choice.summaries[choice.by][s].mean)
    pareto, listed = choice.pareto(), [verdict(choice), ""]
    for s in order[:MOST]:
        scores = "  ".join(f"{title_of(key)} {choice.summaries[key][s].mean:.3f}" for key in keys)
        cost = choice.costs[s]
        mark = "*" if s in pareto else " "
        listed.append(
            f"{mark} {choice.settings[s]}: {scores}; {cost.seconds:.2f} s, {cost.n_bytes / 2**20:.0f} MiB; "
            f"best minus this {shown(choice.from_best[s].interval, '+')}"
        )
    if len(order) > MOST:
        listed.append(f"  and {len(order) - MOST} more")
    listed.append("* no cheaper setting is as good; seconds are of the pass that gives all layers")
    return "\n".join(listed)
