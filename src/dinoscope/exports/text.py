"""A certificate in words, and as JSON."""

from __future__ import annotations

import math

from dinoscope.backbones.bundled import kind_of, kind_told
from dinoscope.data.spec import kind_flags
from dinoscope.exports.certificate import ExportCertificate
from dinoscope.names import printable
from dinoscope.strict_json import strict_json


def certificate_text(found: ExportCertificate) -> str:
    """For a terminal: the verdict, every grid, and what must be read beside."""
    lines = [found.verdict, "", "grid      mean      worst"]
    lines += [
        f"{f'{h}x{w}':<8}" + (f"{mean:>9.6f} {worst:>9.6f}" if not math.isnan(mean) else "  cannot be run")
        for (h, w), (mean, worst) in found.by_grid.items()
    ]
    ran = (r for r in found.readings if r.cosines is not None)
    worst = min(ran, key=lambda r: r.worst, default=None)
    if worst is not None and worst.worst_place is not None:
        x, y = worst.worst_place
        lines.append(
            f"worst patch: {printable(worst.photograph)} at ({x:.2f}, {y:.2f}), cosine {worst.worst:.6f}"
        )
    told = (*found.notes, kind_told(found.model))
    return "\n".join([*lines, *(f"note: {note}" for note in told if note)])


def certificate_json(found: ExportCertificate) -> str:
    """Everything, with the cosine of every patch; what is undefined is null."""
    whole = {
        "model": found.model,
        **kind_flags(kind_of(found.model)),
        "exported": found.exported,
        "passed": found.passed,
        "verdict": found.verdict,
        "cause": found.cause,
        "change": found.change,
        "mean": found.mean,
        "worst": found.worst,
        "limits": found.limits,
        "readings": [
            {
                "photograph": r.photograph,
                "grid": r.grid,
                "mean": r.mean,
                "worst": r.worst,
                "worst_place": r.worst_place,
                "n_not_finite": r.n_not_finite,
                "error": r.error,
                "cosines": None if r.cosines is None else r.cosines.round(7),
            }
            for r in found.readings
        ],
        "notes": found.notes,
    }
    return strict_json(whole, indent=1)
