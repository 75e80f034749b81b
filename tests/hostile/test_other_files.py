"""Keypoints, ground truths, watched trainings, suppressions that are none, and pipes in their place."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dinoscope.errors import InputError, SchemaVersionError, shortened
from dinoscope.evaluation.revisited_truth import read_revisited
from dinoscope.io.keypoints import read_keypoints
from dinoscope.io.labels import labels_of
from dinoscope.monitoring.run_files import RunFiles
from dinoscope.store.suppressions import load_suppression
from tests.command_line import run

KEYPOINTS = {
    "list.csv": b"a.png,b.png,1,1,1,1\n",
    "field.csv": b'a.png,b.png,1,"' + b"1;" * 200_000 + b'",1,1,1\n',
    "header.csv": b"source_image,target_image,class,XA,YA,XB,YB\n",
    "words.csv": b"a.png,b.png,1,one,1,1,1\n",
    "bytes.csv": b"\xff\xfe\xfa\n",
    "deep.json": b"[" * 100_000,
    "half.json": b'{"src_imname": "a.png"',
    "infinite.json": b'{"src_imname":"a","trg_imname":"b","src_kps":[[1,1e999]],"trg_kps":[[1,1]],'
    b'"trg_bndbox":[0,0,1e999,1]}',
}


@pytest.mark.parametrize("name", sorted(KEYPOINTS))
def test_keypoints_that_are_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(KEYPOINTS[name])
    with pytest.raises(InputError, match="keypoints"):
        read_keypoints(tmp_path / name)


@pytest.mark.parametrize("content", [b"[" * 100_000 + b"\n{}\n", b"\xff\n\n", b'{"step": 1e999}\n{}\n{}\n'])
def test_a_watched_training_that_is_damaged(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "checks.jsonl").write_bytes(content)
    assert run("watch", tmp_path) == 2
    assert "checks.jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"PK\3\4 cut", b"no archive at all"])
def test_maps_of_a_watched_training_that_are_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "first.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"first\.npz"):
        RunFiles(tmp_path).first()


@pytest.mark.parametrize("version", ["", "one", "-1", "99"])
def test_suppressions_that_do_not_say_what_they_are(tmp_path: Path, version: str) -> None:
    facts = {"what": "dinoscope suppression", **({"schema_version": version} if version else {})}
    save_file({"mean": np.zeros(3)}, tmp_path / "x.safetensors", facts)
    with pytest.raises((InputError, SchemaVersionError), match=r"x\.safetensors"):
        load_suppression(tmp_path / "x.safetensors")


def test_pipes_are_not_opened(tmp_path: Path) -> None:
    readers = {
        "k.csv": read_keypoints,
        "k.json": read_keypoints,
        "s.safetensors": load_suppression,
        "t.json": read_revisited,
    }
    for name, read in readers.items():
        os.mkfifo(tmp_path / name)
        with pytest.raises(InputError, match="a pipe"):
            read(tmp_path / name)


@pytest.mark.parametrize("text", ["[" * 100_000, "\udcff", '{"imlist":["a"],"qimlist":["b"],"gnd":[3]}'])
def test_ground_truths_that_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match="ground truth"):
        read_revisited(tmp_path / "t.json")


def test_what_is_empty_is_not_said_to_be_a_kind(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_bytes(b"")
    with pytest.raises(InputError, match="it has none"):
        labels_of(tmp_path / "labels.csv", ["/a.png"], ["0"])
    assert shortened("") == "" and shortened(KeyError()) == "KeyError"
