from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import stable
from benchmarks.__main__ import main
from benchmarks.baseline import baseline_key, changes, read_baseline, write_baseline
from benchmarks.bounds import Network
from benchmarks.contest import ratio
from benchmarks.curves import exponent
from benchmarks.extract import forward_flops, same_weights
from benchmarks.machine import RESULTS, machine_name
from benchmarks.machine_page import picture_name, results_of
from benchmarks.page import PAGE, write_page
from benchmarks.plots import digest
from benchmarks.progress import Progress


def test_ratios_are_of_the_same_round() -> None:
    found = ratio([2, 4, 6, 8, 50], [1, 2, 3, 4, 10])
    assert found == {"median": 2.0, "spread": 0.0}
    assert ratio([1, 2, 3, 4, 5], [1, 1, 1, 1, 1]) == {"median": 3.0, "spread": 1.0}


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_the_exponent_of_a_power(power: float) -> None:
    assert exponent([8, 32, 128], [3 * n**power for n in (8, 32, 128)]) == pytest.approx(power)


def test_what_changed_since_the_baseline(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    assert read_baseline("cpu", path) == {}
    committed = {
        "a": {"median": 1.0, "spread": 0.1},
        "b": {"median": 1.0, "spread": 0.1},
        "c": {"median": 2.0, "spread": 0.1},
    }
    write_baseline("cpu", committed, path)
    write_baseline("cuda", {}, path)
    now = {
        "a": {"median": 1.39, "spread": 0.1},
        "b": {"median": 0.5, "spread": 0.1},
        "d": {"median": 3.0, "spread": 0.1},
    }
    a, b, c, d = changes(now, read_baseline("cpu", path))
    assert a.endswith("as it was") and b.endswith("changed by -0.500")
    assert "gone" in c and d.endswith("new")


def test_the_operations_said_of_a_network_are_those_it_makes() -> None:
    network, side = Network("two blocks", depth=2, dim=192), 128
    _, backbone = same_weights(network.dim, network.depth, heads=3)
    patches = 2 * (side // 16) ** 2 * (3 * 16**2) * network.dim
    assert forward_flops(backbone, side) - patches == pytest.approx(network.tflop(side) * 1e12)


WAYS = {"forward only", "ours", "plain loop", "transformers batched", "official style"}


def test_the_whole_bench_runs_and_makes_its_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results = tmp_path / "results"
    main(["--tiny", "--baseline", "--out", str(results)])
    out, err = capsys.readouterr()
    folder = results / machine_name(torch.device("cpu"))
    contest = json.loads((folder / "contest-float32.json").read_text())
    assert set(contest["seconds"]) >= WAYS  # timm is there where it is installed
    assert all(len(seconds) == contest["rounds"] == 2 for seconds in contest["seconds"].values())
    assert contest["machine"]["command"] and contest["profile"]["photographs"] == 3
    for name, rate in contest["photographs_per_s"].items():
        share = contest["gflop_per_photograph"] * rate / contest["matrix_gflops"]
        assert contest["share_of_matrix_rate"][name] == pytest.approx(share)
    curves = json.loads((folder / "curves.json").read_text())
    assert set(curves) - {"machine"} == {"photographs", "patches", "channels", "models"}
    assert all(point["s"] > 0 for what in curves if what != "machine" for point in curves[what]["points"])
    assert "ours" in out and "most of it goes to" in out and "new" in out
    steps = [line for line in err.splitlines() if "s left]" in line]
    assert len(steps) == 1 + 2 + 1 + 8 and "about 0 s left" in steps[-1]
    assert set(read_baseline(baseline_key(contest), results / "baseline.json")) == set(contest["ratios"])

    (results / "baseline.json").unlink()
    page = tmp_path / "page" / "index.md"
    page.parent.mkdir()
    (page.parent / "old.svg").write_text("gone with its result")
    write_page(results, page)
    text = page.read_text()
    for way in WAYS:
        assert f"| {way} |" in text
    assert "n^" in text and "GFLOP/s" in text and contest["machine"]["command"] in text
    drawn = {path.name for path in page.parent.glob("*.svg")}
    assert drawn == {picture_name(folder, name) for name in ("contest-float32", "curves")}
    assert all(f"]({name})" in text for name in drawn)
    assert digest(contest) in (page.parent / picture_name(folder, "contest-float32")).read_text()


def test_the_pictures_of_the_page_show_the_results() -> None:
    wanted = {}
    for folder in (path for path in RESULTS.iterdir() if path.is_dir()):
        wanted |= {picture_name(folder, name): result for name, result in results_of(folder).items()}
    assert {path.name for path in PAGE.parent.glob("*.svg")} == set(wanted), "run python -m benchmarks.page"
    for name, result in wanted.items():
        assert digest(result) in (PAGE.parent / name).read_text(encoding="utf-8"), name


def test_progress_estimates_by_weight(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([100.0, 110.0, 140.0])
    monkeypatch.setattr("benchmarks.progress.time.perf_counter", lambda: next(clock))
    progress = Progress([1.0, 3.0])
    progress.step("first")
    progress.step("second")
    assert capsys.readouterr().err.splitlines() == [
        "[  10 s, about 30 s left] first",
        "[  40 s, about 0 s left] second",
    ]


def test_a_race_is_of_the_least_times_and_says_when_it_falls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = iter([4.0, 1.0, 3.0, 2.0, 6.0, 1.5] * 2)
    monkeypatch.setattr(stable, "processor_seconds", lambda _: next(times))

    def nothing() -> None:
        return None

    held = {"kept": stable.Race(nothing, nothing, 2.9), "fell": stable.Race(nothing, nothing, 3.1)}
    monkeypatch.setattr(stable, "races", lambda: held)
    assert stable.fallen() == ["fell"]
    assert capsys.readouterr().out.count("3.00") == 2
