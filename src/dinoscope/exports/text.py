"""A certificate in words, and as JSON."""

from __future__ import annotations

import json
import math

from dinoscope.exports.certificate import ExportCertificate, Reading
from dinoscope.names import printable


def certificate_text(found: ExportCertificate) -> str:
    """For a terminal: the verdict, every grid, and what must be read beside."""
    lines = [found.verdict, "", "grid      mean      worst"]
    lines += [
        f"{f'{h}x{w}':<8}" + (f"{mean:>9.6f} {worst:>9.6f}" if not math.isnan(mean) else "  cannot be run")
        for (h, w), (mean, worst) in found.by_grid.items()
    ]
    worst = worst_reading(found)
    if worst is not None and worst.worst_place is not None:
        x, y = worst.worst_place
        lines.append(
            f"worst patch: {printable(worst.photograph)} at ({x:.2f}, {y:.2f}), cosine {worst.worst:.6f}"
        )
    return "\n".join([*lines, *(f"note: {note}" for note in found.notes)])


def certificate_json(found: ExportCertificate) -> str:
    """Everything, with the cosine of every patch; what is undefined is null."""
    whole = {
        "model": found.model,
        "exported": found.exported,
        "passed": found.passed,
        "verdict": found.verdict,
        "cause": found.cause,
        "change": found.change,
        "mean": _number(found.mean),
        "worst": _number(found.worst),
        "limits": {"mean": found.limits.mean, "worst": found.limits.worst},
        "readings": [
            {
                "photograph": r.photograph,
                "grid": list(r.grid),
                "mean": _number(r.mean),
                "worst": _number(r.worst),
                "worst_place": r.worst_place,
                "n_not_finite": r.n_not_finite,
                "error": r.error,
                "cosines": None if r.cosines is None else r.cosines.round(7).tolist(),
            }
            for r in found.readings
        ],
        "notes": list(found.notes),
    }
    return json.dumps(whole, indent=1)


def worst_reading(found: ExportCertificate) -> Reading | None:
    """The reading with the worst patch; None where the export could be run nowhere."""
    return min((r for r in found.readings if r.cosines is not None), key=lambda r: r.worst, default=None)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
