"""What the doctor found, as text for a terminal and as JSON."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from dinoscope.doctor.diagnosis import Diagnosis, Effect, Finding, Health
from dinoscope.names import printable

WIDTH = 100
SHOWN = 12
"""Single changes shown in the text; the JSON has all of them."""

PAIRS_SHOWN = 5


def health_text(health: Health) -> str:
    """The findings, then a summary."""
    counts = {state: sum(f.state == state for f in health.findings) for state in ("problem", "note")}
    return "\n".join([findings_text(health), "", _summary(counts["problem"], counts["note"])])


def findings_text(health: Health) -> str:
    """Each finding on a line of its own, by topic, with what to do below it."""
    lines: list[str] = []
    topic = ""
    for finding in health.findings:
        if finding.topic != topic:
            topic = finding.topic
            lines += ["", topic] if lines else [topic]
        lines += _finding(finding)
    return "\n".join(lines)


def health_json(health: Health) -> str:
    """One object: ``usable``, and the list ``findings``."""
    return _json({"usable": health.usable, "findings": [asdict(finding) for finding in health.findings]})


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """The verdict, what must be read beside it, and the changes that were tried."""
    title = f"{printable(diagnosis.old)}  ->  {printable(diagnosis.new)}   on {printable(diagnosis.photo)}"
    numbers = f"{_number(diagnosis.before)}; linear CKA {_number(diagnosis.cka)}"
    head = [
        title,
        f"{diagnosis.measure} of OLD and NEW {numbers}",
        "",
        *_wrapped(f"verdict: {diagnosis.verdict}", " " * 9),
        *(line for note in diagnosis.notes for line in _wrapped(f"note: {note}", " " * 6)),
    ]
    parts = ["\n".join(head)]
    if diagnosis.effects:
        order = (
            "what moves OLD most comes first" if diagnosis.outcome == "same" else "nearest to NEW comes first"
        )
        parts.append(_table(f"one change at a time ({order})", diagnosis.effects, SHOWN))
    if diagnosis.pairs:
        parts.append(_table("two changes at a time", diagnosis.pairs, PAIRS_SHOWN))
    if any(effect.averaged for effect in (*diagnosis.effects, *diagnosis.pairs)):
        parts.append("~ on another grid: compared after averaging areas to a common one")
    return "\n\n".join(parts)


def diagnosis_json(diagnosis: Diagnosis) -> str:
    """One object with the fields of `Diagnosis`; what is not a number is null."""
    return _json(asdict(diagnosis))


def _table(title: str, effects: Sequence[Effect], n: int) -> str:
    shown = effects[:n]
    width = min(max(len(effect.change) for effect in shown), 40)
    lines = [title, f"  {'to NEW':>10} {'to OLD':>10}    {'change':<{width}}  what it is"]
    for effect in shown:
        mark = "~" if effect.averaged else " "
        start = (
            f"  {_number(effect.to_new):>10} {_number(effect.to_old):>10}  {mark} {effect.change:<{width}}  "
        )
        lines += textwrap.wrap(
            start + effect.meaning,
            max(WIDTH, len(start) + 30),
            subsequent_indent=" " * len(start),
            replace_whitespace=False,
            drop_whitespace=True,
            break_on_hyphens=False,
        )
    if len(effects) > n:
        lines.append(f"  ... and {len(effects) - n} more (--json has all)")
    return "\n".join(lines)


def _finding(finding: Finding) -> list[str]:
    start = f"  {finding.state:<8} {finding.name}: "
    lines = _wrapped(start + finding.found, " " * 13)
    if finding.advice:
        lines += [
            line
            for part in finding.advice.split("\n")
            for line in _wrapped(" " * 11 + f"-> {part}", " " * 14)
        ]
    return lines


def _summary(n_problems: int, n_notes: int) -> str:
    if n_problems:
        verb = "prevents" if n_problems == 1 else "prevent"
        return f"{_count(n_problems, 'problem')} {verb} use: do what the arrows say."
    if n_notes:
        return f"dinoscope can be used here; {_count(n_notes, 'note')} above."
    return "dinoscope can be used here; nothing to remark."


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _wrapped(text: str, indent: str) -> list[str]:
    """Lines of at most `WIDTH` columns; words that are longer, such as commands, stay whole."""
    return textwrap.wrap(
        printable(text),
        WIDTH,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if value < 0.999 else f"{value:.7f}"


def _json(value: Any) -> str:
    return json.dumps(_finite(value), indent=2, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
