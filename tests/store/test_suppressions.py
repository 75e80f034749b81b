from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from dinoscope.errors import InputError, ProvenanceMismatchError, SchemaVersionError
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.suppression import ANY_POOLING, Suppression, fit_common, no_suppression
from dinoscope.store.suppressions import (
    check_suppression,
    collection_digest,
    fitted_for,
    load_suppression,
    save_suppression,
)
from tests.store.small_stores import DIM, SETTINGS, fill


def fitted(store: Path, pooling: str = "mean") -> Suppression:
    vectors = np.random.default_rng(0).normal(size=(50, DIM)).astype(np.float32)
    found = fit_common(patch_moments(vectors), 3, fitted_on="fifty vectors")
    return replace(found, fitted_for=fitted_for(fill(store, range(3)), pooling))


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    before = fitted(tmp_path / "store")
    path = tmp_path / "kept" / "common.safetensors"
    save_suppression(before, path)
    after = load_suppression(path)
    for name in ("mean", "directions", "energy"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for name in ("kind", "centred", "n_fitted", "fitted_on", "fitted_for"):
        assert getattr(after, name) == getattr(before, name)
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    assert (metadata["kind"], metadata["k"], metadata["pooling"]) == ("common", "3", "mean")
    assert json.loads(metadata["settings"])["layer"] == SETTINGS.layer
    assert metadata["backbone"] == "tests"
    assert len(metadata["collection"]) == 16


def test_it_fits_its_own_settings_and_no_others(tmp_path: Path) -> None:
    known = fitted(tmp_path / "store")
    own = fill(tmp_path / "store", range(3))
    check_suppression(own, "mean", known)
    check_suppression(own, None, known)
    check_suppression(
        fill(tmp_path / "store", range(3), settings=replace(SETTINGS, gem_floor=1e-6)), "mean", known
    )
    for change in ({"layer": 2}, {"backbone": "other"}, {"weights_digest": ""}, {"grid": 5}):
        other = fill(tmp_path / "store", range(3), settings=replace(SETTINGS, **change))  # type: ignore[arg-type]
        (name,) = change
        with pytest.raises(ProvenanceMismatchError, match=rf"{name}: .* in the table, .* in the suppression"):
            check_suppression(other, "mean", known)
    with pytest.raises(ProvenanceMismatchError, match="pooling: 'cls' searched, 'mean'"):
        check_suppression(own, "cls", known)
    check_suppression(own, "cls", fitted(tmp_path / "store", ANY_POOLING))
    with pytest.raises(ProvenanceMismatchError, match="5 channels"):
        check_suppression(own, "mean", no_suppression(5))


def test_how_maps_are_kept_changes_no_vector(tmp_path: Path) -> None:
    known = fitted(tmp_path / "store")
    assert known.fitted_for is not None
    assert "dense" not in json.loads(known.fitted_for.settings)
    assert set(SETTINGS.facts) - set(json.loads(known.fitted_for.settings)) == {"dense"}


def test_the_collection_is_known_by_its_photographs(tmp_path: Path) -> None:
    three = fill(tmp_path / "three", range(3))
    assert collection_digest(three) == collection_digest(fill(tmp_path / "again", range(3), commit_rows=1))
    before = collection_digest(three)
    fill(tmp_path / "three", range(4))
    assert collection_digest(three) != before


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(InputError, match="cannot be read"):
        load_suppression(path)
    path.write_bytes(b"\x05")
    with pytest.raises(InputError, match="cannot be read"):
        load_suppression(path)
    save_file({"mean": np.zeros(3)}, path)
    with pytest.raises(InputError, match="is no suppression"):
        load_suppression(path)
    words = {"what": "dinoscope suppression", "schema_version": "1"}
    save_file({"mean": np.zeros(3)}, path, words)
    with pytest.raises(InputError, match="are no suppression"):
        load_suppression(path)
    save_file({"mean": np.zeros(3)}, path, words | {"schema_version": "7"})
    with pytest.raises(SchemaVersionError, match=r"schema 7.*upgrade"):
        load_suppression(path)
    with pytest.raises(InputError, match="which vectors it is for"):
        save_suppression(no_suppression(4), path)


def test_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_suppression(fitted(tmp_path / "store"), path)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="cannot be read"):
        load_suppression(path)
