"""What a run keeps so that it can go on: damaged, of another shape, written by two at once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.evaluate import _lines
from dinoscope.anchoring.folder import RunFolder, _stored, cut_losses
from dinoscope.anchoring.held_out import Probes, _read
from dinoscope.anchoring.logs import Ledger, loss_curve
from dinoscope.choice.gathered import Gathered, Gathering
from dinoscope.comparison.row import Row
from dinoscope.comparison.tables.reading import measurements_in, read_metrics
from dinoscope.errors import InputError
from dinoscope.io.journal import Journal
from tests.command_line import run

DEEP = b"[" * 100_000 + b"\n"
TEXTS = {
    "deep": DEEP,
    "bytes": b"\xff\xfe\n",
    "zeros": bytes(99),
    "number": b"5\n",
    "list": b"[]\n",
    "half": b'{"a',
}


@pytest.mark.parametrize("line", [DEEP, b"5\n", b"\xff\n", b'{"key": []}\n', bytes(9) + b"\n"])
def test_a_journal_with_such_a_line_says_which(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    Journal(path, {}).add("a", {})
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(InputError, match=r"rows\.jsonl', line 3: damaged"):
        Journal(path, {})


@pytest.mark.parametrize("row", [{}, {"image": 5}, {"image": "a", "values": [], "people": {}, "curves": {}}])
def test_a_row_of_another_shape_is_named(tmp_path: Path, row: dict[str, object]) -> None:
    journal = Journal(tmp_path / "rows.jsonl", {})
    journal.add("abc", row)
    with pytest.raises(InputError, match=r"the row of abc in .*rows\.jsonl"):
        journal.read("abc", Row.from_json)


def test_a_journal_that_somebody_rewrote_is_not_read_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows.jsonl", {})
    journal.add("abc", {"value": 1})
    (tmp_path / "rows.jsonl").write_text('{"settings": {}}\n{"key": "xyz", "value": 2}\n')
    with pytest.raises(InputError, match="it is another one"):
        journal.read("abc", dict)


def test_two_writers_of_one_journal_read_their_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    journals = [Journal(path, {}) for _ in range(3)]

    def fill(k: int) -> None:
        for i in range(40):
            journals[k].add(f"{k}-{i}", {"value": "x" * 20_000 + f"{k}-{i}"})
            Journal(path, {})  # takes away nothing that is being written

    threads = [threading.Thread(target=fill, args=(k,)) for k in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for k, journal in enumerate(journals):
        for i in range(40):
            assert journal.read(f"{k}-{i}", lambda row: row["value"]).endswith(f"x{k}-{i}")
    assert len(Journal(path, {})) == 120


def gathered() -> Gathered:
    vectors = (np.ones((2, 3), np.float16),)
    return Gathered("a.png", "a", np.zeros(2, np.int64), vectors, {"m": [float("nan")]}, [0.1])


@pytest.mark.parametrize("how", ["empty", "half", "page", "other"])
def test_what_is_kept_of_a_photograph_and_damaged_is_named(tmp_path: Path, how: str) -> None:
    Gathering(tmp_path, {}).add("d", gathered())
    path = tmp_path / "places" / "d.npz"
    whole = path.read_bytes()
    assert Gathering(tmp_path, {}).read("d").vectors[0].shape == (2, 3)
    if how == "other":
        np.savez(path, a=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "page": b"<html>"}[how])
    with pytest.raises(InputError, match=r"d\.npz' is damaged .*delete it"):
        Gathering(tmp_path, {}).read("d")
    path.unlink()
    assert "d" not in Gathering(tmp_path, {})


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_files_of_a_training(tmp_path: Path, kind: str) -> None:
    folder = RunFolder(tmp_path)
    for path in (folder.about, folder.losses, tmp_path / "compute.jsonl", tmp_path / "held.npz"):
        path.write_bytes(TEXTS[kind])
    with pytest.raises(InputError, match=r"run\.json"):
        _stored(folder)
    assert loss_curve(folder, "trunk", 0) is None
    with pytest.raises(InputError, match="before the checkpoint of step 3"):
        cut_losses(folder.losses, after=0, step=3)
    ledger = Ledger(tmp_path / "compute.jsonl")
    with ledger.stage("a"):
        pass
    with ledger.stage("b"):
        pass
    assert {spent.stage for spent in ledger.spent()} <= {"a", "b"} and ledger.spent()
    assert _read(tmp_path / "held.npz", Probes()) is None
    evaluation = tmp_path / "evaluation.jsonl"
    evaluation.write_bytes(TEXTS[kind] + b'\n{"run": "a"}\n')
    with pytest.raises(InputError, match=r"evaluation\.jsonl"):
        _lines(evaluation)


@pytest.mark.parametrize("text", ["[" * 100_000, "5", "[]", "{", "\udcff"])
def test_settings_of_a_training_that_are_none(text: str) -> None:
    with pytest.raises(InputError):
        Settings.from_json(text)


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_a_folder_of_scenes_whose_description_is_none(
    tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scenes.json").write_bytes(TEXTS[kind])
    assert run("scenes", tmp_path, "--n", 1, "--size", 48) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize("kind", sorted(TEXTS))
def test_measurements_that_are_none(tmp_path: Path, kind: str) -> None:
    (tmp_path / "metrics.json").write_bytes(TEXTS[kind])
    with pytest.raises(InputError, match=r"metrics\.json"):
        read_metrics(tmp_path / "metrics.json")


@pytest.mark.parametrize("models", [5, [5], [[]], {"a": 1}, "ab"])
@pytest.mark.parametrize("images", [5, [5], [[]], [{"name": 3, "values": []}], {}, "ab"])
def test_measurements_of_another_shape(models: object, images: object) -> None:
    content = json.loads(json.dumps({"schema_version": 1, "models": models, "images": images}))
    with pytest.raises(InputError):
        measurements_in(content)
