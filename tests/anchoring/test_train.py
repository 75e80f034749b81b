from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import dinoscope.anchoring.checkpoint as checkpoint_module
from dinoscope.anchoring.checkpoint import checkpoint_paths, read_checkpoint
from dinoscope.anchoring.checks import TrainingStoppedError
from dinoscope.anchoring.config import Crops, SecondStage
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.train import Progress, run
from dinoscope.errors import InputError
from tests.anchoring.small_runs import NETWORK, small, write_photographs


class PowerCutError(Exception):
    """Ends a run from outside."""


def cut_at(step: int) -> Callable[[Progress], None]:
    def stop(progress: Progress) -> None:
        if progress.step == step:
            raise PowerCutError

    return stop


def tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return [t for item in value.values() for t in tensors(item)]
    return [t for item in value for t in tensors(item)] if isinstance(value, list | tuple) else []


def same_end(one: RunFolder, other: RunFolder) -> bool:
    """The same losses to the last digit, and the same last state, to the last bit."""
    left, right = (read_checkpoint(checkpoint_paths(f.checkpoints)[-1]).saved for f in (one, other))
    pairs = list(zip(tensors(left), tensors(right), strict=True))
    return (
        len(pairs) > 100
        and all(torch.equal(a, b) for a, b in pairs)
        and one.losses.read_bytes() == other.losses.read_bytes()
        and (one.teacher / "model.safetensors").read_bytes()
        == (other.teacher / "model.safetensors").read_bytes()
    )


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photographs"))


