from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dinoscope.atomic import write_whole
from dinoscope.data.features import PatchFeatures, Provenance
from dinoscope.data.grid import PatchGrid
from dinoscope.errors import InputError
from dinoscope.io.features import (
    Format,
    check_no_other_model,
    feature_path,
    read_features,
    write_features,
)


def sample(*, tokens: bool = True) -> PatchFeatures:
    rng = np.random.default_rng(0)
    return PatchFeatures(
        rng.standard_normal((3, 4, 5)).astype(np.float32),
        PatchGrid(3, 4, 16, (400, 300)),
        Provenance(
            "a<b>.jpg", "ab" * 32, "m", "cd" * 32, 11, True, "float32", "bilinear", (0.1, 0.2, 0.3), (1, 1, 1)
        ),
        rng.standard_normal(5).astype(np.float32) if tokens else None,
        rng.standard_normal((4, 5)).astype(np.float32) if tokens else None,
    )


@pytest.mark.parametrize("format_", ["safetensors", "npz"])
@pytest.mark.parametrize("tokens", [True, False])
def test_what_is_written_is_read_back(tmp_path: Path, format_: Format, tokens: bool) -> None:
    first, second = (
        sample(tokens=tokens),
        replace(sample(tokens=tokens), values=np.ones((3, 4, 5), np.float32)),
    )
    path = tmp_path / f"x.{format_}"
    write_features(path, {5: first, 11: second}, format_=format_)
    back = read_features(path)
    assert list(back) == [5, 11]
    np.testing.assert_array_equal(back[5].values, first.values)
    np.testing.assert_array_equal(back[11].values, second.values)
    assert back[5].grid == first.grid
    assert back[5].provenance == first.provenance
    if tokens:
        np.testing.assert_array_equal(back[5].cls, first.cls)
        np.testing.assert_array_equal(back[5].registers, first.registers)
    else:
        assert back[5].cls is None and back[5].registers is None


@pytest.mark.usefixtures("unchecked_shapes")
def test_other_files_are_refused(tmp_path: Path) -> None:
    for name in ("x.npz", "x.safetensors"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(InputError, match="does not hold"):
            read_features(tmp_path / name)
    with pytest.raises(InputError, match="does not hold"):
        read_features(tmp_path / "missing.npz")
    with pytest.raises(InputError, match="no format"):
        write_features(tmp_path / "x", {0: sample()}, format_="csv")  # type: ignore[arg-type]


def test_a_name_never_becomes_a_path(tmp_path: Path) -> None:
    for hostile in ("../../etc/passwd", "a/b", "<script>alert(1)</script>.jpg", "..", "a\nb.jpg", "ñ.jpg"):
        path = feature_path(tmp_path, replace(sample().provenance, image=hostile), "npz")
        assert path.parent == tmp_path
        assert path.name.isascii()
        assert not path.name.startswith(".")


def test_nothing_half_written_is_left(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")

    def fail(file: object) -> None:
        file.write(b"half")  # type: ignore[attr-defined]
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_whole(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("format_", ["safetensors", "npz"])
def test_features_of_another_model_are_not_written_over(tmp_path: Path, format_: Format) -> None:
    path, held = tmp_path / f"x.{format_}", sample()
    check_no_other_model(path, held.provenance)
    write_features(path, {11: held}, format_=format_)
    check_no_other_model(path, replace(held.provenance, layer=5, resize="bicubic"))
    for other, words in (
        (replace(held.provenance, backbone="n"), "holds features of m: give each model a folder"),
        (replace(held.provenance, weights_digest="ef" * 32), "holds features of m with other weights"),
    ):
        with pytest.raises(InputError, match=words):
            check_no_other_model(path, other)
    path.write_bytes(path.read_bytes()[:40])
    check_no_other_model(path, other)
