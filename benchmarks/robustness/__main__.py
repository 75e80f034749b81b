"""The page of what was thrown at the program, written from ``benchmarks/robustness/figures``.

    python -m benchmarks.robustness

Writes docs/robustness.md, which a test holds equal to the figures. They come from real runs:

    python -m benchmarks.fuzz --until 1000000 --keep
    python -m benchmarks.robustness.kills
    python -m benchmarks.robustness.clients
    python -m benchmarks.robustness.hostile
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.robustness.keep import FIGURES

PAGE = Path(__file__).parents[2] / "docs" / "robustness.md"
HEAD = """# What was thrown at it

<!-- Written by `python -m benchmarks.robustness`: do not edit. -->

How often damaged, hostile and interrupted work was tried, and what came of it. Each section is one run: its
command, date and machine stand under it, and nothing here is extrapolated. What is defended, and what is not,
stands in [the threat model](security.md).
"""


def page_text() -> str:
    """The page, from the figures that there are."""
    held = {path.stem: json.loads(path.read_text()) for path in sorted(FIGURES.glob("*.json"))}
    sections = {"hostile": _hostile, "fuzz": _fuzz, "clients": _clients}
    parts = [
        _part(section(held[name]["figures"]), [held[name]])
        for name, section in sections.items()
        if name in held
    ]
    kills = {name.removeprefix("kills-"): one for name, one in held.items() if name.startswith("kills-")}
    if kills:
        parts.append(
            _part(_kills({name: one["figures"] for name, one in kills.items()}), list(kills.values()))
        )
    return "\n".join([HEAD, *parts])


def _part(text: str, held: list[dict[str, Any]]) -> str:
    runs = dict.fromkeys(_run(one["run"]) for one in held)
    return "\n\n".join([text.rstrip(), *runs]) + "\n"


def _run(run: dict[str, Any]) -> str:
    machine = f"{run['processor']}, {run['threads']} thread(s), Python {run['python']}, torch {run['torch']}"
    return f"*`{run['command']}`, {run['date']}; {machine}.*"


def _hostile(found: dict[str, Any]) -> str:
    return f"""## Hostile inputs and faults

Files, folders, archives, tables, addresses, arguments, checkpoints, stores, full disks, interruptions and the
answers of a stand-in hub (401, 403, 404, 410, 429, 500 to 504, silence, an end in mid-file, a byte at a
time), each with what must come of it: tried **{found["tried"]:,}**, failed **{found["failed"]}**.
"""


def _fuzz(found: dict[str, Any]) -> str:
    targets = found["targets"]
    rows = [
        f"| {name} | {one['tried']:,} | {one['guided']:,} | {one['refused']:,} | {_findings(one)} |"
        for name, one in targets.items()
    ]
    tried = sum(one["tried"] for one in targets.values())
    findings = sum(map(_findings, targets.values()))
    return f"""## Damaged inputs

Whole inputs of every kind, mutated: read, or refused by our own error; anything else is a finding. Tried
**{tried:,}**, of them decoders **{found["decoders"]:,}**; findings **{findings}**. Grids, maths and names are
held to their laws. "Guided" were chosen by the coverage of our own code, with atheris. Findings of earlier
runs are tests now.

| target | tried | guided | refused | findings |
|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _findings(target: dict[str, Any]) -> int:
    return sum(target["findings"].values())


def _kills(found: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | {one['kills']} | {one['runs']} | {one['lost']} | {one['seconds']:g} s |"
        for name, one in found.items()
    ]
    kills, lost = (sum(one[what] for one in found.values()) for what in ("kills", "lost"))
    return f"""## Kills

Killed (SIGKILL) at a random moment, begun again and killed again, then left to end. What lies there must be
what a run that was never killed makes, byte for byte, with nothing half-written beside: **{kills}** kills,
**{lost}** runs that lost anything.

| command | kills | runs that ended | lost | a whole run, beside whatever else ran |
|---|---|---|---|---|
{chr(10).join(rows)}
"""


def _clients(found: dict[str, Any]) -> str:
    rows = [f"| {what} | {n:,} |" for what, n in found["answers"].items()]
    return f"""## Many clients

{found["clients"]} clients for {found["minutes"]:g} minutes on the live page and the search page together:
**{found["asked"]:,}** requests, **{found["wrong"]}** wrong (an answer of 500 or more but a full room's 503, a
connection that is refused, an answer to who may not ask, a server that died). The slowest answer took
{found["slowest_s"]:g} s, beside whatever else ran on the machine; memory grew by {found["grown_mib"][0]} MiB
(live) and {found["grown_mib"][1]} MiB (search).

| asked: answered | times |
|---|---|
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    PAGE.write_text(page_text())
    print(PAGE)
