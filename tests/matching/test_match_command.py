"""`dinoscope match` as people use it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dinoscope as ds
from dinoscope.io.images import photograph_from_array
from dinoscope.matching.output import mutual_if_independent
from tests.command_line import run


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
    picture = np.asarray(small.resize((128, 96), Image.Resampling.BICUBIC))
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    paths = folder / "a.png", folder / "more" / "b.png"
    Image.fromarray(picture).save(paths[0])
    Image.fromarray(np.roll(picture, 16, axis=1)).save(paths[1])
    return paths


def test_it_writes_the_matches_of_all_models_on_the_same_points(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("match", *pair, "--models", "pixels,blur:pixels", "--grid", 12, "--mutual", "--out", out) == 0
    shown = capsys.readouterr().out
    found = json.loads((out / "matches.json").read_text())
    assert {p.name for p in out.iterdir()} == {"matches.json", "matches.png"}
    assert [m["label"] for m in found["models"]] == ["pixels", "blur:pixels"]
    first, second = found["models"]
    assert [row[:2] for row in first["points"]] == [row[:2] for row in second["points"]]
    assert len(first["points"]) == 48 and all(row[6] for row in first["matches"])
    right = [abs((row[2] - row[0]) % 1 - 1 / 8) < 1e-5 and row[1] == row[3] for row in first["matches"]]
    assert len(right) == 12 * 16 and all(right)
    assert shown.endswith("\nnote: controls, not trained models: pixels, blur:pixels\n")
    assert "mutual" in shown and "(of independent cosines: 50%)" in shown
    assert first["digest"][:16] in shown and "mutual_share_by_chance" not in first
    assert first["control"] and not first["toy"]
    n = 12 * 16
    assert first["mutual_share_of_independent_cosines"] == pytest.approx(n / (2 * n - 1), abs=1e-4)


def test_two_runs_carry_the_same_digest_and_json_stands_alone(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    digests = []
    for _ in range(2):
        assert run("match", *pair, "--models", "mini", "--grid", 8, "--foreground", "--json") == 0
        digests.append(json.loads(capsys.readouterr().out)["models"][0]["digest"])
    assert digests[0] == digests[1]


def test_the_share_of_independent_cosines_counts_the_patches_that_are_matched() -> None:
    rng = np.random.default_rng(0)
    shares, expected = [], 0.0
    of, among = np.zeros((6, 5), bool), np.zeros((4, 9), bool)
    of[:2], among[:3] = True, True  # 10 patches against 27
    for _ in range(40):
        f, g = (
            ds.PatchFeatures.from_array(
                rng.normal(size=(*m.shape, 64)).astype(np.float32), image_size=(90, 90)
            )
            for m in (of, among)
        )
        found = ds.match(f, g, mutual=False, foreground=(of, among))
        shares.append(found.mutual.mean())
        expected = mutual_if_independent(found)
    assert expected == 27 / 36
    assert np.mean(shares) == pytest.approx(expected, abs=0.05)


def test_keypoints_are_scored_for_one_pair_and_for_all_below_a_folder(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    points = tmp_path / "pairs.csv"
    with points.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["source_image", "target_image", "class", "XA", "YA", "XB", "YB"])
        rows.writerow(["x/a.png", "x/b.png", 1, "20;50;90", "10;40;80", "36;66;106", "10;40;80"])
        rows.writerow(["x/b.png", "x/a.png", 1, "36;66", "10;40", "20;50", "10;40"])
        rows.writerow(["x/a.png", "x/none.png", 1, "1", "1", "1", "1"])
    words = ["--models", "pixels,blur:pixels", "--grid", 12, "--keypoints", points]
    assert run("match", *pair, *words, "--json") == 0
    one = json.loads(capsys.readouterr().out)["models"][0]["keypoints"]
    assert one["pck"] == {"0.05": 1.0, "0.1": 1.0} and 0 < one["chance"]["0.1"] < 0.1
    out = tmp_path / "out"
    assert run("match", tmp_path / "photos", *words, "--out", out) == 1  # one photograph is not there
    told = capsys.readouterr()
    assert "no photograph 'none.png'" in told.err
    assert "2 pairs" in told.out and "PCK@0.1 (by chance" in told.out
    scores = json.loads((out / "matches.json").read_text())
    assert scores["pck"]["0.1"][0][0] == scores["pck"]["0.1"][1][0] == 1.0
    assert scores["controls"] == ["pixels", "blur:pixels"] and scores["toys"] == []
    assert len(scores["failures"]) == 1 and len(scores["differences"]["0.05"]) == 1
    rows_of_one = points.read_text().splitlines()[:2]
    points.write_text("\n".join(rows_of_one))
    assert run("match", tmp_path / "photos", *words) == 0
    told = capsys.readouterr()
    assert "1 pair; share" in told.out and "nan" not in told.out  # a single pair has no interval
    for more in (["--mutual"], ["--at", "0.5,0.5"], ["--spread", 9]):
        assert run("match", tmp_path / "photos", *words, *more) == 2
        assert "are for two photographs A B" in capsys.readouterr().err


def test_places_outside_the_foreground_are_told_apart_from_places_not_named(
    pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    f, g = ds.extract(list(pair), "pixels", grid=6)
    mask, _ = ds.foreground_by_pc1([f, g], ds.fit_pca([f, g], n=1))
    x, y = f.grid.centre(*(int(k) for k in np.argwhere(~mask)[0]))
    words = ("match", *pair, "--models", "pixels", "--grid", 6, "--foreground", "--at", f"{x},{y}")
    assert run(*words) == 2
    assert "none of these places lies in what every model takes for the foreground" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--keypoints", "points.csv"], "no keypoints of 'a.png' with 'b.png'"),
        (["--keypoints", "outside.csv"], "point 1 at (500, 1) lies outside 'a.png', which has 128x96 px"),
        (["--at", "2,0"], "both in [0, 1]"),
        (["--ratio", "0"], "ratio must be above 0"),
        (["--grid", "0"], "at least 1 patch"),
    ],
)
def test_bad_input_gets_one_line_and_usage(
    pair: tuple[Path, Path],
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("points.csv").write_text("c.png,d.png,1,1,1,1,1\n")
    Path("outside.csv").write_text("a.png,b.png,1,500,1,1,1\n")
    assert run("match", *pair, "--models", "pixels", "--grid", "6", *words) == 2
    assert said in capsys.readouterr().err


def test_one_photograph_alone_is_no_pair(pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("match", pair[0], "--models", "pixels") == 2
    assert "two photographs A B" in capsys.readouterr().err


def test_the_figure_says_which_models_are_toys_and_which_are_controls() -> None:
    rng = np.random.default_rng(0)
    photos = [photograph_from_array(rng.integers(0, 255, (64, 64, 3), np.uint8), name=n) for n in "ab"]
    f, g = ds.extract(photos, "pixels", grid=6)
    found = ds.match(f, g, mutual=False)
    models = dict.fromkeys(("mini", "random:mini", "dinov3-vits16"), found)
    said = [text.get_text() for text in ds.plot_matches(*photos, models, models).texts]
    kinds = {said[said.index(label) + 1] for label in models}
    assert kinds == {"toy model", "control, not a trained model", ""}
