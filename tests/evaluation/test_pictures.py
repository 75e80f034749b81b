"""What the page shows of single photographs, and the command that writes it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from dinoscope.data.retrieval import RetrievalScores
from dinoscope.errors import InputError
from dinoscope.evaluation.evaluate import evaluate_retrieval
from dinoscope.evaluation.pictures import removed_shares, retrieval_pictures
from dinoscope.evaluation.report.hits import hits_section, removed_section
from dinoscope.evaluation.report.page import retrieval_html
from dinoscope.maths.folds import folds_of
from dinoscope.maths.pca import patch_moments
from dinoscope.maths.pooling import own_foreground
from dinoscope.maths.suppression import fit_background, no_suppression
from dinoscope.pipeline.embed import embed
from dinoscope.store.reading import each_row, read_dense
from dinoscope.store.store import FeatureStore
from tests.fakes import FakeBackbone

N, CLASSES, GRID = 24, 3, 6


def paint(path: Path, seed: int, side: int = 32) -> None:
    """A bright block of the class's colour on a background that chance draws."""
    rng = np.random.default_rng(seed)
    pixels = np.empty((48, 48, 3), np.uint8)
    pixels[:] = rng.integers(0, 120, 3, dtype=np.uint8)
    inside = slice(24 - side // 2, 24 + side // 2)
    pixels[inside, inside] = 255 * np.eye(3, dtype=np.uint8)[seed % CLASSES]
    noise = rng.integers(-20, 20, pixels.shape)
    Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(N):
        (folder / f"class-{i % CLASSES}").mkdir(exist_ok=True)
        paint(folder / f"class-{i % CLASSES}" / f"{i:02}.png", i)
    return folder


@pytest.fixture(scope="module")
def store(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    path = tmp_path_factory.mktemp("s") / "store"
    return embed(photos, FakeBackbone(), path, grid=GRID, dense="float16")


@pytest.fixture(scope="module")
def scores(store: FeatureStore) -> RetrievalScores:
    return evaluate_retrieval(
        store, labels="folders", poolings=["mean"], suppressions=["background"], ks=(2,), controls=[]
    )


def test_hits_are_those_that_were_scored(store: FeatureStore, scores: RetrievalScores) -> None:
    pictures = retrieval_pictures(store, scores, labels="folders", n_hits=N - 1)
    assert [row.query.label for row in pictures.queries] == sorted(
        {row.query.label for row in pictures.queries}, key=[r.query.label for r in pictures.queries].index
    )
    assert len(pictures.queries) == CLASSES
    names = [Path(row.source).name for row in each_row(store.table())]
    for shown in pictures.queries:
        place = names.index(shown.query.name)
        at = scores.queries.index(place)
        for hits, suppression in ((shown.before, "none"), (shown.after, "background")):
            assert len(hits) == N - 1
            assert shown.query.name not in [hit.name for hit in hits]
            ranks = [rank for rank, hit in enumerate(hits, 1) if hit.relevant]
            assert all(hit.relevant == (hit.label == shown.query.label) for hit in hits)
            ap = np.mean([(i + 1) / rank for i, rank in enumerate(ranks)])
            # The very ranking whose score is in the table: the same folds, the same fit.
            assert scores.row("mean", suppression).values["ap"][at] == pytest.approx(ap, abs=1e-9)


def test_queries_are_chosen_by_digest_and_not_by_result(store: FeatureStore, scores: RetrievalScores) -> None:
    pictures = retrieval_pictures(store, scores, labels="folders", n_queries=2)
    rows = sorted(each_row(store.table()), key=lambda row: row.digest)
    first = Path(rows[0].source)
    assert pictures.queries[0].query.name == first.name
    second = next(Path(r.source) for r in rows if Path(r.source).parent != first.parent)
    assert [row.query.name for row in pictures.queries] == [first.name, second.name]


def test_maps_show_what_a_fit_without_the_photograph_removes(
    store: FeatureStore, scores: RetrievalScores
) -> None:
    pictures = retrieval_pictures(store, scores, labels="folders", n_maps=4)
    assert len(pictures.removed) == 4
    assert all(one.k == 2 and one.shares.shape == (GRID, GRID) for one in pictures.removed)
    assert all(one.shares.min() >= 0 and one.shares.max() <= 1 for one in pictures.removed)
    table = store.table()
    rows = list(each_row(table))
    folds = folds_of([row.digest for row in rows])
    maps = [read_dense(table, row.digest) for row in rows]
    for one in pictures.removed:
        place = [Path(row.source).name for row in rows].index(one.photograph.name)
        others = [m for m, fold in zip(maps, folds, strict=True) if fold != folds[place]]
        behind = np.concatenate([m.values[~own_foreground(m)] for m in others])
        fitted = fit_background(patch_moments(behind), 2)
        np.testing.assert_allclose(one.shares, removed_shares(maps[place].values, fitted), atol=1e-6)


def test_removed_shares_are_those_of_a_projection() -> None:
    values = np.random.default_rng(0).standard_normal((3, 4, 6))
    values[0, 0] = 0
    fitted = fit_background(patch_moments(values.reshape(-1, 6).astype(np.float32)), 2)
    found = removed_shares(values, fitted)
    for place in np.ndindex(3, 4):
        patch = values[place]
        along = sum(float(patch @ direction) ** 2 for direction in fitted.directions)
        expected = along / float(patch @ patch) if place != (0, 0) else 0.0
        assert found[place] == pytest.approx(expected, abs=1e-9)
    assert removed_shares(values, no_suppression(6)).max() == pytest.approx(0, abs=1e-12)


def test_photographs_that_are_gone_are_said_to_be_gone(
    scores: RetrievalScores, photos: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    for file in sorted(photos.rglob("*.png")):
        (copy / file.parent.name).mkdir(parents=True, exist_ok=True)
        (copy / file.parent.name / file.name).write_bytes(file.read_bytes())
    store = embed(copy, FakeBackbone(), tmp_path / "store", grid=GRID)
    files = sorted(copy.rglob("*.png"))
    for file in files[: N // 2]:
        file.unlink()
    files[-1].write_bytes(files[-2].read_bytes())
    found = evaluate_retrieval(
        store, labels="folders", poolings=["mean"], suppressions=["background"], ks=(1,), controls=[]
    )
    pictures = retrieval_pictures(store, found, labels="folders", n_hits=N, n_queries=9)
    shown = [hit for row in pictures.queries for hit in (*row.before, *row.after)]
    lost = {file.name for file in (*files[: N // 2], files[-1])}
    assert {hit.name for hit in shown if "(no file here)" in hit.label} == lost
    assert not {row.query.name for row in pictures.queries} & lost
    # No maps are kept, and the backbone of the test has no name that could be loaded.
    assert pictures.removed == ()
    assert any("What was removed is not shown" in note for note in pictures.notes)
    assert "What was removed is not shown" in hits_section(pictures)
    assert removed_section(pictures) == ""
    given = retrieval_pictures(store, found, labels="folders", backbone=FakeBackbone(), n_maps=2)
    assert len(given.removed) == 2


def test_where_no_direction_was_chosen_one_is_shown_and_said(store: FeatureStore) -> None:
    found = evaluate_retrieval(
        store, labels="folders", poolings=["mean"], suppressions=["background"], ks=(0,), controls=[]
    )
    pictures = retrieval_pictures(store, found, labels="folders")
    assert all(row.k == 1 for row in pictures.queries)
    assert any("Where no direction was chosen" in note for note in pictures.notes)


def test_scores_that_cannot_be_pictured_are_refused(store: FeatureStore, scores: RetrievalScores) -> None:
    other = evaluate_retrieval(
        store, labels="folders", poolings=["mean"], suppressions=["centre"], controls=[]
    )
    with pytest.raises(InputError, match="score it"):
        retrieval_pictures(store, other, labels="folders")


def test_the_command_writes_the_page_and_prints_one_object(store: FeatureStore, tmp_path: Path) -> None:
    from dinoscope.cli import app

    out = tmp_path / "out"
    words = ["evaluate", str(store.path), "--labels", "folders", "--poolings", "mean", "--json"]
    ran = CliRunner().invoke(app, [*words, "--suppressions", "background", "--out", str(out)])
    assert ran.exit_code == 0, ran.stderr
    printed = json.loads(ran.stdout)
    assert printed == json.loads((out / "scores.json").read_text())
    assert printed["backgrounds"]["case"] in ("independent", "partly", "carried", "unclear")
    page = (out / "page.html").read_text()
    for section in ("gains", "ranks", "backgrounds", "hits", "removed", "scores", "settings"):
        assert f'<section id="{section}"' in page
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org", "").replace("http-equiv", "")
    assert page.count('class="query-row"') == CLASSES
    assert printed["verdicts"] and printed["backgrounds"]["rule"]
    wrong = CliRunner().invoke(app, ["evaluate", str(store.path), "--labels", str(tmp_path / "none.csv")])
    assert wrong.exit_code != 0


def test_without_any_foreground_the_scores_stand(tmp_path: Path) -> None:
    from dinoscope.cli import app

    for i in range(N):
        (tmp_path / "photos" / f"class-{i % CLASSES}").mkdir(exist_ok=True, parents=True)
        paint(tmp_path / "photos" / f"class-{i % CLASSES}" / f"{i:02}.png", i, side=8)
    store = embed(tmp_path / "photos", FakeBackbone(), tmp_path / "store", grid=GRID)
    assert not any(row.foreground_share for row in each_row(store.table()))
    words = ["evaluate", str(store.path), "--labels", "folders", "--suppressions", "centre", "--json"]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0
    assert "backgrounds" not in json.loads(ran.stdout)
    assert "not searched by backgrounds alone" in ran.stderr


def test_the_page_needs_no_pictures(scores: RetrievalScores) -> None:
    page = retrieval_html(scores)
    assert '<section id="scores"' in page
    assert '<section id="hits"' not in page
    assert '<section id="backgrounds"' not in page
