"""Writes the page of the confirmatory experiment from its scores, by the rules that were set before.

python -m experiments.confirmatory.page SCORES.jsonl [--out docs/gram-experiment/confirmatory.md]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.plots import svg_bytes
from experiments.confirmatory.figure import differences_figure
from experiments.confirmatory.measure import (
    ANOTHER,
    ARMS,
    BLURRED,
    HUMANS,
    LAST,
    PIXELS,
    RANDOM,
    SECONDARY,
    TEACHER,
)
from experiments.confirmatory.rules import (
    CLASS_TOKEN,
    CREDITED,
    PRIMARY,
    RIVALS,
    THRESHOLD,
    Estimate,
    Verdict,
    credit,
    degradation,
    estimate,
    power,
)
from experiments.confirmatory.table import Table, read_table
from experiments.confirmatory.train import ARM_STEPS, STEPS

OUT = Path(__file__).resolve().parents[2] / "docs" / "gram-experiment" / "confirmatory.md"
TITLES = {
    "matched_coherence_auc": "P1 matched coherence",
    "boundary_auc_pure": "P2 boundary AUC",
    "coherence_over_floor": "coherence over its floor",
    "standardised_matched_coherence_auc": "P1, standardised channels",
    "standardised_boundary_auc_pure": "P2, standardised channels",
    "without_position_matched_coherence_auc": "P1 without place",
    "without_position_boundary_auc_pure": "P2 without place",
    "position_r2": "position R²",
    "effective_rank": "effective rank",
    "cls_knn": "class-token k-NN",
}
PICTURE = "confirmatory.svg"
SHORT = dict(zip(PRIMARY, ("P1", "P2"), strict=True))
RIVAL_WORDS = {
    "continue": "going on without an anchor",
    "feature-mse": "held to the same teacher's features",
    "gram-x1-random": "to the Gram matrix of random weights",
    "gram-x1-blurred": "to that of the blurred teacher",
}
ON_SCENES = f"scenes_{PRIMARY[0]}"
PLACES = {"camvid": "CamVid's classes", "scenes": "scenes' objects"}
HEAD = """# The confirmatory experiment

<!-- Written by `python -m experiments.confirmatory.page`: do not edit. -->

Asked and answered by [rules set before the first run](../decisions/0008-confirmatory-experiment.md):
{n} trunks of {steps:,} steps and six arms of {arm_steps} from each, scored on the last 150 photographs of the
BSDS500 test part against four people's segmentations. The trunk is the unit; intervals are Student's t over
trunks. What came before is [exploratory](index.md).

P1, *matched coherence*: the chance that two patches of one region are more alike than two of different
regions as far apart. P2, *boundary AUC*: the chance that neighbours across a region's border differ more than
neighbours inside one. For both 0.5 is chance, and people's own segmentations score {people}."""
CANNOT = """## What it cannot say

Nothing about released models: the DINOv3 networks below 7 billion parameters were distilled from a
Gram-anchored teacher and never anchored themselves. No difference between DINOv2 and DINOv3 is explained
here."""


def page(table: Table) -> str:
    """The page as Markdown."""
    fell, falls = _degradation(table)
    credited, gains = _credit(table)
    parts = [
        HEAD.format(n=len(table.trunks), steps=STEPS, arm_steps=ARM_STEPS, people=_people(table)),
        _answers(fell, credited),
        _in_words(falls, gains),
        f"![Differences of every trunk in both outcomes, with mean, interval and threshold]({PICTURE})",
        _prediction(fell, credited, gains),
        _diverged(table),
        "## R1: does the end of training fall behind its beginning?",
        _verdict(fell),
        _estimates({TITLES[name]: e for name, e in falls.items()}, "last snapshot minus early teacher"),
        "## R2: is the Gram anchor credited?",
        _verdict(credited),
        *(
            _estimates(
                {f"`{rival}`": gains[name][rival] for rival in RIVALS},
                f"{TITLES[name]}: `{CREDITED}` minus",
            )
            for name in PRIMARY
        ),
        "## Secondary outcomes",
        _secondary(table),
        "## Every network",
        _networks(table),
        "## Trunk by trunk",
        _trunks(table),
        "## Power",
        _power(table),
        CANNOT,
    ]
    return "\n\n".join(parts) + "\n"


def _degradation(table: Table) -> tuple[Verdict, dict[str, Estimate]]:
    return degradation({name: table.difference(LAST, TEACHER, name) for name in (*PRIMARY, CLASS_TOKEN)})


