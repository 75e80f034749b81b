"""The laboratory's numbers as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict

from dinoscope.anchoring.findings import Control, Laboratory, Score


def laboratory_json(laboratory: Laboratory) -> str:
    """All numbers as JSON; undefined ones are null."""
    conclusion = laboratory.conclusion
    gate = conclusion.gate
    content = {
        "format": 1,
        "conclusion": list(conclusion.sentences),
        "gate": None
        if gate is None
        else {
            "fires": gate.fires,
            "trunks": len(conclusion.gates),
            "fall_points": gate.fall,
            **{key: value for key, value in asdict(gate).items() if key not in ("seed", "fires")},
        },
        "credited": list(conclusion.credited),
        "effects": [asdict(effect) for effect in conclusion.effects],
        "scores": _score_values(laboratory.scores),
        "teacher_step": laboratory.teacher_step,
        "fork_step": laboratory.fork_step,
        "spent": [asdict(spent) for spent in laboratory.spent],
        "machine": laboratory.machine,
        "settings": dict(laboratory.settings),
        "positive_control": None if laboratory.control is None else _control_values(laboratory.control),
    }
    return json.dumps(content, indent=2, allow_nan=False)


def _control_values(control: Control) -> dict[str, object]:
    return {
        "planted": True,
        "sentences": list(control.sentences),
        "start_step": control.start_step,
        "release_step": control.release_step,
        "teacher_step": control.teacher_step,
        "scores": _score_values(control.scores),
    }


def _score_values(scores: Sequence[Score]) -> list[dict[str, object]]:
    return [
        {
            "run": s.run,
            "seed": s.seed,
            "step": s.step,
            "values": {key: value if math.isfinite(value) else None for key, value in s.values.items()},
        }
        for s in scores
    ]
