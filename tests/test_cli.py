"""The commands as a user runs them, with the control `pixels`, which needs no weights."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.io.features import read_features
from tests.command_line import run


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i, size in enumerate([(80, 60), (60, 80), (64, 64)]):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize(size, Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return folder


def test_compare_writes_a_report_and_its_numbers(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("compare", photos, "--models", "pixels,blur:pixels", "--grid", 8, "--out", out) == 0
    assert {p.name for p in out.iterdir()} == {
        "report.html",
        "figures",
        "metrics.csv",
        "metrics.json",
        "manifest.json",
        "table.md",
        "table.tex",
        "plane.svg",
        "plane.png",
    }
    assert {p.name for p in (out / "figures").iterdir()} == {"overview.png", "captions.md"}
    shown = capsys.readouterr().out
    assert str(out / "report.html") in shown
    assert "pixels" in shown and "neighbour" in shown
    metrics = json.loads((out / "metrics.json").read_text())
    assert "schema_version" in metrics
    with (out / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    triple = [row for row in rows if row["metric"] in ("neighbour", "random_pair", "locality")]
    assert len([row for row in triple if row["model"] in metrics["models"]]) == 3 * 2 * 3
    digests = {entry["digest"] for entry in json.loads((out / "manifest.json").read_text())["photographs"]}
    assert len(digests) == 3


def test_compare_ends_short_and_says_all_when_asked(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    (photos / "bad.jpg").write_bytes(b"x")
    words = (
        "compare",
        photos / "0.png",
        photos / "1.png",
        photos / "bad.jpg",
        "--grid",
        6,
        "-o",
        tmp_path / "o",
    )
    assert run(*words, "--open") == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) <= 12
    assert "1 input could not be used" in out and "warning" in out and "toy models (mini, mini-gram)" in out
    assert "bundled pair, mini and mini-gram" in err and "bad.jpg" in err
    assert opened == [(tmp_path / "o" / "report.html").absolute().as_uri()]
    assert run(*words, "--models", "pixels", "--json", "-q") == 1
    out, err = capsys.readouterr()
    assert json.loads(out) == json.loads((tmp_path / "o" / "metrics.json").read_text())
    assert len(err.splitlines()) == 1 and "bad.jpg" in err
    assert run(*words, "--models", "pixels,blur:pixels", "--full") == 1
    out = capsys.readouterr().out
    assert len(out.splitlines()) > 30 and "note: " in out


def test_a_second_run_replaces_the_first_and_leaves_other_files(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    words = ("compare", photos, "--models", "pixels", "--grid", 6, "--figures", "png", "--out", out)
    assert run(*words) == 0
    (photos / "2.png").unlink()
    assert run(*words) == 0
    assert (out / "mine.txt").read_text() == "keep"
    assert len(list((out / "figures").glob("*.png"))) == 3
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_bad_photographs_cost_only_themselves(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = (photos / "0.png").read_bytes()
    (photos / "empty.jpg").write_bytes(b"")
    (photos / "cut.png").write_bytes(good[: len(good) // 2])
    (photos / "words.jpg").write_text("no photograph")
    Image.new("RGB", (1, 1)).save(photos / "one.png")
    Image.new("RGB", (1, 5000)).save(photos / "strip.png")
    Image.new("1", (30_000, 30_000)).save(photos / "bomb.png")
    (photos / "twin.png").write_bytes(good)
    (photos / "dangling.jpg").symlink_to(photos / "nowhere")
    hostile = photos / 'a "b" \'<script>alert(1)</script>\n.png'.replace("/", "_")
    hostile.write_bytes((photos / "1.png").read_bytes() + b"\0")
    empty = tmp_path / "empty folder"
    empty.mkdir()
    out = tmp_path / "out"
    code = run(
        "compare", photos, empty, tmp_path / "gone.jpg", "--models", "pixels", "--grid", 6, "--out", out
    )
    assert code == 1
    said = capsys.readouterr().err
    for name in (
        "empty.jpg",
        "cut.png",
        "words.jpg",
        "one.png",
        "strip.png",
        "bomb.png",
        "twin.png",
        "dangling.jpg",
        "empty folder",
        "gone.jpg",
    ):
        assert f"{name}: " in said or f"{name}'" in said, name
    failures = json.loads((out / "metrics.json").read_text())["failures"]
    assert len(failures) == 10
    report = (out / "report.html").read_text()
    assert "<script>alert(1)" not in report
    assert "alert(1)" in report  # the name itself is there, escaped
    assert not [p for p in out.rglob("*") if ".tmp" in p.name or p.name.startswith(".dinoscope")]


def test_an_unreadable_photograph_costs_only_itself(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:  # root may read what chmod forbids, so the refusal is played
        if path.name == "0.png":
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert run("compare", photos, "--models", "pixels", "--grid", 6, "--out", tmp_path / "out") == 1
    assert "0.png: cannot be read: Permission denied" in capsys.readouterr().err


def test_one_photograph_is_enough(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("compare", photos / "0.png", "--models", "pixels,blur:pixels", "--grid", 6, "--out", out) == 0
    assert (out / "report.html").stat().st_size > 10_000


def test_only_bad_photographs_end_with_1_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"x")
    assert run("compare", tmp_path / "bad.jpg", "--models", "pixels", "--out", tmp_path / "out") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--models", "pixels", "--grid", "0"], "at least 1 patch"),
        (["--models", "pixels", "--grid", "10000"], "GiB"),
        (["--models", "random:dinov3-vits16", "--grid", "10000"], "GiB"),
        (["--models", "dinov3-vitb16", "--grid", "10000"], "GiB"),
        (["--models", "dinov3-vitb61"], "dinov3-vitb16"),
        (["--models", "pixels,nonsense"], "nonsense"),
        (["--models", ""], "no model"),
        (["--models", "pixels", "--at", "2,0"], "--at"),
        (["--models", "pixels", "--at", "left"], "--at"),
        (["--models", "pixels", "--components", "0,1"], "three numbers"),
        (["--models", "pixels", "--layer", "7"], "layer 7"),
        (["--models", "pixels", "--resize", "nearest"], "nearest"),
        (["--models", "pixels", "--device", "toaster"], "toaster"),
        (["--models", "pixels", "--dtype", "int8"], "int8"),
        (["--models", "pixels", "--foreground", "magic"], "magic"),
    ],
)
def test_usage_errors_end_with_2_before_any_work(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    out = tmp_path / "out"
    assert run("compare", photos, *words, "--out", out) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_no_photographs_end_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", tmp_path, "--models", "pixels", "--out", tmp_path / "out") == 2
    assert "no photographs" in capsys.readouterr().err
    assert run("compare", "--models", "pixels") == 2


def test_a_model_named_where_photographs_are_is_told_where_it_goes(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("compare", photos, "mini", "dinov3-vits16", "pixels", "--out", tmp_path / "out") == 2
    assert "mini, dinov3-vits16, pixels: no photograph here" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    (tmp_path / "mini").mkdir()
    assert run("compare", "mini", "--models", "pixels") == 2  # a folder may be called so
    assert "no photographs: name files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("word", "said"), [("refine", "anchor --from"), ("segment", "dinoscope view"), ("attention", "look")]
)
def test_what_is_no_command_is_said_where_it_is(
    word: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(word, "photo.jpg") == 2
    told = capsys.readouterr().err
    assert told.startswith(f"dinoscope: no command is called {word}: ") and said in told


def test_a_command_without_its_models_says_what_could_be_tried(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (("look", photos / "0.png"), ("embed", photos, photos / "store")):
        assert run(*command) == 2
        assert "mini and mini-gram are bundled toys" in capsys.readouterr().err


def test_missing_weights_end_with_3(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    missing = tmp_path / "gone.pth"
    assert run("compare", photos, "--models", f"dinov3-vits16={missing}", "--out", tmp_path / "out") == 3
    assert "gone.pth" in capsys.readouterr().err


def test_debug_shows_the_traceback(photos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", photos, "--models", "nonsense", "--debug") == 2
    said = capsys.readouterr().err
    assert "Traceback" in said and "UnknownBackboneError" in said


def test_wherever_a_toy_is_measured_it_is_called_one(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (photos / "0.png", "--models", "mini", "--grid", 6, "--out", tmp_path / "out")
    for command in (("measure", *words), ("compare", *words, "--full")):
        assert run(*command) == 0
        assert capsys.readouterr().out.count("note: toy model (mini): to show how things work") == 1


def test_measure_prints_one_json_object_and_nothing_else(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "bad.jpg").write_bytes(b"x")
    assert run("measure", photos, "--models", "pixels,blur:pixels", "--grid", 6, "--json") == 1
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert len(result["failures"]) == 1
    assert "bad.jpg" in printed.err
    assert run("measure", photos, "--models", "pixels", "--grid", 6, "--out", tmp_path / "m") == 1
    said = capsys.readouterr().out
    assert said.endswith(f"numbers: {tmp_path / 'm'}\n")
    assert "controls, not trained models: pixels" in said
    assert {p.name for p in (tmp_path / "m").iterdir()} == {
        "metrics.csv",
        "metrics.json",
        "plane.png",
        "plane.svg",
        "rows.jsonl",
        "table.md",
        "table.tex",
    }


@pytest.mark.parametrize("format_", ["safetensors", "npz"])
def test_extract_writes_one_file_a_photograph(photos: Path, tmp_path: Path, format_: str) -> None:
    out = tmp_path / "features"
    words = ["extract", photos, "--model", "pixels", "--grid", 6, "--out", out, "--format", format_]
    assert run(*words) == 0
    files = sorted(out.iterdir())
    assert [f.suffix for f in files] == [f".{format_}"] * 3
    (features,) = read_features(files[0]).values()
    assert features.grid.shape == (6, 8)
    assert features.provenance.image == "0.png"
    assert run("extract", photos, "--model", "pixels", "--out", out, "--format", "csv") == 2
    assert run("extract", photos, "--model", "pixels,pixels", "--out", out) == 2
    assert run("extract", photos, "--model", "pixels", "--out", out, "--layers", "5") == 2


def test_a_folder_that_cannot_be_written_to_is_one_line(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("x")
    for command, model in (("compare", "--models"), ("measure", "--models"), ("extract", "--model")):
        words = [command, photos, model, "pixels", "--grid", 6, "--out", tmp_path / "taken"]
        assert run(*words) == 2
        said = capsys.readouterr().err
        assert "taken" in said
        assert "Traceback" not in said


def test_models_lists_every_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("models") == 0
    printed = capsys.readouterr().out
    for name in ("dinov2-small", "dinov2-reg-giant", "dinov3-vit7b16-sat", "dinov3-convnext-tiny", "pixels"):
        assert name in printed
    assert "DINOv3" in printed and "Apache-2.0" in printed


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert "dinoscope" in capsys.readouterr().out
    assert run("--help") == 0
    assert "compare" in capsys.readouterr().out


def test_a_choice_that_there_is_not_is_told_with_those_there_are(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compare", photos, "--resize", "foo") == 2
    said = capsys.readouterr().err
    assert "'--resize': 'foo' is not one of 'bilinear', 'bicubic', 'official'" in said


def test_a_reader_that_goes_away_is_no_fault() -> None:
    command = [sys.executable, "-m", "dinoscope", "models", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141