def _credit(table: Table) -> tuple[Verdict, dict[str, dict[str, Estimate]]]:
    return credit(table.arms(), {name: table.column(TEACHER, name) for name in PRIMARY})


def _answers(fell: Verdict, credited: Verdict) -> str:
    return f"**Degradation (R1): {fell.answer}.** **Credit to the Gram anchor (R2): {credited.answer}.**"


def _people(table: Table) -> str:
    return " and ".join(f"{table.value(0, HUMANS, name):.2f}" for name in PRIMARY)


def _in_words(falls: Mapping[str, Estimate], gains: Mapping[str, Mapping[str, Estimate]]) -> str:
    """How the end of training compares with its beginning, and which rivals the anchor is ahead of."""
    ends = " and ".join(f"{falls[name].mean:+.3f} in {SHORT[name]}" for name in PRIMARY)
    lines = [f"- Last snapshot minus early teacher: {ends}; a fall would be -{THRESHOLD} or less."]
    for rival in RIVALS:
        found = [gains[name][rival] for name in PRIMARY]
        by = " and ".join(f"{e.mean:+.3f} in {SHORT[name]}" for name, e in zip(PRIMARY, found, strict=True))
        lines.append(f"- `{CREDITED}` minus `{rival}`, {RIVAL_WORDS[rival]}: {by}; {_size(found)}.")
    return "\n".join(lines)


def _size(found: Sequence[Estimate]) -> str:
    enough = sum(e.mean >= THRESHOLD and e.low > 0.0 for e in found)
    if enough == len(found):
        return f"what the rule asks for ({THRESHOLD})"
    if enough:
        return f"in one of the two what the rule asks for ({THRESHOLD})"
    if all(e.low > 0.0 for e in found):
        return f"there, and less than the rule asks for ({THRESHOLD})"
    return f"less than the rule asks for ({THRESHOLD}), and not told from nothing in both"


def _prediction(fell: Verdict, credited: Verdict, gains: Mapping[str, Mapping[str, Estimate]]) -> str:
    right = "as predicted" if fell.answer != "yes" else "against the prediction"
    also = "as predicted" if credited.answer == "no" else "against the prediction"
    near = {
        words: all(gains[name][rival].mean < THRESHOLD for name in PRIMARY)
        for words, rival in (("random", "gram-x1-random"), ("blurred", "gram-x1-blurred"))
    }
    came = "; ".join(f"the {words} one {'did' if came else 'did not'}" for words, came in near.items())
    return (
        f"Prediction on record: no fall ({right}), no credit ({also}), because the random and the blurred "
        f"teacher come within {THRESHOLD} of the anchor: {came}."
    )


def _diverged(table: Table) -> str:
    if not table.diverged:
        return "No trunk diverged, none was dropped."
    return f"Diverged, shown, and counted as no difference: trunk {', '.join(map(str, table.diverged))}."


def _verdict(verdict: Verdict) -> str:
    if not verdict.reasons:
        return f"**{verdict.answer}**: every condition is met."
    reasons = "; ".join(verdict.reasons)
    for name, title in TITLES.items():
        reasons = reasons.replace(f"{name}:", f"{title}:")
    return f"**{verdict.answer}**: {reasons}."


def _estimates(rows: Mapping[str, Estimate], title: str) -> str:
    lines = [f"| {title} | mean | interval | level | p | sign-flip p |", "|---|--:|--:|--:|--:|--:|"]
    lines += [
        f"| {name} | {e.mean:+.3f} | [{e.low:+.3f}, {e.high:+.3f}] | {e.level:.1%} | {_chance(e.p)} | "
        f"{_chance(e.sign_flip)} |"
        for name, e in rows.items()
    ]
    return "\n".join(lines)


