"""The command that made the bundled pair, at the smallest size: run, cut off, resumed, refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import skimage

from tests.anchoring.small_runs import write_photographs

SMALL = [
    *("--trunk-steps", "6", "--steps", "4", "--batch", "4", "--dim", "16", "--depth", "2", "--heads", "2"),
    *("--patch-size", "4", "--crops", "16,8", "--snapshot-every", "2", "--checkpoint-every", "2"),
    *("--measure-every", "10", "--measured-scenes", "8", "--device", "cpu"),
]
BRIEF = [*SMALL, "--arms", "continue,gram-x2", "--seeds", "1"]


def anchor(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from dinoscope.cli import main; main()", "anchor", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


def test_a_run_that_was_killed_goes_on_and_reports(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", "from dinoscope.cli import main; main()", "anchor", str(photographs)]
    with subprocess.Popen([*command, "--out", str(out), *BRIEF], stderr=subprocess.PIPE) as running:
        until = time.monotonic() + 120
        while not list((out / "trunk" / "checkpoints").glob("*2.pt")) and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
    done = anchor(photographs, "--out", out, *BRIEF, "--resume")
    assert done.returncode == 0, done.stderr
    assert "trunk: step 6 of 6" in done.stderr and "ibot" in done.stderr and "left" in done.stderr
    assert "gram-x2, seed 0: step 10 of 10" in done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert done.stdout.startswith(metrics["conclusion"][0])
    assert {line["run"] for line in metrics["scores"]} >= {"continue", "gram-x2", "trunk"}
    assert (out / "report.html").is_file()
    teacher = json.loads((out / "arms/seed-0/gram-x2/teacher/config.json").read_text())
    assert teacher["model_type"] == "dinov3_vit" and teacher["hidden_size"] == 16
    again = anchor(photographs, "--out", out, *BRIEF)
    assert again.returncode == 2 and "--resume" in again.stderr and "--force" in again.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--batch", "64"], "fewer than a batch of 64"),
        (["--crops", "64,32"], "smaller than a crop of 64 px"),
        (["--crops", "64"], "--crops takes G,L"),
        (["--arms", "gram-x9"], "no arm 'gram-x9'"),
        (["--heads", "3"], "multiple of 4 * heads"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    photographs: Path, tmp_path: Path, words: list[str], said: str
) -> None:
    done = anchor(photographs, "--out", tmp_path / "out", *BRIEF, *words)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


def test_the_demos_photographs_are_not_learnt_from(photographs: Path, tmp_path: Path) -> None:
    cat = Path(skimage.__file__).parent / "data" / "chelsea.png"
    done = anchor(photographs, cat, "--out", tmp_path / "out", *BRIEF)
    assert done.returncode == 2 and "one of the demo's photographs" in done.stderr


def test_scenes_can_be_learnt_from(tmp_path: Path) -> None:
    done = anchor("scenes:5", "--out", tmp_path, *SMALL, "--arms", "", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "scenes" / "images").iterdir())) == 5
    assert "nothing is said about the anchor" in done.stdout
