"""What the page about the experiment says is what its stored scores give."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from dinoscope.anchoring.conclude import conclude
from dinoscope.data.laboratory import Score
from experiments import publish

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gram-experiment" / "index.md").read_text(encoding="utf-8")
TEACHER, FORK, SEEDS = 400, 2000, 3


def _scores() -> list[Score]:
    lines = (ROOT / "experiments" / "arms" / "evaluation.jsonl").read_text().splitlines()[1:]
    rows = [json.loads(line) for line in lines]
    return [Score(row["run"], row["seed"], row["step"], row["values"]) for row in rows]


def test_its_sentences_are_those_of_the_rules() -> None:
    for sentence in conclude(_scores(), teacher_step=TEACHER, planned_seeds=SEEDS).sentences:
        assert f"\n- {sentence}\n" in PAGE


def test_its_table_is_that_of_the_scores() -> None:
    shown = SimpleNamespace(scores=_scores(), teacher_step=TEACHER, fork_step=FORK)
    for row in publish._table(shown):  # type: ignore[arg-type]
        assert f"\n{row}\n" in PAGE
