"""What the doctor found, as text for a terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dinoscope.doctor.diagnosis import Diagnosis, Effect, Finding, Health
from dinoscope.drawing.text_table import text_table, wrapped
from dinoscope.names import printable
from dinoscope.strict_json import strict_json

SHOWN = 12
"""Single changes shown in the text; the JSON has all of them."""

PAIRS_SHOWN = 5


EXTRAS = "extras"


def health_text(health: Health, *, full: bool = False) -> str:
    """The findings, then a summary; what is optional is one line, unless all is asked for."""
    shown = health if full else _folded(health)
    counts = {s: sum(f.state == s for f in shown.findings) for s in ("problem", "note", "unknown")}
    return "\n".join([findings_text(shown), "", _summary(**counts)])


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
    return strict_json({"usable": health.usable, "findings": health.findings})


def diagnosis_text(diagnosis: Diagnosis) -> str:
    """The verdict, what must be read beside it, and the changes that were tried."""
    title = f"{printable(diagnosis.old)}  ->  {printable(diagnosis.new)}   on {printable(diagnosis.photo)}"
    numbers = f"{_number(diagnosis.before)}; linear CKA {_number(diagnosis.cka)}"
    head = [
        title,
        f"{diagnosis.measure} of OLD and NEW {numbers}",
        "",
        wrapped(f"verdict: {diagnosis.verdict}", " " * 9),
        *(wrapped(f"note: {note}", " " * 6) for note in diagnosis.notes),
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


def _table(title: str, effects: Sequence[Effect], n: int) -> str:
    rows = [
        (_number(e.to_new), _number(e.to_old), "~" if e.averaged else "", e.change, e.meaning)
        for e in effects[:n]
    ]
    lines = [
        title,
        text_table(rows, ("to NEW", "to OLD", "", "change", "what it is"), flexible=4, right=(0, 1)),
    ]
    if len(effects) > n:
        lines.append(f"... and {len(effects) - n} more (--json has all)")
    return "\n".join(lines)


def _finding(finding: Finding) -> list[str]:
    lines = [wrapped(f"  {finding.state:<8} {finding.name}: {finding.found}", " " * 13)]
    advice = finding.advice.split("\n") if finding.advice else []
    return lines + [wrapped(f"{' ' * 11}-> {part}", " " * 14) for part in advice]


def _folded(health: Health) -> Health:
    """The extras as one finding, in the place of the first."""
    extras = [finding for finding in health.findings if finding.topic == EXTRAS]
    if not extras:
        return health
    there = [finding.name for finding in extras if finding.state == "ok"]
    missing = [finding.name for finding in extras if finding.state != "ok"]
    told = [f"{', '.join(there)} installed"] if there else []
    told += [f"{', '.join(missing)} not"] if missing else []
    names = ",".join(name.strip("[]") for name in missing)
    advice = f"pip install 'dinoscope[{names}]', where you need them; --full says more" if missing else ""
    folded = Finding(EXTRAS, "optional", "note" if missing else "ok", "; ".join(told), advice)
    first = health.findings.index(extras[0])
    others = [finding for finding in health.findings if finding.topic != EXTRAS]
    return Health((*others[:first], folded, *others[first:]))


def _summary(problem: int, note: int, unknown: int) -> str:
    if problem:
        verb = "prevents" if problem == 1 else "prevent"
        return f"{_count(problem, 'problem')} {verb} use: do what the arrows say."
    told = [f"{_count(note, 'note')} above"] if note else []
    told += [f"{unknown} not checked"] if unknown else []
    return f"dinoscope can be used here; {', '.join(told) or 'nothing to remark'}."


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if value < 0.999 else f"{value:.7f}"