def _secondary(table: Table) -> str:
    """Differences with plain 95% intervals; no rule asks for them but R3."""
    rows = [(title, name) for name, title in TITLES.items() if name not in PRIMARY]
    rows += [
        (f"{TITLES[name]}, {PLACES[where]}", f"{where}_{name}") for where in SECONDARY for name in PRIMARY
    ]
    compared = ((LAST, TEACHER), (CREDITED, "continue"), (CREDITED, "gram-x1-random"))
    lines = [
        "| | " + " | ".join(f"{_shown(a)} minus {_shown(b)}" for a, b in compared) + " |",
        "|---|" + "--:|" * len(compared),
    ]
    for title, name in rows:
        found = [estimate(table.difference(a, b, name)) for a, b in compared]
        cells = " | ".join(f"{e.mean:+.3f} [{e.low:+.3f}, {e.high:+.3f}]" for e in found)
        lines.append(f"| {title} | {cells} |")
    fell, gained = (estimate(table.difference(a, b, ON_SCENES)) for a, b in compared[:2])
    return (
        "Means over trunks with 95% intervals, not adjusted. No rule looks at them but R3: a difference on "
        "streets or scenes alone is reported and credited to nothing. On scenes, where the exploratory run "
        f"was measured, P1 changed by {fell.mean:+.3f} towards the end, and `{CREDITED}` differs from "
        f"`continue` by {gained.mean:+.3f}.\n\n" + "\n".join(lines)
    )


def _shown(network: str) -> str:
    return f"`{network}`" if network in ARMS else network


def _networks(table: Table) -> str:
    lines = ["| | " + " | ".join(TITLES.values()) + " |", "|---|" + "--:|" * len(TITLES)]
    lines += [f"| {name} | " + " | ".join(cells) + " |" for name, cells in _cells(table)]
    return "\n".join(lines)


def _cells(table: Table) -> Iterator[tuple[str, list[str]]]:
    """Means over trunks; a dash where a network has no such score."""
    names = (TEACHER, "trunk at 1000", "trunk at 1400", LAST, *ARMS, BLURRED, ANOTHER, RANDOM)
    for name in names:
        yield (
            _shown(name),
            [_number(table.column(name, outcome)) for outcome in TITLES],
        )
    for name, label in ((PIXELS, "pixels"), (HUMANS, "people against one another")):
        yield label, [_number(np.array([table.value(0, name, outcome)])) for outcome in TITLES]


def _number(values: np.ndarray) -> str:
    return "–" if np.isnan(values).all() else f"{np.nanmean(values):.3f}"


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def picture(table: Table) -> bytes:
    """The page's picture, as SVG."""
    falls, gains = _degradation(table)[1], _credit(table)[1]
    panels = {
        TITLES[name]: [
            ("last snapshot minus early teacher", table.difference(LAST, TEACHER, name), falls[name]),
            *(
                (f"{CREDITED} minus {rival}", table.difference(CREDITED, rival, name), gains[name][rival])
                for rival in RIVALS
            ),
        ]
        for name in PRIMARY
    }
    return svg_bytes(
        differences_figure(panels), {name: list(map(str, rows)) for name, rows in panels.items()}
    )


def _trunks(table: Table) -> str:
    compared = ((LAST, TEACHER), *((CREDITED, rival) for rival in RIVALS))
    title = " | ".join(f"{a} minus {b}" for a, b in compared)
    lines = [f"| trunk | {title} |", "|---|" + "--:|" * len(compared)]
    for k, seed in enumerate(table.trunks):
        cells = []
        for a, b in compared:
            both = [table.difference(a, b, name)[k] for name in PRIMARY]
            cells.append(" / ".join(f"{value:+.3f}" for value in both))
        said = " (diverged)" if seed in table.diverged else ""
        lines.append(f"| {seed}{said} | " + " | ".join(cells) + " |")
    return "P1 / P2 of each trunk.\n\n" + "\n".join(lines)


def _power(table: Table) -> str:
    lines = [
        "| outcome | spread between trunks | power at 0.02 | at 0.03 | at 0.04 |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in PRIMARY:
        gain = table.difference(CREDITED, "continue", name)
        deviation = float(gain.std(ddof=1))
        chances = " | ".join(f"{power(effect, deviation, len(gain)):.2f}" for effect in (0.02, 0.03, 0.04))
        lines.append(f"| {TITLES[name]} | {deviation:.4f} | {chances} |")
    said = (
        f"The chance that the mean of `{CREDITED}` minus `continue` reaches 0.02, for a true effect and the "
    )
    return said + "spread between trunks that was found.\n\n" + "\n".join(lines)


def main(words: Sequence[str] | None = None) -> int:
    """0; 2 while fewer than six trunks are measured."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.confirmatory.page",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("scores", type=Path)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args(words)
    table = read_table(asked.scores)
    if len(table.trunks) < 6:
        print(f"{len(table.trunks)} of 6 trunks are measured; the page waits, as the rules ask")
        return 2
    asked.out.write_text(page(table), encoding="utf-8")
    asked.out.with_name(PICTURE).write_bytes(picture(table))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
