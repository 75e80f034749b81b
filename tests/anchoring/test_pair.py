"""The command that trains the bundled pair: slices, saving, going on; and the bars it is held to."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.anchoring.arms import Recipe, arm_settings
from dinoscope.anchoring.folder import RunFolder
from experiments import bars, pair
from tests.anchoring.small_runs import small, write_photographs


@pytest.fixture
def shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    trunk = small(steps=10, checkpoint_every=2, snapshot_every=2)
    monkeypatch.setattr(pair, "TRUNK", trunk)
    monkeypatch.setattr(bars, "TRUNK", trunk)
    monkeypatch.setattr(
        pair, "PAIR", Recipe(steps=4, weight=20.0, update_every=0, cooldown=2, teacher_step=4)
    )

    def written(folder: Path, *, other: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "code.json").write_text("[]")

    monkeypatch.setattr(pair, "pin", written)


def test_slices_make_the_run_that_one_piece_makes(shrunk: None, tmp_path: Path) -> None:
    photographs = str(write_photographs(tmp_path / "photographs"))
    whole, parts, elsewhere = (tmp_path / name for name in ("whole", "parts", "elsewhere"))
    pair.main([str(whole), photographs])
    for _ in range(2):
        pair.main([str(parts), photographs, "--minutes", "1e-9"])
    assert (
        RunFolder(parts / "trunk").latest_checkpoint() == parts / "trunk" / "checkpoints" / "step-00000004.pt"
    )
    pair.main([str(parts), "--keep", str(tmp_path / "kept")])
    assert [p.name for p in (tmp_path / "kept" / "trunk" / "checkpoints").iterdir()] == ["step-00000004.pt"]
    pair.main([str(elsewhere), photographs, "--from", str(tmp_path / "kept")])
    for arm in ("continue", "gram-x2"):
        ends = [
            (out / "arms" / "seed-0" / arm / "teacher" / "model.safetensors").read_bytes()
            for out in (whole, elsewhere)
        ]
        assert ends[0] == ends[1]


def test_both_arms_cool_down_alike() -> None:
    recipe = Recipe(steps=6, cooldown=2)
    ends = [arm_settings(small(), 10, arm, recipe, teacher_step=2) for arm in ("continue", "gram-x2")]
    assert [(s.steps, s.cooldown_start, s.cooldown_steps) for s in ends] == [(16, 14, 2)] * 2
    plain = arm_settings(small(), 10, "continue", replace(recipe, cooldown=0), teacher_step=2)
    assert plain.cooldown_steps == 0


def test_bars_are_measured_once(shrunk: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thumbnails of two colours: the class is the colour, which pixels know and chance does not."""
    monkeypatch.setattr(bars, "PER_CLASS", 4)
    monkeypatch.setattr(bars, "NEIGHBOURS", 2)
    monkeypatch.setattr(bars, "DEVELOPMENT", 2)
    random = np.random.default_rng(0)

    def photograph(colour: int, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = random.integers(0, 60, (64, 96, 3))
        noise[..., colour] += 190
        Image.fromarray(noise.astype(np.uint8)).save(path)
        return path

    (tmp_path / "thumbnails").mkdir()
    with tarfile.open(tmp_path / "thumbnails" / "4.tar", "w") as archive:
        for i in range(12):
            path = photograph(i % 2, tmp_path / "loose" / f"{i}.png")
            archive.add(path, f"class{i % 2}/{i}.png")
    half = np.zeros((64, 96), np.uint8)
    half[:, 48:] = 1
    for drive in ("one_0", "one_1", "two_0", "two_1"):
        photograph(0, tmp_path / "camvid" / "images" / f"{drive}.png")
        (tmp_path / "camvid" / "masks").mkdir(exist_ok=True)
        Image.fromarray(half).save(tmp_path / "camvid" / "masks" / f"{drive}.png")
    for name in "ab":
        photograph(0, tmp_path / "bsds" / "images" / f"{name}.jpg")
        (tmp_path / "bsds" / "masks-1").mkdir(exist_ok=True)
        Image.fromarray(half).save(tmp_path / "bsds" / "masks-1" / f"{name}.png")
    out = tmp_path / "bars.jsonl"
    bars.main([str(tmp_path), str(out), "--controls", "--only", "thumbnails"])
    lines = {line["name"]: line for line in map(json.loads, out.read_text().splitlines())}
    assert set(lines) == {"pixels", "random"}
    assert lines["pixels"]["cls_knn"] == lines["pixels"]["map"] == 1.0
    assert len(lines["random"]["average_precision"]) == 8
    before = out.read_bytes()
    bars.main([str(tmp_path), str(out), "--controls", "--only", "thumbnails"])
    assert out.read_bytes() == before
    bars.main([str(tmp_path), str(out), "--controls", "--only", "thumbnails", "--again"])
    assert out.read_bytes() == 2 * before and len(bars.read_bars(out)) == 2
    bars.main(
        [
            str(tmp_path),
            str(out),
            "again=" + str(bars.random_network(tmp_path / "net")),
            "--only",
            "bsds,camvid",
        ]
    )
    assert len(bars.read_bars(out)) == 4


def test_networks_are_compared_photograph_by_photograph() -> None:
    """By hand: two of four hits more, and a boundary AUC higher by 0.1 everywhere."""
    lines = [
        {"name": "random", "kind": "thumbnails", "hits": [0], "average_precision": [0.1, 0.2, 0.3, 0.4]},
        {"name": "new", "kind": "thumbnails", "hits": [0, 1, 3], "average_precision": [0.1, 0.2, 0.3, 0.4]},
        {"name": "first-mini", "kind": "bsds", "each": [0.7, 0.8], "each_matched": [0.6, 0.7]},
        {"name": "new", "kind": "bsds", "each": [0.8, 0.9], "each_matched": [0.6, 0.7]},
    ]
    said = list(bars.paired(lines))
    assert said[0].startswith("new minus random, class-token k-NN: +0.5000 [")
    assert said[1] == "new minus random, average precision: +0.0000 [+0.0000, +0.0000]"
    assert said[2] == "new minus first-mini, boundary AUC: +0.1000 [+0.1000, +0.1000]"
    assert len(said) == 4
