"""The laboratory's numbers as JSON."""

from __future__ import annotations

from dataclasses import asdict

from dinoscope.anchoring.findings import Control, Laboratory
from dinoscope.strict_json import strict_json


def laboratory_json(laboratory: Laboratory) -> str:
    """All numbers as JSON; undefined ones are null."""
    conclusion = laboratory.conclusion
    gate = conclusion.gate
    content = {
        "format": 1,
        "conclusion": conclusion.sentences,
        "gate": None
        if gate is None
        else {
            "fires": gate.fires,
            "trunks": len(conclusion.gates),
            "fall_points": gate.fall,
            **{key: value for key, value in asdict(gate).items() if key not in ("seed", "fires")},
        },
        "credited": conclusion.credited,
        "effects": conclusion.effects,
        "scores": laboratory.scores,
        "teacher_step": laboratory.teacher_step,
        "fork_step": laboratory.fork_step,
        "spent": laboratory.spent,
        "machine": laboratory.machine,
        "settings": laboratory.settings,
        "positive_control": None if laboratory.control is None else _control_values(laboratory.control),
    }
    return strict_json(content)


def _control_values(control: Control) -> dict[str, object]:
    return {
        "planted": True,
        "sentences": control.sentences,
        "start_step": control.start_step,
        "release_step": control.release_step,
        "teacher_step": control.teacher_step,
        "scores": control.scores,
    }
