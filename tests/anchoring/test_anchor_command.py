"""The command that made the bundled pair, at the smallest size: run, cut off, resumed, refused."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import skimage
import torch

from dinoscope.anchoring import checkpoint as checkpoint_module
from dinoscope.anchoring import step as step_module
from dinoscope.cli import main
from tests.anchoring.small_runs import write_photographs

SMALL = [
    *("--trunk-steps", "6", "--steps", "4", "--batch", "4", "--dim", "16", "--depth", "2", "--heads", "2"),
    *("--patch-size", "4", "--crops", "16,8", "--snapshot-every", "2", "--checkpoint-every", "2"),
    *("--measure-every", "10", "--measured-scenes", "8", "--device", "cpu"),
]
BRIEF = [*SMALL, "--arms", "continue,gram-x2", "--seeds", "1", "--planted-steps", "2"]

KILLED = """
import os, signal
from dinoscope.anchoring import train
from dinoscope.cli import main
written = train.write_checkpoint
def the_last(*state):
    written(*state)
    os.kill(os.getpid(), signal.SIGKILL)
train.write_checkpoint = the_last
main()
"""


def anchor(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from dinoscope.cli import main; main()", "anchor", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def refused(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Run the command in this process; what it says where it ends with an exit code of its own."""

    def run(*words: str, source: Path = photographs, code: int = 2) -> str:
        argv = ["dinoscope", "anchor", str(source), "--out", str(tmp_path / "out"), *BRIEF, *words]
        monkeypatch.setattr(sys, "argv", argv)
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr().err
        assert ended.value.code == code and "Traceback" not in said
        return said

    return run


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


def test_a_run_that_was_killed_goes_on_and_reports(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, "anchor", str(photographs), "--out", str(out), *BRIEF]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert [path.stem for path in (out / "trunk" / "checkpoints").iterdir()] == ["step-00000002"]
    done = anchor(photographs, "--out", out, *BRIEF, "--resume")
    assert done.returncode == 0, done.stderr
    assert "trunk: step 6 of 6" in done.stderr and "ibot" in done.stderr and "left" in done.stderr
    assert "gram-x2, seed 0: step 10 of 10" in done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert done.stdout.startswith(metrics["conclusion"][0])
    assert {line["run"] for line in metrics["scores"]} >= {"continue", "gram-x2", "trunk"}
    planted = metrics["positive_control"]
    assert metrics["gate"] is None or (planted is None) == metrics["gate"]["fires"]
    if planted is not None:
        assert planted["sentences"][0] in done.stdout.split("Positive control, no part of the above:")[1]
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
    refused: Callable[..., str], words: list[str], said: str
) -> None:
    assert said in refused(*words)


def test_the_demos_photographs_are_not_learnt_from(refused: Callable[..., str]) -> None:
    cat = Path(skimage.__file__).parent / "data" / "chelsea.png"
    assert "one of the demo's photographs" in refused(str(cat))


def test_one_picture_many_times_is_refused(refused: Callable[..., str], tmp_path: Path) -> None:
    folder = write_photographs(tmp_path / "same", n=1)
    for i in range(5):
        (folder / f"copy-{i}.png").write_bytes((folder / "00.png").read_bytes())
    assert "all 6 photographs are the same picture" in refused(source=folder)


def test_a_loss_that_is_not_finite_stops_at_the_last_good_checkpoint(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0
    koleo = step_module.koleo_loss

    def breaks(vectors: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return koleo(vectors) if calls <= 8 else torch.tensor(float("nan"))  # two crops a step

    monkeypatch.setattr(step_module, "koleo_loss", breaks)
    said = refused()
    assert "stopped at step 5: koleo is not finite" in said and "step-00000004.pt" in said
    assert (tmp_path / "out/trunk/checkpoints/step-00000004.pt").is_file()


def test_a_full_disk_an_interrupt_and_another_architecture(
    refused: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def fills_up(content: dict[str, Any], file: Any) -> None:
        if content["state"]["step"] == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(content, file)

    monkeypatch.setattr(checkpoint_module.torch, "save", fills_up)
    said = refused()
    assert "No space left on device, on the disk mounted at " in said
    assert "make room and resume; the last good checkpoint is" in said
    monkeypatch.setattr(checkpoint_module.torch, "save", save)
    assert "holds another run: network.dim was 16, is 32" in refused("--dim", "32", "--resume")

    def interrupts(vectors: torch.Tensor) -> torch.Tensor:
        raise KeyboardInterrupt

    monkeypatch.setattr(step_module, "koleo_loss", interrupts)
    assert "the same command with --resume goes on" in refused("--resume", code=130)
    assert [p.name for p in (tmp_path / "out/trunk/checkpoints").iterdir()] == ["step-00000002.pt"]


def test_scenes_can_be_learnt_from(tmp_path: Path) -> None:
    done = anchor("scenes:5", "--out", tmp_path, *SMALL, "--arms", "", "--seeds", "1")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "scenes" / "images").iterdir())) == 5
    assert "nothing is said about the anchor" in done.stdout
