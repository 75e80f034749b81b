"""What a choice may be said to show, by stated rules."""

from __future__ import annotations

from dinoscope.choice.choice import Choice
from dinoscope.data.results import FEWEST_TO_JUDGE
from dinoscope.drawing.verdicts import direction, with_ends
from dinoscope.metrics.registry import METRICS

TITLES = {"place_knn_miou": "k-NN mIoU of places", "place_linear_miou": "linear mIoU of places"}


def verdict(choice: Choice) -> str:
    """The best setting, its honest score, what cannot be told from it, and whether choosing was worth it."""
    best, cheap = choice.settings[choice.best], choice.settings[choice.recommended]
    title = title_of(choice.by)
    n = choice.honest.n
    units = "groups" if any(choice.groups) else "photographs"
    alike = sum(not d.interval.low > 0 for d in choice.from_best) - 1
    mean = choice.summaries[choice.by][choice.best].mean
    said = [
        f"Highest {title} on average: {best} ({mean:.3f}, which is too good: it was chosen for it). Chosen "
        f"without the {units} that it is scored on: {with_ends(choice.honest)}."
    ]
    default = choice.settings[choice.default]
    gain = with_ends(choice.gain.interval, "+")
    if n < FEWEST_TO_JUDGE:
        said.append(
            f"With {n} {units}, fewer than {FEWEST_TO_JUDGE}, no settings can be told apart. Against "
            f"{default}: {gain}, no direction is named."
        )
        return " ".join(said)
    if alike:
        seconds = choice.costs[choice.recommended].seconds
        said.append(
            f"{alike} other setting{'s' if alike > 1 else ''} cannot be told from it; the cheapest of all "
            f"these is {cheap} ({seconds:.2f} s a photograph)."
        )
    if direction(choice.gain.interval):
        way = "more" if direction(choice.gain.interval) > 0 else "less"
        said.append(f"Choosing gives {way} than {default}: {gain}.")
    else:
        said.append(f"Against {default}: {gain}, no difference that can be told.")
    return " ".join(said)


def title_of(key: str) -> str:
    """A metric's name within a sentence."""
    return TITLES[key] if key in TITLES else METRICS[key].short
