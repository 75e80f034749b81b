"""What the page about the experiment says is what its stored scores give."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from dinoscope.anchoring.conclude import conclude
from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.evaluate import read_evaluation
from experiments import bundle, publish
from experiments.bars import read_bars
from experiments.recipe import ARM_STEPS, COOLDOWN, TRUNK, TRUNK_STEPS

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
def test_the_cards_say_what_was_measured_and_what_was_run(name: str) -> None:
    folder, bars = bundle.WEIGHTS / name, read_bars(bundle.BARS)
    settings = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert (folder / "README.md").read_text(encoding="utf-8") == bundle.card(name, settings, bars)
    ran = Settings.from_json(json.dumps(settings))
    assert (ran.network, ran.crops, ran.objective) == (TRUNK.network, TRUNK.crops, TRUNK.objective)
    assert (ran.steps, ran.cooldown_steps) == (TRUNK_STEPS + ARM_STEPS, COOLDOWN)
    assert settings["second_stage"]["start"] == TRUNK_STEPS
