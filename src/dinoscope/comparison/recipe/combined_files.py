"""Combined runs as files: for each cell what a comparison writes of its numbers."""

from __future__ import annotations

import json
from pathlib import Path

from dinoscope.atomic import write_text
from dinoscope.comparison.recipe.combine import Combined
from dinoscope.comparison.tables.files import measurements_json, write_measurements
from dinoscope.strict_json import strict_json


def write_combined(found: Combined, folder: Path) -> None:
    """``metrics.json`` with ledger and runs, ``metrics.csv``, the tables and the plane."""
    write_measurements(found.measured, (), folder)
    write_text(folder / "metrics.json", combined_json(found))


def combined_json(found: Combined) -> str:
    """As a comparison's, with ``runs``, ``left_out`` and ``notes``."""
    content = json.loads(measurements_json(found.measured))
    content |= {
        **found.mask_kind,
        "model_details": found.details,
        "ledger": list(found.ledger),
        "settings": dict(found.settings),
        "runs": list(found.runs),
        "left_out": {name: list(differs) for name, differs in found.left_out.items()},
        "notes": list(found.notes),
    }
    return strict_json(content, indent=1, ensure_ascii=False) + "\n"
