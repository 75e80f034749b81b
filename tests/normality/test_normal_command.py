"""`dinoscope normal` on a category in MVTec's layout, with planted defects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.command_line import run
from validation.normality import KINDS, write_category

WORDS = ("--models", "pixels", "--grid", 12)


@pytest.fixture(scope="module")
def category(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_category(tmp_path_factory.mktemp("mvtec") / "thing", 0, queries=1)


def test_planted_defects_are_told_from_what_is_good(
    category: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("normal", category, *WORDS, "--controls", "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {"normal.json", "normal.png"}
    found = json.loads((out / "normal.json").read_text())
    (model,) = found["models"]
    assert model["bank"]["n_photographs"] == 12 and model["threshold"]["rate"] == pytest.approx(1 / 13)
    queries = {q["kind"]: q for q in found["queries"]}
    assert set(queries) == {"good", *KINDS}
    assert [q["defective"] for q in found["queries"]] == [q["kind"] != "good" for q in found["queries"]]
    for kind in ("missing", "colour"):
        assert queries[kind]["scores"]["pixels"] > 1.5 * queries["good"]["scores"]["pixels"]
    assert model["summaries"]["pixel_auroc"]["mean"] > 0.8
    assert model["summaries"]["image_auroc"]["low"] is None  # a single good one: it cannot be left out
    shown = capsys.readouterr().out
    assert "PRO" in shown and "1 is called defective" in shown


def test_a_photograph_of_the_bank_scores_zero_and_without_masks_nothing_is_scored(
    category: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = category / "train" / "good"
    assert run("normal", good, good / "003.png", *WORDS, "--no-controls", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["queries"][0]["scores"] == {"pixels": 0.0} and found["queries"][0]["defective"] is None
    assert found["models"][0]["summaries"] == {}


def test_a_query_whose_truth_is_not_known_is_judged_and_listed(
    category: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "odd"
    odd.mkdir()
    shutil.copy(category / "test" / "good" / "012.png", odd)
    masks = category / "ground_truth"
    assert run("normal", category / "train" / "good", odd, "--masks", masks, *WORDS, "--json") == 1
    told = capsys.readouterr()
    assert "judged, but not scored: no mask 012_mask.png" in told.err
    assert len(json.loads(told.out)["queries"]) == 1


def test_bad_input_gets_its_own_line(
    category: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one"
    one.mkdir()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(one / "a.png")
    good = category / "train" / "good"
    for words, said in (
        ([one, one], "one normal photograph"),
        ([good], "nothing to judge"),
        ([good, tmp_path], None),
        ([good, good, "--rate", "0.01"], "cannot hold a false-alarm rate of 0.01"),
        ([good, good, "--masks", tmp_path / "none"], "no such folder"),
        ([good, good, "--coverage", "3"], "coverage is a distance"),
    ):
        code = run("normal", *words, *WORDS, "--no-controls")
        err = capsys.readouterr().err
        assert (code, said or "") == ((2, said) if said else (0, "")) and (said or "") in err, (words, err)
