"""`dinoscope normal` on a category in MVTec's layout, with planted defects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.backbones.load import load_backbone
from dinoscope.data.spec import KIND_WORDS
from dinoscope.normality.figures.distances import plot_normal
from dinoscope.normality.judge import judge
from dinoscope.normality.output import judged_json
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
    assert "(pixels): " in shown and "note: controls, not trained models: pixels\n" in shown


def test_a_photograph_of_the_bank_scores_zero_and_without_masks_nothing_is_scored(
    category: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = category / "train" / "good"
    assert run("normal", good, good / "003.png", *WORDS, "--no-controls", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["queries"][0]["scores"] == {"pixels": 0.0} and found["queries"][0]["defective"] is None
    assert found["models"][0]["summaries"] == {}


def test_a_query_that_is_in_the_bank_is_said_to_say_nothing_and_called_nothing(
    category: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, new = category / "train" / "good", category / "test" / "good" / "012.png"
    shutil.copy(good / "003.png", tmp_path / "renamed.png")
    words = ("normal", good, tmp_path / "renamed.png", new, "--models", "pixels", "--grid", 6)
    assert run(*words, "--no-controls", "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "renamed.png: in the bank, so this says nothing: (pixels) 0.00\n" in shown
    assert "012.png: (pixels)" in shown and " of 1 called defective" in shown
    queries = json.loads((tmp_path / "out" / "normal.json").read_text())["queries"]
    assert [q["in_bank"] for q in queries] == [True, False]
    assert queries[0]["called_defective"] == {"pixels": None}
    assert isinstance(queries[1]["called_defective"]["pixels"], bool)
    judged = judge(good, [tmp_path / "renamed.png", new], [load_backbone("pixels")], grid=6)
    said = [text.get_text() for text in plot_normal(judged).texts]
    assert said.count("in the bank: says nothing") == 1 and sum("× threshold: " in word for word in said) == 1


def test_no_score_counts_what_is_in_the_bank(category: Path) -> None:
    good, tested, pixels = category / "train" / "good", category / "test", [load_backbone("pixels")]
    alone = judge(good, [tested], pixels, masks=category / "ground_truth", grid=6)
    padded = judge(good, [tested, good], pixels, masks=category / "ground_truth", grid=6)
    assert sum(padded.in_bank) == 12 and padded.defective[-1] is False
    assert alone.models[0].summaries and repr(padded.models[0].summaries) == repr(alone.models[0].summaries)


def test_toys_and_controls_are_named_in_the_figure_and_the_file(category: Path) -> None:
    good = category / "train" / "good"
    mini, pixels = load_backbone("mini"), load_backbone("pixels")
    judged = judge(good, [category / "test" / "good"], [mini], grid=6, controls=[pixels])
    said = [text.get_text() for text in plot_normal(judged).texts]
    assert said[said.index("mini") + 1] == "toy model"
    assert said[said.index("(pixels)") + 1] == KIND_WORDS["control"]
    models = json.loads(judged_json(judged))["models"]
    assert [(m["toy"], m["control"]) for m in models] == [(True, False), (False, True)]


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


def test_lists_are_told_with_their_recall(category: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = category / "train" / "good"
    words = ("normal", good, good / "003.png", *WORDS, "--no-controls")
    assert run(*words, "--lists", "--json") == 0
    found = json.loads(capsys.readouterr().out)["models"][0]["bank"]["search"]
    assert found["exact"] is False and 0.9 < found["recall"] <= 1 and found["n_queries"] > 100
    assert run(*words, "--lists") == 0
    assert "the nearest found for" in capsys.readouterr().out
    assert run(*words, "--exact", "--json") == 0
    assert json.loads(capsys.readouterr().out)["models"][0]["bank"]["search"] == {"exact": True}
