"""Arguments that make no sense, from the command line and from Python: our own error, and exit code 2."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
import torch
from PIL import Image

import dinoscope as ds
from dinoscope.atomic import remove_left, work_folder, write_bytes, write_whole
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import ImageError, InputError, ShapeError, told
from dinoscope.names import without_secrets
from dinoscope.pipeline.photographs import load_photograph
from dinoscope.retrieval.queries import Region
from tests.command_line import run
from tests.hostile.files import write_photographs

GOOD = np.random.default_rng(0).standard_normal((6, 8, 5)).astype(np.float32)
SIZE = (64, 48)


class Ragged:
    """What raises when it is made an array of."""

    def __array__(self, *words: object, **more: object) -> np.ndarray:
        raise RuntimeError("no array")


BAD = {
    "complex": GOOD.astype(np.complex64),
    "objects": np.array([[["a", None], [1, 2]]], object),
    "text": np.array([[["a", "b"]]]),
    "bool": GOOD > 0,
    "dates": np.zeros((6, 8, 5), "datetime64[s]"),
    "ragged": [[[1.0, 2.0], [3.0]]],
    "raising": Ragged(),
    "none": None,
    "word": "features.npy",
    "dictionary": {"a": 1},
    "nan": np.full_like(GOOD, np.nan),
    "infinite": np.full_like(GOOD, np.inf),
    "beyond-float32": GOOD.astype(np.float64) * 1e300,
    "two-axes": GOOD[0],
    "four-axes": GOOD[None],
    "empty": GOOD[:0],
    "no-channels": GOOD[..., :0],
    "channels-first": np.moveaxis(np.repeat(GOOD, 80, axis=2), 2, 0),
    "channels-in-the-middle": np.moveaxis(np.repeat(GOOD, 80, axis=2), 2, 1),
    "rows-alone": GOOD.reshape(1, 48, 5),
}


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("kind", sorted(BAD))
def test_arrays_that_are_no_features(kind: str) -> None:
    with pytest.raises(InputError) as caught:
        ds.PatchFeatures.from_array(BAD[kind], image_size=SIZE, name="theirs")  # type: ignore[arg-type]
    assert isinstance(caught.value, ShapeError) or "theirs" in str(caught.value)


TENSORS = {
    "bfloat16": torch.from_numpy(GOOD).bfloat16(),
    "half": torch.from_numpy(GOOD).half(),
    "double": torch.from_numpy(GOOD).double(),
    "with-gradient": torch.from_numpy(GOOD.copy()).requires_grad_(),
    "turned": torch.from_numpy(GOOD).permute(1, 0, 2).permute(1, 0, 2),
    "list": GOOD.tolist(),
}


@pytest.mark.parametrize("kind", sorted(TENSORS))
def test_tensors_are_taken(kind: str) -> None:
    found = ds.PatchFeatures.from_array(TENSORS[kind], image_size=SIZE)
    np.testing.assert_allclose(found.values, GOOD, rtol=1e-2)
    assert found.values.dtype == np.float32


GRIDS = ["8", 8.0, None, True, float("nan"), (8,), (8, 8, 8), (8.0, 8), ("8", "8"), [8, 8.5], b"8", {8}]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("grid", GRIDS, ids=repr)
def test_grids_that_are_no_counts(grid: object, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        PatchGrid.fit(SIZE, 16, grid=grid)  # type: ignore[arg-type]
    photos = write_photographs(tmp_path, ("a.png",))
    if grid is not None:
        with pytest.raises(InputError):
            list(ds.extract(photos, ds.load_backbone("pixels"), grid=grid))  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    "size", [(0, 4), (-1, 4), (64.0, 48), ("64", 48), 64, (64,), (float("nan"), 48), None], ids=repr
)
def test_sizes_that_are_none(size: object) -> None:
    with pytest.raises(InputError):
        ds.PatchFeatures.from_array(GOOD, image_size=size)  # type: ignore[arg-type]


SEEDS = [-1, 1.5, "1", None, True, float("nan"), 2**63, 2**64, b"1"]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("seed", SEEDS, ids=repr)
def test_seeds_that_are_none(seed: object) -> None:
    with pytest.raises(InputError, match="a seed is a whole number"):
        ds.load_backbone("random:mini", seed=seed)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a seed is a whole number"):
        ds.measure([], ["pixels"], seed=seed)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked_shapes")
def test_a_seed_of_numpy_is_a_seed() -> None:
    first, second = (
        ds.load_backbone("random:mini", seed=seed).forward(torch.ones(1, 3, 16, 16))
        for seed in (3, np.int64(3))
    )
    assert torch.equal(first.patches[5], second.patches[5])


PLACES = [(2, 2), (-1, 0), ("a", "b"), None, (float("nan"), 0), (0.5,), "cls", (0.5, 0.5, 0.5), 0.5, ()]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("at", PLACES, ids=repr)
def test_places_that_are_none(at: object) -> None:
    f = ds.PatchFeatures.from_array(GOOD, image_size=SIZE)
    with pytest.raises(InputError, match="a place in an image"):
        ds.similarity_map(f, at=at)  # type: ignore[arg-type]
    if at is not None:
        with pytest.raises(InputError):
            Region(patch=at)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    "box", [(1, 2), "box", (0, 0, 0, 0), (0, 0, 2, 1), ("a", 0, 1, 1), 3, (0, 0, float("nan"), 1)], ids=repr
)
def test_boxes_that_are_none(box: object) -> None:
    with pytest.raises(InputError, match="a box is"):
        Region(box=box)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    "layers", ["0", 0, (0.0,), ("0",), (None,), (True,), (-1,), (99,), (), (0, 0)], ids=repr
)
def test_layers_that_are_none(layers: object) -> None:
    with pytest.raises(InputError, match="layer"):
        ds.load_backbone("mini").forward(torch.zeros(1, 3, 16, 16), layers=layers)  # type: ignore[arg-type]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize("n", [0, -1, 99, 1.5, "3", None, True], ids=repr)
def test_numbers_of_components_that_are_none(n: object) -> None:
    f = ds.PatchFeatures.from_array(GOOD, image_size=SIZE)
    with pytest.raises(InputError, match="components"):
        ds.fit_pca([f], n=n)  # type: ignore[arg-type]


def test_images_in_memory_are_read_as_files_are() -> None:
    deep = Image.fromarray((np.linspace(0, 65535, 48 * 64).reshape(48, 64)).astype(np.uint16))
    found = load_photograph(deep)
    assert (
        found.pixels[0, 0, 0] == 0 and found.pixels[-1, -1, 0] == 255 and abs(found.pixels.mean() - 127.5) < 1
    )
    assert deep.getpixel((0, 0)) == 0, "the image is left as it was"
    clear = Image.new("RGBA", (64, 48), (0, 0, 0, 0))
    assert (load_photograph(clear).pixels == 255).all()
    for bad in (np.full((48, 64), np.nan, np.float32), np.full((48, 64), 300.0, np.float32)):
        with pytest.raises(ImageError):
            load_photograph(Image.fromarray(bad))


OPTIONS = {
    "shard-0/0": ("embed", "{photos}", "{out}", "--model", "mini", "--shard", "0/0"),
    "shard-2/2": ("embed", "{photos}", "{out}", "--model", "mini", "--shard", "2/2"),
    "shard--1/2": ("embed", "{photos}", "{out}", "--model", "mini", "--shard=-1/2"),
    "empty-source": ("embed", "", "{out}", "--model", "mini"),
    "empty-store": ("embed", "{photos}", "", "--model", "pixels", "--grid", "4"),
    "steps--1": ("anchor", "{photos}", "--out", "{out}", "--steps", "-1"),
    "weight-nan": ("anchor", "{photos}", "--out", "{out}", "--weight", "nan"),
    "weight-inf": ("anchor", "{photos}", "--out", "{out}", "--weight", "inf"),
    "teacher-step--1": ("anchor", "{photos}", "--out", "{out}", "--teacher-step", "-1"),
    "update-every--1": ("anchor", "{photos}", "--out", "{out}", "--update-every", "-1"),
    "ramp--1": ("anchor", "{photos}", "--out", "{out}", "--ramp", "-1"),
    "patch-size-0": ("anchor", "{photos}", "--out", "{out}", "--patch-size", "0"),
    "shard-word": ("embed", "{photos}", "{out}", "--model", "mini", "--shard", "a/b"),
    "device-mps": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--device", "mps"),
    "device-cuda": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--device", "cuda:7"),
    "device-meta": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--device", "meta"),
    "device-xla": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--device", "xla"),
    "device-word": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--device", "\x1b[31mgpu"),
    "seed--1": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--seed", "-1"),
    "seed-large": ("measure", "{photos}", "--models", "mini", "--seed", str(2**70)),
    "seed-word": ("compare", "{photos}", "--models", "mini", "--out", "{out}", "--seed", "x"),
    "grid-0": ("measure", "{photos}", "--models", "pixels", "--grid", "0"),
    "grid-large": ("measure", "{photos}", "--models", "pixels", "--grid", "99999999"),
    "dtype-int": ("measure", "{photos}", "--models", "pixels", "--dtype", "int8"),
    "layer-99": ("extract", "{photos}", "--model", "mini", "--out", "{out}", "--layers", "99"),
    "no-photographs": ("measure", "{out}/none", "--models", ""),
    "at-outside": ("compare", "{photos}", "--models", "pixels", "--at", "2,0", "--out", "{out}"),
    "range-word": ("measure", "{photos}", "--models", "pixels", "--range", "wide"),
    "range-empty": ("compare", "{photos}", "--models", "pixels", "--out", "{out}", "--range", "9,3"),
    "model-unknown": ("measure", "{photos}", "--models", "no\x1b]0;x\x07such\x9b31m"),
    "model-endless": ("measure", "{photos}", "--models", "m" * 5000),
    "store-missing-search": ("search", "{out}/none", "{photos}/a.png"),
    "store-missing-index": ("index", "{out}/none"),
    "store-missing-evaluate": ("evaluate", "{out}/none", "--labels", "folders"),
    "option-unknown": ("measure", "{photos}", "--\x1b[31mred", "1"),
    "command-unknown": ("\x1b[31mred",),
}


@pytest.mark.parametrize("case", sorted(OPTIONS))
def test_options_that_make_no_sense_are_usage(
    case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_photographs(tmp_path / "photos", ("a.png",))
    (tmp_path / "out").mkdir()
    places = {"photos": str(photos), "out": str(tmp_path / "out")}
    assert run(*(word.format(**places) for word in OPTIONS[case])) == 2
    out, err = capsys.readouterr()
    assert out == "" and "Traceback" not in err
    assert not {"\x1b", "\x07", "\x9b"} & set(err)
    assert 0 < len(err) < 2500
    assert not list((tmp_path / "out").iterdir())


SECRETS = {
    "https://me:hunter2@example.org/a.jpg": "https://…@example.org/a.jpg",
    "https://me@example.org/a.jpg": "https://…@example.org/a.jpg",
    "http://me:p@ss:hunter2@host:8080/x": "http://…@host:8080/x",
    "https:/me:hunter2@host/x": "https:/…@host/x",
    "https://host/x?token=hunter2": "https://host/x?token=…",
    "https://host/x?size=3&X-Amz-Signature=hunter2&a=1": "https://host/x?size=3&X-Amz-Signature=…&a=1",
    "s3://key:hunter2@bucket/x": "s3://…@bucket/x",
    "see https://host/a?api_key=hunter2, and b": "see https://host/a?api_key=… and b",
    "nothing to hide: a@b.org, c:d": "nothing to hide: a@b.org, c:d",
    "https://host/a@b.jpg": "https://host/a@b.jpg",
    "choose one: f.npz?key=NAME": "choose one: f.npz?key=NAME",
}


@pytest.mark.parametrize("text", sorted(SECRETS))
def test_secrets_in_addresses_are_not_told(text: str) -> None:
    assert without_secrets(text) == SECRETS[text]
    assert "hunter2" not in str(ImageError(text, f"cannot be had: {text}"))
    assert "hunter2" not in ImageError(text, "").source


@pytest.mark.parametrize("words", [("measure",), ("compare",), ("extract",)])
def test_no_command_prints_a_password(
    words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ("--model", "pixels") if words == ("extract",) else ("--models", "pixels")
    address = "https://me:hunter2@127.0.0.1:9/a.png"
    assert run(*words, address, *models, "--out", tmp_path / "out") in (1, 2)
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err and "127.0.0.1" in err


def test_embed_prints_no_password_and_stores_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "list.csv").write_text("url\nhttp://me:hunter2@127.0.0.1:9/a.png?token=hunter2\n")
    assert run("embed", tmp_path / "list.csv", tmp_path / "store", "--model", "mini", "--grid", 4) == 1
    out, err = capsys.readouterr()
    assert "hunter2" not in out + err and "127.0.0.1" in err
    for path in (tmp_path / "store").rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes()


@pytest.mark.parametrize(
    "character", ["\x1b[2J", "\x9b31m", "\x07", "\r", "\x00", "\u202e", "\u2028", "\x7f"]
)
def test_nothing_told_steers_the_terminal(character: str) -> None:
    assert told(f"a{character}b").isprintable()
    assert len(told("x" * 10_000)) == 301


def leave(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "half").write_text("written")
    return folder / name


def test_what_killed_runs_left_is_removed_at_the_next_start(tmp_path: Path) -> None:
    with work_folder(tmp_path) as mine:
        host = mine.name.split("-")[1]
        dead = leave(tmp_path, f".dinoscope-{host}-{2**22 + 1}-abcdefgh")
        elsewhere = leave(tmp_path, ".dinoscope-00000000-1-abcdefgh")
        other = leave(tmp_path, ".dinoscope settings")
        (tmp_path / f".dinoscope-{host}-{2**22 + 1}-x.tmp").write_text("half")
        remove_left(tmp_path)
        assert mine.is_dir() and elsewhere.is_dir() and other.is_dir() and not dead.exists()
    assert {path.name for path in tmp_path.iterdir()} == {elsewhere.name, other.name}
    write_bytes(tmp_path / "whole", b"x")
    assert not list(tmp_path.glob("*.tmp"))


def test_compare_cleans_up_after_a_killed_one(tmp_path: Path) -> None:
    photos = write_photographs(tmp_path / "photos", ("a.png",))
    out = tmp_path / "out"
    with work_folder(out) as mine:
        host = mine.name.split("-")[1]
    leave(out, f".dinoscope-{host}-{2**22 + 1}-abcdefgh")
    assert run("compare", photos, "--models", "pixels", "--grid", 4, "--out", out) == 0
    assert not list(out.glob(".dinoscope-*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EFBIG])
def test_a_disk_that_is_full_is_named_with_its_file(tmp_path: Path, number: int) -> None:
    def write(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(number, os.strerror(number))

    (tmp_path / "whole").write_bytes(b"before")
    with pytest.raises(OSError, match="whole") as caught:
        write_whole(tmp_path / "whole", write)
    assert caught.value.errno == number
    assert ("on the disk mounted at" in str(caught.value)) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert (tmp_path / "whole").read_bytes() == b"before" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("measure", "photos", "--models", "pixels", "--out", ""),
        ("measure", "photos", "--models", "pixels", "--out="),
        ("compare", "photos", "--models", "pixels", "-o", ""),
        ("measure", "photos", "--models", "pixels", "--masks", ""),
        ("measure", "", "--models", "pixels"),
        ("measure", "--json", "", "--models", "pixels"),
        ("embed", "photos", "", "--model", "pixels"),
        ("search", "", "photos/a.png"),
        ("extract", "photos", "--model", "pixels", "--out", ""),
        ("scenes", "", "--n", "1"),
    ],
)
def test_an_empty_place_is_not_the_folder_one_is_in(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_photographs(tmp_path / "photos", ("a.png",))
    monkeypatch.chdir(tmp_path)
    assert run(*words) == 2
    assert "it is empty; the folder you are in is ." in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_an_empty_list_is_no_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("measure", "nowhere", "--models", "") == 2
    assert "it is empty" not in capsys.readouterr().err
