"""What the page about the experiment says is what its stored scores give."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from dinoscope.anchoring.conclude import conclude
from dinoscope.anchoring.evaluate import read_evaluation
from experiments import bundle, publish

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gram-experiment" / "index.md").read_text(encoding="utf-8")
SCORES = read_evaluation(ROOT / "experiments" / "arms" / "evaluation.jsonl")[1]
TEACHER, FORK, SEEDS = 400, 2000, 3


def test_its_sentences_are_those_of_the_rules() -> None:
    for sentence in conclude(SCORES, teacher_step=TEACHER, planned_seeds=SEEDS).sentences:
        assert f"\n- {sentence}\n" in PAGE


def test_its_table_is_that_of_the_scores() -> None:
    shown = SimpleNamespace(scores=SCORES, teacher_step=TEACHER, fork_step=FORK)
    for row in publish._table(shown):  # type: ignore[arg-type]
        assert f"\n{row}\n" in PAGE


def test_what_it_says_of_photographs_is_what_was_measured() -> None:
    assert "\n".join(publish.on_photographs(publish.REAL)) in PAGE


@pytest.mark.parametrize("name", bundle.BUNDLED)
def test_the_cards_say_what_was_measured_on_photographs(name: str) -> None:
    card = (bundle.WEIGHTS / name / "README.md").read_text(encoding="utf-8")
    assert bundle.on_photographs(bundle.REAL) in card
