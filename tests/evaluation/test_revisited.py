"""The revisited protocol on a store, against a walk through every ranking."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from dinoscope.evaluation.revisited import evaluate_revisited
from dinoscope.evaluation.revisited_truth import RevisitedTruth, read_revisited
from dinoscope.pipeline.embed import embed
from dinoscope.pipeline.extract import extract
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.store.store import FeatureStore
from tests.fakes import FakeBackbone

N, GRID = 14, 4
BOX = (12.0, 8.0, 44.0, 40.0)
GND = [
    {"bbx": list(BOX), "easy": [0, 3], "hard": [5, 9], "junk": [1, 7]},
    {"bbx": [0, 0, 48, 48], "easy": [], "hard": [2, 4, 6], "junk": [13]},
]


def paint(path: Path, seed: int) -> Path:
    colours = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(colours).resize((48, 48), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureStore, RevisitedTruth, Path]:
    folder = tmp_path_factory.mktemp("revisited")
    for part in ("searched", "asked"):
        (folder / part).mkdir()
    photos = [paint(folder / "searched" / f"place_{i:02}.png", i) for i in range(N)]
    for i in range(2):
        paint(folder / "asked" / f"query_{i}.png", 100 + i)
    truth = folder / "gnd.json"
    # The published lists name photographs in an order of their own.
    names = [path.stem for path in reversed(photos)]
    truth.write_text(json.dumps({"imlist": names, "qimlist": ["query_0", "query_1"], "gnd": GND}))
    store = embed(photos, FakeBackbone(), folder / "store", grid=GRID)
    return store, read_revisited(truth), folder / "asked"


def mean_vector(image: Path | Image.Image) -> np.ndarray:
    features: PatchFeatures = next(extract([image], FakeBackbone(), grid=GRID))
    return features.values.reshape(-1, features.dim).astype(np.float64).mean(axis=0)


def walked(order: list[int], good: list[int], left_out: list[int]) -> float:
    """Average precision by trapezoids, one place of the ranking after the other."""
    total, seen, recall, precision, area = len(good), 0, 0.0, 1.0, 0.0
    kept = [place for place in order if place not in left_out]
    for rank, place in enumerate(kept, 1):
        seen += place in good
        now = seen / rank
        if place in good:
            before = (seen - 1) / (rank - 1) if rank > 1 else 1.0
            area += (before + now) / 2 * (seen / total - recall)
            recall, precision = seen / total, now
    assert total == 0 or precision > 0
    return area


@pytest.mark.parametrize("suppress", ["none", "centre", "background"])
def test_difficulties_agree_with_a_walk(
    data: tuple[FeatureStore, RevisitedTruth, Path], suppress: str
) -> None:
    store, truth, asked = data
    found = evaluate_revisited(store, truth, asked, suppress=suppress, backbone=FakeBackbone())
    searched = [mean_vector(asked.parent / "searched" / f"{name}.png") for name in truth.names]
    fitted = fit_suppression(store, suppress)
    moved = [fitted.apply(v) for v in searched]
    for number, query in enumerate(truth.queries):
        with Image.open(asked / f"{query.name}.png") as image:
            part = image.convert("RGB").crop(tuple(round(v) for v in query.box))
        one = fitted.apply(mean_vector(part))
        cosines = [one @ v / np.sqrt((one @ one) * (v @ v)) for v in moved]
        order = sorted(range(N), key=lambda i: -cosines[i])
        easy, hard, junk = list(query.easy), list(query.hard), list(query.junk)
        for difficulty, good, left_out in (
            (found.easy, easy, hard + junk),
            (found.medium, easy + hard, junk),
            (found.hard, hard, easy + junk),
        ):
            got = difficulty.average_precision[number]
            if not good:
                assert np.isnan(got)
                assert difficulty.n_undefined == 1
            else:
                assert got == pytest.approx(walked(order, good, left_out), abs=1e-9)


def test_a_crop_is_what_is_searched_for(data: tuple[FeatureStore, RevisitedTruth, Path]) -> None:
    store, truth, asked = data
    whole = RevisitedTruth(truth.names, tuple(replace(q, box=(0.0, 0.0, 48.0, 48.0)) for q in truth.queries))
    backbone = FakeBackbone()
    one, other = (evaluate_revisited(store, t, asked, backbone=backbone) for t in (truth, whole))
    assert one.medium.average_precision[0] != other.medium.average_precision[0]
    assert one.medium.average_precision[1] == other.medium.average_precision[1]


def test_a_ground_truth_that_is_not_as_published_is_refused(tmp_path: Path) -> None:
    def refused(words: str, content: object) -> None:
        path = tmp_path / "gnd.json"
        path.write_text(json.dumps(content))
        with pytest.raises(InputError, match=words):
            read_revisited(path)

    good = {"imlist": [str(i) for i in range(N)], "qimlist": ["a", "b"], "gnd": GND}
    refused("qimlist", {"imlist": []})
    refused("gnd", {**good, "gnd": GND[:1]})
    refused("does not have", {**good, "imlist": ["0"]})
    refused("is searched too", {**good, "qimlist": ["0", "b"]})
    refused("no area", {**good, "gnd": [{**GND[0], "bbx": [5, 5, 5, 9]}, GND[1]]})
    refused("bbx", {**good, "gnd": [{"easy": []}, GND[1]]})
    pickle = tmp_path / "gnd.pkl"
    pickle.write_bytes(b"")
    with pytest.raises(InputError, match="is a pickle"):
        read_revisited(pickle)
    with pytest.raises(InputError, match="cannot be read"):
        read_revisited(tmp_path / "missing.json")


def test_stores_and_folders_that_do_not_fit_are_refused(
    data: tuple[FeatureStore, RevisitedTruth, Path], tmp_path: Path
) -> None:
    store, truth, asked = data
    backbone = FakeBackbone()
    with pytest.raises(InputError, match="lacks 1 of the"):
        evaluate_revisited(store, RevisitedTruth((*truth.names, "other"), ()), asked, backbone=backbone)
    inside = RevisitedTruth(truth.names[1:], (replace(truth.queries[0], name=truth.names[0]),))
    with pytest.raises(InputError, match="are in the store"):
        evaluate_revisited(store, inside, asked, backbone=backbone)
    with pytest.raises(InputError, match="no photograph of the query"):
        evaluate_revisited(store, truth, tmp_path, backbone=backbone)
    outside = RevisitedTruth(truth.names, (replace(truth.queries[0], box=(60.0, 60.0, 70.0, 70.0)),))
    with pytest.raises(InputError, match="lies outside"):
        evaluate_revisited(store, outside, asked, backbone=backbone)
