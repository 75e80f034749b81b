"""Where the figures of a run are kept, with its date, machine and command."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.machine import describe

FIGURES = Path(__file__).parent / "figures"


def keep(name: str, figures: Mapping[str, object]) -> None:
    """Write one run's figures, in the place of those of an earlier one."""
    FIGURES.mkdir(exist_ok=True)
    run = {"date": datetime.now(UTC).date().isoformat(), **describe()}
    text = json.dumps({"run": run, "figures": dict(figures)}, indent=1) + "\n"
    (FIGURES / f"{name}.json").write_text(text)
