"""The confirmatory experiment on the smallest networks: its arms, its scores, its table and its page."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.anchoring.folder import RunFolder
from dinoscope.data.features import PatchFeatures
from dinoscope.drawing.style import MODEL_COLOURS
from experiments import bars
from experiments.confirmatory import labelled, measure, page, spread, train
from experiments.confirmatory.figure import differences_figure
from experiments.confirmatory.measure import ARMS, LAST, TEACHER
from experiments.confirmatory.rules import PRIMARY, THRESHOLD, credit, estimate
from experiments.confirmatory.table import Table, read_table
from tests.anchoring.small_runs import small, write_photographs

CONFIRMATORY = Path(page.__file__).parent


def about(folder: Path) -> Mapping[str, object]:
    found = json.loads((folder / "run.json").read_text())
    return found["settings"]["second_stage"]


def losses(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "losses.jsonl").read_text().splitlines()]


@pytest.fixture
def shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    trunk = small(steps=10, checkpoint_every=2, snapshot_every=1)
    recipe = replace(train.RECIPE, steps=4, ramp=0, teacher_step=2)
    monkeypatch.setattr(train, "TRUNK", trunk)
    monkeypatch.setattr(train, "RECIPE", recipe)
    monkeypatch.setattr(train, "BLURRED", replace(recipe, blur=1.0))
    monkeypatch.setattr(train, "pin", lambda folder, *, other: None)
    monkeypatch.setattr(measure, "SNAPSHOTS", (2, 5, 7, 10))
    monkeypatch.setattr(measure, "EARLY", 2)


@pytest.fixture
def trained(shrunk: None, tmp_path: Path) -> Path:
    photographs = str(write_photographs(tmp_path / "photographs"))
    for _ in range(2):  # the second call finds everything there
        train.main([str(tmp_path / "out"), photographs, "--trunks", "1"])
    return tmp_path / "out"


def test_every_arm_has_the_teacher_that_the_rules_give_it(trained: Path) -> None:
    arms = {name: trained / "trunk-1" / "arms" / folder for name, folder in ARMS.items()}
    stages = {name: about(folder) for name, folder in arms.items()}
    assert stages["continue"]["anchor"] == "none"
    assert {n: (s["anchor"], s["scale"], s["blur"], s["teacher_step"]) for n, s in stages.items()} == {
        "continue": ("none", 1, 0.0, 0),
        "gram-x1": ("gram", 1, 0.0, 2),
        "gram-x2": ("gram", 2, 0.0, 2),
        "feature-mse": ("feature-mse", 2, 0.0, 2),
        "gram-x1-blurred": ("gram", 1, 1.0, 2),
        "gram-x1-random": ("gram", 1, 0.0, 0),
    }
    first = {name: losses(folder)[0] for name, folder in arms.items()}
    assert len({line["dino_global"] for line in first.values()}) == 1
    share = float(str(stages["feature-mse"]["weight"])) * first["feature-mse"]["feature_mse"]
    assert share == pytest.approx(20.0 * first["gram-x2"]["gram"])
    gram = [first[name]["gram"] for name in ("gram-x1", "gram-x1-blurred", "gram-x1-random")]
    assert len(set(gram)) == 3
    untrained = RunFolder(trained / "trunk-1" / "random").snapshot(0) / "model.safetensors"
    assert (
        untrained.read_bytes()
        != (RunFolder(trained / "trunk-1" / "trunk").snapshot(2) / "model.safetensors").read_bytes()
    )


def test_a_slice_ends_behind_a_checkpoint_and_says_so(
    shrunk: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photographs = str(write_photographs(tmp_path / "photographs"))
    train.main([str(tmp_path / "out"), photographs, "--trunks", "1", "--minutes", "1e-9"])
    assert capsys.readouterr().out.endswith("the time is up; the same command goes on\n")
    assert len(losses(tmp_path / "out" / "trunk-1" / "trunk")) == 2


def write_real(folder: Path, n: int = 6) -> Path:
    """Photographs of two halves, their border at another place in each, as four people see them."""
    (folder / "bsds" / "images").mkdir(parents=True)
    for k in range(n):
        picture = np.full((64, 64, 3), 40, np.uint8)
        picture[:, 20 + 4 * k :] = (200, 120, 30)
        Image.fromarray(picture).save(folder / "bsds" / "images" / f"{k}.jpg", quality=95)
        for person in labelled.PEOPLE:
            labels = np.ones((64, 64), np.uint8)
            labels[:, 20 + 4 * k :] = 2
            (folder / "bsds" / person).mkdir(exist_ok=True)
            Image.fromarray(labels).save(folder / "bsds" / person / f"{k}.png")
    for part in ("images", "masks"):
        (folder / "camvid" / part).mkdir(parents=True)
    Image.fromarray(picture).save(folder / "camvid" / "images" / "drive_0.png")
    Image.fromarray(labels).save(folder / "camvid" / "masks" / "drive_0.png")
    return folder


def halves(k: int, width: int = 4) -> PatchFeatures:
    values = np.zeros((16, 16, width), np.float32)
    border = (20 + 4 * k) // 4
    values[:, :border, 0] = values[:, border:, 1] = 1.0
    values += 0.01 * np.random.default_rng(k).standard_normal(values.shape).astype(np.float32)
    return PatchFeatures.from_array(values, image_size=(64, 64), name="halves")


def test_scores_react_to_what_they_are_said_to_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "DEVELOPMENT", 0)
    photographs = labelled.segmented(write_real(tmp_path), development=False)
    right = [halves(k) for k in range(6)]
    place = np.eye(4)[:2]
    found = measure.scores(right, photographs, place)
    for name in PRIMARY:
        assert found[name] > 0.99
        assert found[f"without_position_{name}"] < 0.7  # these directions held all that it knew
    assert found["coherence_floor"] < found["coherence_auc"] - 0.02
    another = measure.of_another(right, photographs)
    assert another["coherence_auc"] == found["coherence_floor"]
    assert all(another[name] < found[name] - 0.02 for name in PRIMARY)
    with pytest.raises(ValueError, match="another of that shape"):
        measure.of_another(right[:1], photographs)
    scale = np.array([1.0, 1.0, 1000.0, 1.0], np.float32)
    loud = [replace(f, values=f.values * scale) for f in right]
    drowned = measure.scores(loud, photographs, None)
    for name in PRIMARY:
        assert drowned[name] < 0.9 < drowned[f"standardised_{name}"]


def test_the_confirmatory_photographs_are_those_that_development_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "DEVELOPMENT", 2)
    real = write_real(tmp_path)
    first, rest = (labelled.segmented(real, development=d) for d in (True, False))
    assert [Path(str(p)).stem for p in first.photographs] == ["0", "1"]
    assert [Path(str(p)).stem for p in rest.photographs] == ["2", "3", "4", "5"]


def test_measured_once_and_only_when_every_arm_is_there(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bars, "DEVELOPMENT", 0)
    monkeypatch.setattr(bars, "thumbnails", lambda real, backbone: {"cls_knn": 0.1})
    monkeypatch.setattr(measure, "DIRECTIONS", 2)
    monkeypatch.setattr(labelled, "SCENES", 1)
    words = [str(trained), str(write_real(tmp_path / "real")), str(tmp_path / "scores.jsonl")]
    measure.main([*words, "--trunks", "1,2"])
    assert "trunk 2 waits for" in capsys.readouterr().out
    lines = (tmp_path / "scores.jsonl").read_text().splitlines()
    names = [json.loads(line)["network"] for line in lines]
    assert names == [
        "pixels",
        "people",
        TEACHER,
        "trunk at 5",
        "trunk at 7",
        "trunk at 10",
        "random weights",
        "continue",
        "continue of another photograph",
        "blur:continue",
        *(name for name in ARMS if name != "continue"),
    ]
    for line in map(json.loads, lines):
        beside = {f"{where}_{name}" for where in measure.SECONDARY for name in PRIMARY}
        without = ("people", "continue of another photograph")
        assert beside & line.keys() == (set() if line["network"] in without else beside)
    measure.main([*words, "--trunks", "1"])
    assert (tmp_path / "scores.jsonl").read_text().splitlines() == lines


def lines(gain: float = 0.0, n: int = 6, bad: int = 0) -> list[dict[str, object]]:
    """Scores in which gram-x2 gains so much over everything else."""
    found: list[dict[str, object]] = [
        {"trunk": 0, "network": name, **dict.fromkeys(PRIMARY, 0.6)} for name in ("pixels", "people")
    ]
    for seed in range(1, n + 1):
        for name in (TEACHER, LAST, *ARMS):
            noise = 0.003 * float(np.random.default_rng([seed, len(name)]).standard_normal())
            value = 0.7 + noise + (gain if name == "gram-x2" else 0.0)
            outcomes = (*page.TITLES, *(f"{w}_{o}" for w in measure.SECONDARY for o in PRIMARY))
            line = dict.fromkeys(outcomes, value)
            rank = 1.0 if seed == bad and name == "gram-x2" else 30.0
            found.append({"trunk": seed, "network": name, **line, "effective_rank": rank})
    return found


def test_a_diverged_trunk_is_kept_and_counts_as_no_difference() -> None:
    table = Table(lines(gain=0.05, bad=3))
    assert table.diverged == [3]
    gain = table.difference("gram-x2", "continue", PRIMARY[0])
    assert len(gain) == 6
    assert gain[2] == 0.0
    assert (np.delete(gain, 2) > 0.03).all()


def test_a_trunk_without_all_its_arms_is_not_there_yet() -> None:
    short = [line for line in lines() if (line["trunk"], line["network"]) != (4, "feature-mse")]
    assert Table(short).trunks == [1, 2, 3, 5, 6]


@pytest.mark.parametrize(("gain", "credit"), [(0.05, "yes"), (0.0, "no")])
def test_the_page_answers_by_the_rules(tmp_path: Path, gain: float, credit: str) -> None:
    scores, out = tmp_path / "scores.jsonl", tmp_path / "page.md"
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines(gain)))
    assert page.main([str(scores), "--out", str(out)]) == 0
    text = out.read_text()
    assert f"Credit to the Gram anchor (R2): {credit}." in text
    assert "Degradation (R1): no." in text
    assert "nan" not in text
    difference = estimate(Table(lines(gain)).difference("gram-x2", "continue", PRIMARY[0]))
    beside = f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"
    (scenes,) = (line for line in text.splitlines() if line.startswith("| P1 matched coherence, scenes"))
    assert scenes.split(" | ")[2] == beside
    assert (f"{THRESHOLD})" in text) and ("what the rule asks for" in text) == (credit == "yes")
    came = "did not" if credit == "yes" else "did"
    assert f"the random one {came}; the blurred one {came}." in text
    assert "No trunk diverged" in text
    drawn = out.with_name("confirmatory.svg").read_text()
    assert drawn.count("<svg") == 1


def test_the_picture_shows_every_trunk_and_what_reaches_the_threshold() -> None:
    table = Table(lines(gain=0.05))
    figure = differences_figure(
        {
            name: [
                (
                    rival,
                    table.difference("gram-x2", rival, name),
                    estimate(table.difference("gram-x2", rival, name)),
                )
                for rival in ("continue", "gram-x1")
            ]
            for name in PRIMARY
        }
    )
    for axis, name in zip(figure.axes, PRIMARY, strict=True):
        dots, _, mean = axis.lines[1:4]
        assert np.allclose(dots.get_xdata(), table.difference("gram-x2", "continue", name))
        assert np.allclose(mean.get_xdata(), table.difference("gram-x2", "continue", name).mean())
        assert mean.get_color() == MODEL_COLOURS[1]  # beyond the threshold
        assert axis.get_xlim()[1] > 0.05


def test_a_diverged_trunk_is_named_on_the_page() -> None:
    assert "counted as no difference: trunk 3." in page.page(Table(lines(bad=3)))


def test_the_published_page_is_what_the_scores_say() -> None:
    table = read_table(CONFIRMATORY / "scores.jsonl")
    assert page.OUT.read_text(encoding="utf-8") == page.page(table)
    assert table.trunks == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("quoted_by", ["README.md", "docs/concepts/gram-anchoring.md"])
def test_what_is_quoted_of_the_page_is_on_it(quoted_by: str) -> None:
    text = " ".join((CONFIRMATORY.parents[1] / quoted_by).read_text(encoding="utf-8").split())
    table = read_table(CONFIRMATORY / "scores.jsonl")
    gains = credit(table.arms(), {name: table.column(TEACHER, name) for name in PRIMARY})[1]
    for found in gains.values():
        gain = found["continue"]
        assert f"{gain.mean:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]" in text


def test_the_page_waits_for_six_trunks(tmp_path: Path) -> None:
    scores, out = tmp_path / "scores.jsonl", tmp_path / "page.md"
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines(n=5)))
    assert page.main([str(scores), "--out", str(out)]) == 2
    assert not out.exists()


def test_the_spread_is_printed_without_any_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scores = tmp_path / "scores.jsonl"
    scores.write_text("".join(json.dumps(line) + "\n" for line in lines(gain=0.05)))
    assert spread.main([str(scores)]) == 0
    table = Table(lines(gain=0.05))
    want = [table.difference("gram-x2", "continue", name)[:3].std(ddof=1) for name in PRIMARY]
    printed = capsys.readouterr().out
    assert [f"{value:.4f}" in printed for value in want] == [True, True]
    assert "0.05" not in printed
    assert printed.endswith("trunks to train: 6\n")
