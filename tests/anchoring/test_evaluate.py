from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dinoscope.anchoring import evaluate as module
from dinoscope.anchoring.evaluate import Subject, evaluate, read_evaluation, subjects_of
from dinoscope.anchoring.findings import METRICS
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.held_out import HeldOut, Probes, held_out
from dinoscope.anchoring.probes import features_of, measure
from dinoscope.anchoring.train import run
from dinoscope.data.features import PatchFeatures
from dinoscope.errors import InputError
from dinoscope.maths.class_tokens import cls_accuracy
from tests.anchoring.small_runs import small, write_photographs

PROBES = Probes(n=8, n_dense=6, size_px=32, grid=8, n_classes=2, most_patches=100)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> HeldOut:
    return held_out(PROBES, tmp_path_factory.mktemp("scenes") / "held-out.npz")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = tmp_path_factory.mktemp("trained")
    return run(small(), write_photographs(folder / "photographs"), folder / "run")


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    measured: list[Path] = []
    original = module.features_of

    def features(network: Path, *args: object, **others: object) -> list[PatchFeatures]:
        measured.append(network)
        return original(network, *args, **others)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "features_of", features)
    return measured


def test_every_snapshot_is_measured_once(
    scenes: HeldOut, trained: RunFolder, tmp_path: Path, counted: list[Path]
) -> None:
    file = tmp_path / "evaluation.jsonl"
    subjects = subjects_of(trained, "trunk", 0, every=4)
    assert [s.step for s in subjects] == [4, 6]
    first = evaluate(subjects[:1], scenes, file, teacher=trained.snapshot(2))
    assert counted == [trained.snapshot(2), trained.snapshot(4)]
    with file.open("a") as log:
        log.write('{"run": "trunk", "seed": 0, "st')  # the process died here
    counted.clear()
    both = evaluate(subjects, scenes, file, teacher=trained.snapshot(2))
    assert counted == [trained.snapshot(2), trained.snapshot(6)]
    assert both[0] == first[0]
    assert read_evaluation(file) == (PROBES, both)
    assert all(set(s.values) == set(METRICS) for s in both)
    header = json.loads(file.read_text().splitlines()[0])
    assert header["probes"]["n_dense"] == 6 and len(header["teacher"]) == 64


def test_a_file_of_other_measurements_is_refused(scenes: HeldOut, trained: RunFolder, tmp_path: Path) -> None:
    file = tmp_path / "evaluation.jsonl"
    subject = Subject("trunk", 0, 2, trained.snapshot(2))
    evaluate([subject], scenes, file)
    with pytest.raises(InputError, match="another teacher"):
        evaluate([subject], scenes, file, teacher=trained.snapshot(4))
    with pytest.raises(InputError, match="another network as trunk, seed 0, step 2"):
        evaluate([Subject("trunk", 0, 2, trained.snapshot(4))], scenes, file)
    with pytest.raises(InputError, match="twice"):
        evaluate([subject, subject], scenes, file)
    forced = evaluate([subject], scenes, file, teacher=trained.snapshot(2), force=True)
    assert forced[0].values["gram_distance_teacher"] == 0.0
    file.write_text("{}\n")
    with pytest.raises(InputError, match="not an evaluation"):
        read_evaluation(file)


@pytest.mark.parametrize("name", ["arms", "pilot", "planted"])
def test_files_with_former_keys_are_read(name: str) -> None:
    _, scores = read_evaluation(Path(__file__).parents[2] / "experiments" / name / "evaluation.jsonl")
    assert scores and all(set(score.values) == set(METRICS) for score in scores)


def test_scenes_are_drawn_once(tmp_path: Path) -> None:
    cache, told = tmp_path / "held-out.npz", list[int]()
    probes = Probes(n=4, n_dense=4, size_px=32, grid=4)
    made = held_out(probes, cache, on_scene=told.append)
    again = held_out(probes, cache, on_scene=told.append)
    assert told == [1, 2, 3, 4]
    assert np.array_equal(made.pixels, again.pixels) and np.array_equal(made.regions, again.regions)
    other = held_out(Probes(n=4, n_dense=4, size_px=32, grid=4, seed=1), cache, on_scene=told.append)
    assert len(told) == 8 and not np.array_equal(made.pixels, other.pixels)
    cache.write_bytes(b"torn")
    assert np.array_equal(held_out(probes, cache).pixels, made.pixels)


def test_class_tokens_vote_without_themselves() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(40) % 2
    apart = np.where(labels[:, None] == 1, 1.0, -1.0) * np.ones((40, 3)) + random.normal(0, 0.1, (40, 3))
    assert cls_accuracy(apart, labels, k=5) == 1.0
    pairs = random.normal(size=(40, 30))
    unique = np.arange(40)
    assert cls_accuracy(pairs, unique, k=1) == 0.0  # nobody else has its class
    slow = []
    for i in range(40):
        cosines = [
            -np.inf if j == i else pairs[i] @ pairs[j] / np.linalg.norm(pairs[i]) / np.linalg.norm(pairs[j])
            for j in range(40)
        ]
        votes = {0: 0.0, 1: 0.0}
        for j in sorted(range(40), key=lambda j: -cosines[j])[:7]:
            votes[int(labels[j])] += float(np.exp(cosines[j] / 0.07))
        slow.append(max(votes, key=lambda c: votes[c]) == labels[i])
    assert cls_accuracy(pairs, labels, k=7) == np.mean(slow)


def test_features_that_hold_the_labels_score_high_and_shuffled_ones_do_not(
    scenes: HeldOut, trained: RunFolder
) -> None:
    seen = features_of(trained.snapshot(2), list(scenes.pixels), PROBES.grid)
    known = []
    for feature, classes in zip(seen, scenes.classes, strict=True):
        step = classes.shape[0] // PROBES.grid
        label = classes[step // 2 :: step, step // 2 :: step]
        known.append(PatchFeatures.from_array(np.eye(4)[label] + 0.01, image_size=feature.grid.image_size))
    told = [
        PatchFeatures(k.values, k.grid, k.provenance, cls=np.eye(4, dtype=np.float32)[label])
        for k, label in zip(known, scenes.labels, strict=True)
    ]
    random = np.random.default_rng(0)
    mixed = [
        PatchFeatures(
            random.permutation(t.values.reshape(-1, 4)).reshape(t.values.shape),
            t.grid,
            t.provenance,
            cls=t.cls,
        )
        for t in told
    ]
    good, bad = measure(told, scenes), measure(mixed, scenes)
    assert good["scene_knn_miou"] > bad["scene_knn_miou"] + 0.3
    assert good["boundary_auc"] > bad["boundary_auc"] + 0.2
    assert good["locality"] > 0.3 and abs(bad["locality"]) < 0.2
    assert np.isnan(good["gram_distance_teacher"])
