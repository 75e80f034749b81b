"""Scores of a store: labels from everywhere, planted backgrounds, and what cannot be scored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dinoscope.data.features import PatchFeatures
from dinoscope.errors import EmptyIndexError, InputError
from dinoscope.evaluation.evaluate import evaluate_retrieval
from dinoscope.evaluation.pictures_values import Pictures, QueryRow, RemovedMap, Shown
from dinoscope.evaluation.report.page import write_retrieval
from dinoscope.evaluation.text import RULE, credited, scores_json, scores_text, verdicts
from dinoscope.io.labels import Labels, labels_of, labels_told
from dinoscope.pipeline.embed import new_row, table_settings
from dinoscope.pipeline.run import Run
from dinoscope.store.schema import NewRow
from dinoscope.store.store import FeatureStore, create_table, open_store
from dinoscope.store.writer import open_writer
from tests.fakes import FakeBackbone

DIM, SIDE, CLASSES, PER_CLASS = 12, 8, 4, 16


def planted_store(path: Path, *, background_knows: bool, dense: str | None = None) -> FeatureStore:
    """Subjects in the middle along class directions, stronger backgrounds along others around them.

    Where the background knows, it is the class that decides which it is; else chance does.
    """
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((DIM, DIM)))[0]
    settings = table_settings(FakeBackbone(), Run(SIDE), dense=dense)
    with open_writer(path, settings, commit_rows=20) as writer:
        for i in range(CLASSES * PER_CLASS):
            label = i % CLASSES
            ground = label if background_knows else int(rng.integers(CLASSES))
            values = 0.5 * rng.standard_normal((SIDE, SIDE, DIM)) + 3 * axes[CLASSES + ground]
            values[2:6, 2:6] += 4 * axes[label] - 3 * axes[CLASSES + ground]
            features = PatchFeatures.from_array(values, image_size=(80, 80), name=f"{i}.png")
            writer.add(rowed(features, f"photos/class-{label}/{i}.png", keep_values=dense is not None))
    return open_store(path)


def rowed(features: PatchFeatures, source: str, *, keep_values: bool = False) -> NewRow:
    """A row whose digest is that of its source."""
    row = new_row(features, source=source, keep_values=keep_values)
    return replace(row, digest=hashlib.sha256(source.encode()).hexdigest())


@pytest.fixture(scope="module")
def independent(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return planted_store(tmp_path_factory.mktemp("independent"), background_knows=False)


@pytest.fixture(scope="module")
def correlated(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return planted_store(tmp_path_factory.mktemp("correlated"), background_knows=True)


def test_suppression_helps_where_backgrounds_are_chance_and_more_than_its_controls(
    independent: FeatureStore,
) -> None:
    scores = evaluate_retrieval(independent, labels="folders", poolings=["mean"])
    row = scores.row("mean", "background")
    assert row.gains["ap"].interval.low > 0.05
    assert scores.row("mean", "background", "random").margins["ap"].interval.low > 0
    assert verdicts(scores)[0].startswith("mean: helped by ") and "background" in verdicts(scores)[0]
    assert "mean background patch" in str(scores.settings["background_rule"])
    assert scores.settings["backbone"] == FakeBackbone().spec.name
    assert scores.n_images == CLASSES * PER_CLASS and scores.n_undefined == 0


def test_suppression_does_not_help_where_the_background_knows_the_class(correlated: FeatureStore) -> None:
    scores = evaluate_retrieval(correlated, labels="folders", poolings=["mean"])
    row = scores.row("mean", "background")
    assert row.gains["ap"].interval.high <= 0.01
    assert not credited(scores, row)


def test_whole_maps_give_the_background_its_own_patches(tmp_path: Path, independent: FeatureStore) -> None:
    dense = planted_store(tmp_path / "dense", background_knows=False, dense="float16")
    scores = evaluate_retrieval(dense, labels="folders", poolings=["mean"], suppressions=["background"])
    assert str(scores.settings["background_rule"]).startswith("background patches")
    assert scores.row("mean", "background").gains["ap"].interval.low > 0.05


def test_labels_come_from_folders_files_and_mappings(tmp_path: Path) -> None:
    sources = ["a/cat/1.png", "a/dog/2.png", "x.tar::b/dog/3.png", "https://host/bird/4.jpg"]
    digests = ["d1", "d2", "d3", "d4"]
    assert labels_of("folders", sources, digests) == ["cat", "dog", "dog", "bird"]
    table = tmp_path / "labels.csv"
    table.write_text("Name,Label,more\n1.png,x,0\n3,y,0\nd4,z,0\nunknown,w,0\n")
    assert labels_of(table, sources, digests) == ["x", None, "y", "z"]
    other = tmp_path / "labels.json"
    other.write_text(json.dumps({"a/dog/2.png": "q"}))
    assert labels_of(str(other), sources, digests) == [None, "q", None, None]
    assert labels_of({"d3": "r"}, sources, digests) == [None, None, "r", None]


def test_labels_that_cannot_be_understood_are_refused(tmp_path: Path) -> None:
    twice = ["a/1.png", "b/1.png"]
    with pytest.raises(InputError, match=r"fits 2 photographs.*paths or digests"):
        labels_of({"1.png": "x"}, twice, ["d1", "d2"])
    assert labels_of({"1.png": "x"}, twice, ["same", "same"]) == ["x", "x"]
    with pytest.raises(InputError, match="none of the 1 labels"):
        labels_of({"nobody": "x"}, twice, ["d1", "d2"])
    table = tmp_path / "labels.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="needs a header"):
        labels_of(table, twice, ["d1", "d2"])
    with pytest.raises(InputError, match="cannot be read"):
        labels_of(tmp_path / "missing.csv", twice, ["d1", "d2"])
    broken = tmp_path / "labels.json"
    broken.write_text("[1]")
    with pytest.raises(InputError, match="object from names to labels"):
        labels_of(broken, twice, ["d1", "d2"])


def told_of(labels: Labels, sources: list[str], digests: list[str]) -> tuple[str, ...]:
    return labels_told(labels, labels_of(labels, sources, digests), sources, digests)


def test_a_path_is_known_by_its_end_and_one_of_elsewhere_is_told() -> None:
    sources, digests = ["/x/cat/1.png", "/x/dog/1.png", "/x/dog/2.png"], ["d1", "d2", "d3"]
    ends = {"cat/1.png": "cat", "dog/1": "dog", "./dog/2.png": "dog"}
    assert labels_of(ends, sources, digests) == ["cat", "dog", "dog"]
    assert told_of(ends, sources, digests) == ()
    other = {"/elsewhere/val/2.png": "cat"}
    assert labels_of(other, sources, digests) == [None, None, "cat"]
    (told,) = told_of(other, sources, digests)
    assert told.startswith("1 of 1 labels") and "'/elsewhere/val/2.png' for '/x/dog/2.png'" in told
    (told,) = told_of({**ends, "cat/1.png": "Dog "}, sources, digests)
    assert "'Dog ' (1), 'dog' (2)" in told
    (told,) = told_of({"2": "dog", "1.PNG": "dog"}, sources, digests)
    assert "such as '1.PNG'" in told and "'/x/cat/1.png'" in told
    assert told_of("folders", ["a/cat/1.png", "b/CAT/1.png"], ["d1", "d2"])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("labels.csv", "name,label\n2.png,x\n2.png,y\n", "gives '2.png' two labels, 'x' and 'y'"),
        ("labels.csv", "name,label\n2.png,x\ndog/2.png,y\n", "has two labels: 'x' as '2.png', and 'y' as"),
        ("labels.csv", "name,label\na,b.png,x\n", "line 2, has more cells"),
        ("labels.json", '{"2.png": "x", "2.png": "y"}', "gives '2.png' two labels"),
    ],
)
def test_a_photograph_has_one_label(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=words):
        labels_of(tmp_path / name, ["/x/dog/2.png"], ["d1"])


def test_lists_as_spreadsheets_write_them(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_bytes(b'\xef\xbb\xbfName, Label,\r\n2.png, "x, y",\r\n2.png,"x, y",\r\n')
    assert labels_of(table, ["/x/dog/2.png"], ["d1"]) == ["x, y"]


def test_what_cannot_be_scored_says_why(tmp_path: Path, independent: FeatureStore) -> None:
    with pytest.raises(InputError, match="class"):
        evaluate_retrieval(independent, labels={f"{i}.png": "one" for i in range(64)})
    with pytest.raises(InputError, match="no query has a relevant photograph"):
        evaluate_retrieval(independent, labels={f"{i}.png": str(i) for i in range(64)})
    create_table(tmp_path / "empty", table_settings(FakeBackbone(), Run(SIDE)))
    with pytest.raises(EmptyIndexError, match="no photographs"):
        evaluate_retrieval(open_store(tmp_path / "empty"), labels="folders")
    settings = table_settings(FakeBackbone(), Run(SIDE))
    with open_writer(tmp_path / "few", settings) as writer:
        for i in range(2):
            values = np.random.default_rng(i).standard_normal((SIDE, SIDE, DIM))
            writer.add(rowed(PatchFeatures.from_array(values, image_size=(80, 80)), f"{i}/{i}.png"))
    with pytest.raises(InputError, match="add photographs"):
        evaluate_retrieval(open_store(tmp_path / "few"), labels="folders")


def test_photographs_without_a_label_are_left_out_and_counted(independent: FeatureStore) -> None:
    labels = {f"{i}.png": f"class-{i % CLASSES}" for i in range(40)}
    scores = evaluate_retrieval(independent, labels=labels, poolings=["mean"], suppressions=["centre"])
    assert (scores.n_images, scores.n_unlabelled) == (40, 24)
    assert "24 without a label" in scores_text(scores)
    labels["0.PNG"] = labels["0.png"]
    scores = evaluate_retrieval(independent, labels=labels, poolings=["mean"], suppressions=["centre"])
    assert "such as '0.PNG'" in scores.warnings[-1]


def test_the_page_carries_everything_and_asks_nobody(tmp_path: Path, independent: FeatureStore) -> None:
    scores = evaluate_retrieval(independent, labels="folders", poolings=["mean"])
    hostile = "<script>alert(1)</script>"
    shown = Shown(hostile, hostile, np.zeros((8, 8, 3), np.uint8), relevant=True)
    row = QueryRow(Shown("q", "class-0", np.zeros((8, 8, 3), np.uint8)), (shown,), (shown, shown))
    pictures = Pictures("background, 2 directions", (row,), (RemovedMap(shown, np.eye(4)),))
    page = write_retrieval(scores, tmp_path / "out", pictures)
    text = page.read_text()
    assert "<script" not in text and "http://" not in text and "https://" not in text
    assert "plain mean" in text and RULE[:40] in text and verdicts(scores)[0][:24] in text
    for section in ("gains", "ranks", "hits", "removed", "scores", "settings"):
        assert f'id="{section}"' in text and f'href="#{section}"' in text
    assert "25% of the squared length" in text
    numbers = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert numbers == json.loads(scores_json(scores))
    best = next(r for r in numbers["rows"] if (r["suppression"], r["control"]) == ("background", ""))
    assert (
        best["gains"]["ap"]["interval"]["mean"] == scores.row("mean", "background").gains["ap"].interval.mean
    )
    lines = (tmp_path / "out" / "scores.csv").read_text().splitlines()
    assert len(lines) == 1 + len(scores.rows) * len(scores.scores)
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"page.html", "gains.png", "ranks-mean.png"}