@pytest.fixture(scope="module")
def whole(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return run(small(), photographs, tmp_path_factory.mktemp("whole") / "run")


def test_a_run_leaves_what_its_folder_promises(whole: RunFolder) -> None:
    lines = [json.loads(line) for line in whole.losses.read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert set(lines[0]) == {"step", "dino_global", "dino_local", "ibot", "koleo", "loss", "gradient"}
    assert [path.name for path in checkpoint_paths(whole.checkpoints)] == [
        "step-00000004.pt",
        "step-00000006.pt",
    ]
    assert sorted(p.name for p in whole.snapshots.iterdir()) == [f"step-0000000{i}" for i in (2, 4, 6)]
    assert (whole.teacher / "config.json").is_file()
    about = json.loads(whole.about.read_text())
    assert about["photographs"]["n"] == 9 and about["fork"] is None


@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_interrupted_and_resumed_equals_uninterrupted(
    whole: RunFolder, photographs: Path, tmp_path: Path, step: int
) -> None:
    with pytest.raises(PowerCutError):
        run(small(), photographs, tmp_path / "run", on_step=cut_at(step))
    torch.manual_seed(step)  # of the caller: must not matter
    again = run(small(), photographs, tmp_path / "run", resume=True)
    assert same_end(again, whole)


def test_killed_without_warning_and_started_again(
    whole: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    settings = small(steps=4000, checkpoint_every=2, snapshot_every=0)
    (tmp_path / "settings.json").write_text(settings.as_json())
    folder = RunFolder(tmp_path / "run")
    command = [
        sys.executable,
        "-m",
        "tests.anchoring.killed_run",
        photographs,
        folder.path,
        tmp_path / "settings.json",
    ]
    process = subprocess.Popen([str(word) for word in command], cwd=Path(__file__).parents[2])
    deadline = time.monotonic() + 300
    while not checkpoint_paths(folder.checkpoints):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    reached = read_checkpoint(checkpoint_paths(folder.checkpoints)[-1]).step
    settings = replace(settings, steps=max(6, reached + 1))
    again = run(settings, photographs, folder.path, resume=True)
    straight = run(settings, photographs, tmp_path / "straight")
    assert same_end(again, straight)
    assert straight.losses.read_text().startswith(whole.losses.read_text())


def test_a_torn_last_line_and_lines_beyond_the_checkpoint_go(
    whole: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    with pytest.raises(PowerCutError):
        run(small(), photographs, tmp_path / "run", on_step=cut_at(5))
    folder = RunFolder(tmp_path / "run")
    assert len(folder.losses.read_text().splitlines()) == 5
    with folder.losses.open("a") as file:
        file.write('{"step": 6, "dino_gl')
    assert same_end(run(small(), photographs, folder.path, resume=True), whole)
    folder.losses.write_text("")
    with pytest.raises(InputError, match="ends at step 0, before the checkpoint of step 6"):
        run(small(steps=8), photographs, folder.path, resume=True)


def test_a_longer_run_goes_on_from_a_shorter_one(whole: RunFolder, photographs: Path, tmp_path: Path) -> None:
    run(small(steps=4), photographs, tmp_path / "run")
    assert same_end(run(small(), photographs, tmp_path / "run", resume=True), whole)


def test_another_seed_is_another_curve(whole: RunFolder, photographs: Path, tmp_path: Path) -> None:
    other = run(small(seed=1), photographs, tmp_path / "run")
    assert other.losses.read_text() != whole.losses.read_text()


def test_progress_is_told(photographs: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    state = torch.get_rng_state()
    run(small(steps=3), photographs, tmp_path / "run", on_step=told.append)
    assert [(p.step, p.steps) for p in told] == [(1, 3), (2, 3), (3, 3)]
    assert told[0].remaining_s == pytest.approx(2 * told[0].seconds_per_step)
    assert told[2].remaining_s == 0 and told[2].losses["loss"] > 0
    assert torch.equal(torch.get_rng_state(), state)


def test_a_folder_that_holds_another_run_is_refused(
    whole: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    before = whole.about.read_bytes(), whole.losses.read_bytes()
    with pytest.raises(InputError, match=r"holds another run \(run\.json, .*resume it .*force"):
        run(small(), photographs, whole.path)
    with pytest.raises(InputError, match=r"learning_rate was 0\.001, is 0\.5"):
        run(small(learning_rate=0.5), photographs, whole.path, resume=True)
    others = write_photographs(tmp_path / "others", n=10)
    with pytest.raises(InputError, match="other photographs"):
        run(small(), others, whole.path, resume=True)
    with pytest.raises(InputError, match="give one of them"):
        run(small(), photographs, whole.path, resume=True, force=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be the folder of a run"):
        run(small(), photographs, tmp_path / "file")
    assert before == (whole.about.read_bytes(), whole.losses.read_bytes())


def test_a_second_process_is_kept_out(photographs: Path, tmp_path: Path) -> None:
    def again(progress: Progress) -> None:
        with pytest.raises(InputError, match="another process is learning in"):
            run(small(steps=2), photographs, tmp_path / "run", resume=True)

    run(small(steps=2), photographs, tmp_path / "run", on_step=again)
    run(small(steps=3), photographs, tmp_path / "run", resume=True)


def test_what_goes_wrong_in_the_callback_is_the_callers(photographs: Path, tmp_path: Path) -> None:
    def broken(progress: Progress) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        run(small(), photographs, tmp_path / "run", on_step=broken)


def test_force_replaces_a_run_and_leaves_other_files(
    whole: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    folder = run(small(seed=5, steps=8), photographs, tmp_path / "run")
    (folder.path / "notes.txt").write_text("mine")
    assert same_end(run(small(), photographs, folder.path, force=True), whole)
    assert (folder.path / "notes.txt").read_text() == "mine"
    assert not folder.snapshot(8).exists()


def test_a_run_that_diverges_stops_and_says_where(photographs: Path, tmp_path: Path) -> None:
    settings = small(learning_rate=1e20, warmup=0, steps=40, checkpoint_every=1)
    with pytest.raises(TrainingStoppedError) as caught:
        run(settings, photographs, tmp_path / "run")
    stopped = caught.value
    folder = RunFolder(tmp_path / "run")
    assert stopped.what in ("dino_global", "dino_local", "ibot", "koleo", "gradient")
    assert f"stopped at step {stopped.step}: {stopped.what} is not finite" in str(stopped)
    assert stopped.checkpoint == folder.latest_checkpoint()
    assert stopped.checkpoint is not None
    assert read_checkpoint(stopped.checkpoint).step == stopped.step - 1
    logged = [json.loads(line) for line in folder.losses.read_text().splitlines()]
    assert len(logged) == stopped.step - 1


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    whole: RunFolder, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = torch.save

    def fills_up(content: dict[str, Any], file: Any) -> None:
        if content["state"]["step"] == 4:
            file.write(b"half a checkpoint")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(content, file)

    monkeypatch.setattr(checkpoint_module.torch, "save", fills_up)
    folder = RunFolder(tmp_path / "run")
    with pytest.raises(
        TrainingStoppedError, match=r"step 4: cannot write \(.*No space left.*make room and resume"
    ) as caught:
        run(small(), photographs, folder.path)
    assert [p.name for p in folder.checkpoints.iterdir()] == ["step-00000002.pt"]
    assert caught.value.checkpoint == folder.latest_checkpoint()
    monkeypatch.undo()
    assert same_end(run(small(), photographs, folder.path, resume=True), whole)


def test_a_checkpoint_that_does_not_fit_is_refused(
    whole: RunFolder, photographs: Path, tmp_path: Path
) -> None:
    latest = whole.latest_checkpoint()
    stage = SecondStage(start=6)
    wider = small(steps=8, network=replace(NETWORK, depth=3), second_stage=stage)
    with pytest.raises(InputError, match=r"another architecture: depth 2 \(wanted 3\)"):
        run(wider, photographs, tmp_path / "run", fork=latest)
    with pytest.raises(InputError, match="is of step 6, the second stage starts at 5"):
        run(small(steps=8, second_stage=SecondStage(start=5)), photographs, tmp_path / "run", fork=latest)
    with pytest.raises(InputError, match="beyond the fork"):
        run(small(second_stage=stage), photographs, tmp_path / "run", fork=latest)
    with pytest.raises(InputError, match="learnt from other photographs"):
        run(
            small(steps=8, second_stage=stage),
            write_photographs(tmp_path / "p", n=10),
            tmp_path / "run",
            fork=latest,
        )
    with pytest.raises(InputError, match="checkpoint to fork from"):
        run(small(steps=8, second_stage=stage), photographs, tmp_path / "run")
    with pytest.raises(InputError, match="its teacher's folder"):
        run(
            small(steps=8, second_stage=replace(stage, anchor="gram")),
            photographs,
            tmp_path / "run",
            fork=latest,
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "step-00000001.pt"
    if content is None:
        torch.save({"weights": torch.zeros(2)}, path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"step-00000001\.pt"):
        read_checkpoint(path)
    with pytest.raises(InputError, match="nowhere"):
        read_checkpoint(tmp_path / "nowhere.pt")


def test_photographs_are_checked_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="fewer than a batch"):
        run(small(), write_photographs(tmp_path / "p", n=3), tmp_path / "run")
    large = small(memory_px=0, crops=Crops(global_px=48, local_px=8, mask_side=(1, 2)))
    with pytest.raises(InputError, match="smaller than a crop of 48 px"):
        run(large, write_photographs(tmp_path / "p", n=4), tmp_path / "run")
    assert not (tmp_path / "run").exists()
