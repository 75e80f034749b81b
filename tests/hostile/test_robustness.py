"""The fuzzing, the kills and the page of their figures, each in small."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz import State, Tally, fuzz, mutated, tried
from benchmarks.fuzz_targets import Target, targets
from benchmarks.robustness.__main__ import PAGE, page_text
from benchmarks.robustness.keep import FIGURES
from dinoscope.errors import InputError

KNOWN = targets()


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_whole_inputs_are_read(name: str, tmp_path: Path) -> None:
    tally = Tally()
    target = KNOWN[name]
    for seed in target.seeds:
        tried(target, seed, tmp_path / f"at{target.suffix}", tally, lambda said, data: None)
    assert tally.tried == len(target.seeds) and not tally.findings
    assert tally.refused < tally.tried or name == "grids"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(KNOWN))
def test_damaged_inputs_are_read_or_refused(name: str) -> None:
    tally = Tally()
    fuzz(KNOWN[name], 40, (7, 7), tally, lambda said, data: None)
    assert tally.tried == 40 and not tally.findings


def test_what_else_is_raised_is_a_finding_and_kept(tmp_path: Path) -> None:
    def read(data: bytes) -> None:
        if data == b"whole":
            raise InputError("refused")
        raise KeyError("found")

    state = State(tmp_path)
    tally = state.tallies.setdefault("odd", Tally())
    fuzz(Target(None, [b"whole"], read, 1), 50, (0,), tally, state.keep("odd"))
    state.write()
    assert State(tmp_path).total == 50 and State(tmp_path).findings == 50 - tally.refused > 0
    assert len(list(tmp_path.glob("odd-*.bin"))) == 1


def test_mutations_depend_on_the_seed_alone() -> None:
    data = bytes(range(200))
    first, again, other = (mutated(data, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_the_page_says_what_the_figures_are() -> None:
    assert PAGE.read_text() == page_text()
    for path in FIGURES.glob("*.json"):
        assert json.loads(path.read_text())["run"]["command"] in page_text()
