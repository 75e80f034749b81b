"""The search page's server, in front of a real store."""

from __future__ import annotations

import io
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from dinoscope.drawing.server.access import AccessGuard
from dinoscope.errors import InputError
from dinoscope.maths.suppression import SUPPRESSIONS, Suppression, no_suppression
from dinoscope.pipeline.embed import embed
from dinoscope.pipeline.extract import extract
from dinoscope.retrieval.fits import fit_suppression
from dinoscope.retrieval.page.question import Question
from dinoscope.retrieval.page.routes import search_app
from dinoscope.retrieval.recent import Recent
from dinoscope.retrieval.search import search
from dinoscope.retrieval.stored import StoreFinder, is_store, open_finder
from dinoscope.store.reading import each_dense
from dinoscope.store.store import FeatureStore
from tests.fakes import FakeBackbone
from tests.view.live_samples import ORIGIN, TOKEN, bomb, digest_of, png

POST = {"origin": ORIGIN}
LIMIT = 1 << 20
GRID = 6
N = 8
ROUTES = (
    "",
    "tables",
    "collection?first=0&n=5",
    "search",
    "picture",
    "why",
    "duplicates",
    "patches",
    "photograph",
    "static/search.mjs",
)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{i}.png" for i in range(N)]
    for i, path in enumerate(paths):
        path.write_bytes(png(i, (64, 48)))
    return paths


@pytest.fixture(scope="module")
def store(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    return embed(photos, FakeBackbone(), tmp_path_factory.mktemp("s") / "store", grid=GRID)


@pytest.fixture
def finder(store: FeatureStore) -> StoreFinder:
    return StoreFinder(store, [FakeBackbone()])


def client_of(finder: StoreFinder, closing: threading.Event | None = None) -> TestClient:
    app = search_app(finder, title="<b>trip", upload_bytes=LIMIT, closing=closing or threading.Event())
    return TestClient(AccessGuard(app, token=TOKEN, host="127.0.0.1", port=8000), base_url=ORIGIN)


@pytest.fixture
def client(finder: StoreFinder) -> Iterator[TestClient]:
    with client_of(finder) as client:
        yield client


def ask(client: TestClient, path: str, /, **words: object) -> Any:
    answer = client.get(f"/{TOKEN}/{path}", params={name: str(value) for name, value in words.items()})
    assert answer.status_code == 200, answer.text
    return answer.json() if answer.headers["content-type"] == "application/json" else answer.content


def refused(client: TestClient, path: str, /, **words: object) -> str:
    answer = client.get(f"/{TOKEN}/{path}", params={name: str(value) for name, value in words.items()})
    assert answer.status_code == 422, answer.text
    return str(answer.json()["reason"])


def upload(client: TestClient, data: bytes, name: str = "mine.png") -> Any:
    return client.post(f"/{TOKEN}/queries", params={"name": name}, content=data, headers=POST)


@pytest.fixture
def asked(store: FeatureStore, photos: list[Path]) -> dict[str, object]:
    return {"table": store.tables[0], "query": digest_of(photos[2].read_bytes()), "k": 5}


def test_the_page_and_its_files_are_served_under_the_key(client: TestClient) -> None:
    page = client.get(f"/{TOKEN}/")
    assert "static/search.mjs" in page.text and "&lt;b&gt;trip" in page.text and "<b>" not in page.text
    assert "<script>" not in page.text and "style=" not in page.text
    for name, kind in (
        ("search.mjs", "text/javascript"),
        ("region.mjs", "text/javascript"),
        ("search.css", "text/css"),
    ):
        assert client.get(f"/{TOKEN}/static/{name}").headers["content-type"].startswith(kind)
    assert client.get(f"/{TOKEN}/static/..%2fsearch_page.py").status_code == 404


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("key", ["wrong", TOKEN[:-1]])
def test_without_the_key_nothing_is_told(client: TestClient, path: str, key: str) -> None:
    assert client.get(f"/{key}/{path}").status_code == 403


@pytest.mark.parametrize("path", ROUTES)
def test_other_names_and_other_pages_are_refused_and_every_answer_carries_the_policy(
    client: TestClient, path: str
) -> None:
    for headers, status in (({"host": "evil.example:8000"}, 421), ({"origin": "http://evil.example"}, 403)):
        assert client.get(f"/{TOKEN}/{path}", headers=headers).status_code == status
    headers = client.get(f"/{TOKEN}/{path}").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("headers", [{}, {"origin": "http://evil.example"}])
def test_an_upload_from_elsewhere_is_refused(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post(f"/{TOKEN}/queries?name=a.png", content=png(), headers=headers).status_code == 403


def test_the_tables_and_what_they_hold_are_listed(client: TestClient, store: FeatureStore) -> None:
    (table,) = ask(client, "tables")["tables"]
    nothing = {"first": "", "last": "", "cameras": [], "n_placed": 0}
    facts = {"backbone": "fake", "n": N, "dense": False, "shots": nothing, "kind": ""}
    assert table == {"name": store.tables[0], **facts}
    some = ask(client, "collection", table=table["name"], first=5, n=2)["photographs"]
    everything = ask(client, "collection", table=table["name"], first=0, n=200)["photographs"]
    assert some == everything[5:7] and len(everything) == N
    assert {(one["name"], one["digest"]) for one in everything} == {
        (f"{i}.png", digest_of(png(i, (64, 48)))) for i in range(N)
    }
    assert all(one["size"] == [64, 48] for one in everything)
    assert ask(client, "collection", table=table["name"], first=N, n=2)["photographs"] == []


@pytest.mark.parametrize("suppress", SUPPRESSIONS)
@pytest.mark.parametrize("pooling", ["mean", "foreground"])
def test_a_stored_photograph_finds_what_the_library_finds_without_the_model(
    store: FeatureStore, photos: list[Path], asked: dict[str, object], pooling: str, suppress: str
) -> None:
    model = FakeBackbone()
    with client_of(StoreFinder(store, [model])) as client:
        got = ask(client, "search", **asked, pooling=pooling, suppress=suppress)
    want = search(store, photos[2], k=5, pooling=pooling, suppress=suppress)
    assert [(hit["digest"], hit["rank"]) for hit in got["hits"]] == [(h.digest, h.rank) for h in want.hits]
    assert [hit["score"] for hit in got["hits"]] == [hit.score for hit in want.hits]
    assert (got["suppression"], got["k_removed"], got["fitted_on"]) == (
        want.suppression,
        want.k_removed,
        want.fitted_on,
    )
    assert [hit["name"] for hit in got["hits"]] == [Path(hit.source).name for hit in want.hits]
    assert got["grid"] == [6, 8] and model.batches == []


@pytest.mark.parametrize(
    ("words", "region"),
    [
        ({"box": "0.5,0,1,0.5"}, {"box": (0.5, 0.0, 1.0, 0.5)}),
        ({"patch": "0.1,0.9"}, {"patch": (0.1, 0.9)}),
        ({"components": "3", "suppress": "common"}, {"components": 3, "suppress": "common"}),
    ],
)
def test_regions_and_directions_are_those_of_the_library(
    client: TestClient,
    store: FeatureStore,
    photos: list[Path],
    asked: dict[str, object],
    words: dict[str, str],
    region: dict[str, Any],
) -> None:
    got = ask(client, "search", **asked, **words)
    want = search(store, photos[2], k=5, backbone=FakeBackbone(), **region)
    assert [hit["digest"] for hit in got["hits"]] == [hit.digest for hit in want.hits]
    assert [hit["score"] for hit in got["hits"]] == pytest.approx([hit.score for hit in want.hits], abs=1e-6)
    assert got["hits"] != ask(client, "search", **asked)["hits"]


def test_a_dropped_photograph_is_searched_for_by_a_model_that_sees_it_once(
    store: FeatureStore, asked: dict[str, object], tmp_path: Path
) -> None:
    model = FakeBackbone()
    new = tmp_path / "new.png"
    new.write_bytes(png(50, (60, 40)))
    with client_of(StoreFinder(store, [model])) as client:
        shown = upload(client, new.read_bytes(), "../<i>new.png").json()
        assert (shown["digest"], shown["name"]) == (digest_of(new.read_bytes()), "<i>new.png")
        assert (shown["size"], shown["source"]) == ([60, 40], "")
        answers = [
            ask(client, "search", **{**asked, "query": shown["digest"]}, suppress=kind)
            for kind in SUPPRESSIONS
        ]
        assert ask(client, "photograph", table=asked["table"], digest=shown["digest"]) == shown
        picture = Image.open(
            io.BytesIO(ask(client, "picture", table=asked["table"], digest=shown["digest"], size="large"))
        )
        assert picture.size == (60, 40)
    assert model.batches == [1]
    want = search(store, new, k=5, backbone=FakeBackbone(), suppress="centre")
    assert [h["digest"] for h in answers[SUPPRESSIONS.index("centre")]["hits"]] == [
        h.digest for h in want.hits
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"hello, this is text", "not an image"), (bomb(), "pixels"), (png(1)[:150], "decoded")],
)
def test_a_file_that_is_no_photograph_says_why(client: TestClient, data: bytes, reason: str) -> None:
    answer = upload(client, data)
    assert answer.status_code == 422 and reason in answer.json()["reason"]


def test_an_upload_beyond_the_limit_is_cut_off(client: TestClient) -> None:
    assert upload(client, bytes(LIMIT + 1)).status_code == 413


def test_only_the_last_uploads_are_kept(client: TestClient, asked: dict[str, object]) -> None:
    first = upload(client, png(60)).json()
    for seed in range(61, 65):
        upload(client, png(seed))
    assert "drop it again" in refused(client, "search", **{**asked, "query": first["digest"]})


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"pooling": "maximum"}, "no pooling"),
        ({"suppress": "everything"}, "no suppression"),
        ({"box": "0.2,0.2,0.2,0.8"}, "area"),
        ({"box": "0.8,0.2,0.2,0.8"}, "area"),
        ({"box": "0,0,1.2,1"}, "[0, 1]"),
        ({"box": "0,0,nan,1"}, "[0, 1]"),
        ({"box": "0,0,1"}, "4 numbers"),
        ({"patch": "a,b"}, "2 numbers"),
        ({"patch": "0.1,0.1", "box": "0,0,1,1"}, "not both"),
        ({"box": "0,0,1,0.5", "pooling": "cls"}, "class token"),
        ({"k": "0"}, "k is a whole number"),
        ({"k": "100000"}, "k is a whole number"),
        ({"k": "٣"}, "k is a whole number"),
        ({"components": "0", "suppress": "common"}, "components is"),
        ({"components": "999", "suppress": "common"}, "999"),
        ({"query": "../../etc/passwd"}, "digest"),
        ({"query": "0' OR '1'='1"}, "digest"),
        ({"query": "0" * 64}, "neither in the store"),
        ({"table": "nothing"}, "no table"),
        ({"more": "../etc"}, "digest"),
        ({"against": ",".join(["0" * 64] * 17)}, "at most 16"),
        ({"since": "yesterday"}, "no day"),
        ({"near": "91,0,5"}, "latitude"),
        ({"near": "Vienna"}, "kilometres"),
        ({"path": "x" * 501}, "500 characters"),
        ({"table": "../../etc"}, "no table"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_words(
    client: TestClient, asked: dict[str, object], change: dict[str, str], reason: str
) -> None:
    for path, more in (("search", {}), ("why", {"hit": asked["query"]})):
        if not (path == "why" and change.keys() & {"k"}):
            assert reason in refused(client, path, **{**asked, **more, **change})


def test_pictures_are_small_and_only_of_the_store(
    client: TestClient, photos: list[Path], asked: dict[str, object]
) -> None:
    table = asked["table"]
    beside = photos[0].parent / "beside.png"
    beside.write_bytes(png(70))
    small = Image.open(io.BytesIO(ask(client, "picture", table=table, digest=asked["query"])))
    assert small.format == "JPEG" and small.size == (64, 48)
    for digest in (digest_of(beside.read_bytes()), "0" * 64):
        assert "neither in the store" in refused(client, "picture", table=table, digest=digest)
    for digest in (beside, "..%2f..%2fetc%2fpasswd", ""):
        assert "digest" in refused(client, "picture", table=table, digest=digest)
    assert "small or large" in refused(client, "picture", table=table, digest=asked["query"], size="9999")


def test_a_file_that_changed_or_went_is_not_shown(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(png(i))
    store = embed(paths, FakeBackbone(), tmp_path / "store", grid=GRID)
    paths[0].write_bytes(png(9))
    paths[1].unlink()
    with client_of(StoreFinder(store, [FakeBackbone()])) as client:
        table = store.tables[0]
        assert "changed" in refused(client, "picture", table=table, digest=digest_of(png(0)))
        assert "no file" in refused(client, "picture", table=table, digest=digest_of(png(1)))
        for i in range(3):
            found = ask(client, "search", table=table, query=digest_of(png(i)), k=5)
            assert len(found["hits"]) == 2
        assert "no file" in refused(
            client, "search", table=table, query=digest_of(png(1)), k=5, box="0,0,0.5,0.5"
        )


def test_large_photographs_are_reduced_and_those_in_an_archive_shown(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "some.tar", "w") as archive:
        for i in range(2):
            data = png(i, (600, 300))
            entry = tarfile.TarInfo(f"inside/{i}.png")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    store = embed(tmp_path / "some.tar", FakeBackbone(), tmp_path / "store", grid=GRID)
    with client_of(StoreFinder(store, [FakeBackbone()])) as client:
        shown = ask(client, "collection", table=store.tables[0], first=0, n=5)["photographs"]
        assert [one["name"] for one in shown] == ["0.png", "1.png"]
        for one in shown:
            picture = ask(client, "picture", table=store.tables[0], digest=one["digest"])
            assert Image.open(io.BytesIO(picture)).size == (384, 192)


def test_photographs_together_and_against_are_those_of_the_library(
    client: TestClient, store: FeatureStore, photos: list[Path], asked: dict[str, object]
) -> None:
    digests = [digest_of(path.read_bytes()) for path in photos]
    more, against = ",".join(digests[3:5]), digests[5]
    got = ask(client, "search", **asked, more=more, against=against, path="PNG", where="w > 1")
    want = search(store, photos[2:5], k=5, against=[photos[5]])
    assert [(hit["digest"], hit["score"]) for hit in got["hits"]] == [
        (hit.digest, hit.score) for hit in want.hits
    ]
    assert "minus that of 1" in got["notes"][0]
    assert "fits the condition" in refused(client, "search", **asked, path="no such place")
    assert "cannot be used" in refused(client, "search", **asked, where="no such column > 1")
    assert "take the others away" in refused(client, "patches", **asked, patch="0.5,0.5", against=against)


def test_a_photograph_of_one_table_is_searched_for_in_another(photos: list[Path], tmp_path: Path) -> None:
    models = [FakeBackbone(), FakeBackbone(name="wide", dim=20)]
    embed(photos[:4], models[0], tmp_path / "store", grid=GRID)
    store = embed(photos[3:], models[1], tmp_path / "store", grid=GRID)
    with client_of(StoreFinder(store, models)) as client:
        for path in (photos[0], photos[3]):
            digest = digest_of(path.read_bytes())
            got = ask(client, "search", table="wide", query=digest, k=9)
            want = search(store, path, k=9, table="wide", backbone=models[1])
            assert [hit["digest"] for hit in got["hits"]] == [hit.digest for hit in want.hits]
            assert ask(client, "photograph", table="wide", digest=digest)["name"] == path.name


def test_near_duplicates_come_in_groups(photos: list[Path], tmp_path: Path) -> None:
    same = [tmp_path / f"same {i}.png" for i in range(2)]
    for i, path in enumerate(same):
        Image.open(photos[0]).save(path, compress_level=i + 1)
    store = embed([*photos, *same], FakeBackbone(), tmp_path / "store", grid=GRID)
    with client_of(StoreFinder(store)) as client:
        (group,) = ask(client, "duplicates", table=store.tables[0], least="0.999")["groups"]
        assert {one["source"] for one in group} == {str(path) for path in (photos[0], *same)}
        assert "least" in refused(client, "duplicates", table=store.tables[0], least="0")


def test_why_is_a_picture_of_both(client: TestClient, asked: dict[str, object]) -> None:
    hit = ask(client, "search", **asked, suppress="centre")["hits"][0]
    drawn = Image.open(io.BytesIO(ask(client, "why", **asked, suppress="centre", hit=hit["digest"])))
    assert drawn.format == "JPEG" and min(drawn.size) > 400
    dark = Image.open(io.BytesIO(ask(client, "why", **asked, suppress="centre", hit=hit["digest"], dark=1)))
    assert dark.size == drawn.size and max(dark.getpixel((2, 2))) < 60 < min(drawn.getpixel((2, 2)))
    assert "digest" in refused(client, "why", **asked, hit="x")


def test_why_says_the_score_of_the_ranking(finder: StoreFinder, asked: dict[str, Any]) -> None:
    for box, patch in ((None, None), ((0.0, 0.0, 0.5, 1.0), None), (None, (0.9, 0.1))):
        question = Question(asked["table"], asked["query"], "mean", "background", 5, box=box, patch=patch)
        for hit in finder.search(question).hits.hits:
            match, query, photograph = finder.why(question, hit.digest)
            assert match.score == pytest.approx(hit.score, abs=2e-3)  # stored as float16
            assert (query.digest, photograph.digest) == (question.query, hit.digest)


def test_every_table_answers_with_its_own_model(photos: list[Path], tmp_path: Path) -> None:
    models = [FakeBackbone(), FakeBackbone(name="wide", dim=20)]
    for model in models:
        store = embed(photos, model, tmp_path / "store", grid=GRID)
        model.batches.clear()
    with client_of(StoreFinder(store, models)) as client:
        tables = ask(client, "tables")["tables"]
        assert {table["backbone"] for table in tables} == {"fake", "wide"}
        for table in tables:
            digest = upload(client, png(80)).json()["digest"]
            assert len(ask(client, "search", table=table["name"], query=digest, k=3)["hits"]) == 3
    assert [model.batches for model in models] == [[1], [1]]


def test_what_is_embedded_meanwhile_is_found_and_fitted_on(photos: list[Path], tmp_path: Path) -> None:
    store = embed(photos[:4], FakeBackbone(), tmp_path / "store", grid=GRID)
    with client_of(StoreFinder(store, [FakeBackbone()])) as client:
        asked = {"table": store.tables[0], "query": digest_of(photos[0].read_bytes()), "k": 20}
        assert len(ask(client, "search", **asked, suppress="centre")["hits"]) == 3
        embed(photos, FakeBackbone(), tmp_path / "store", grid=GRID)
        after = ask(client, "search", **asked, suppress="centre")
    want = search(store, photos[0], k=20, suppress="centre")
    assert [hit["score"] for hit in after["hits"]] == [hit.score for hit in want.hits]
    assert len(want.hits) == N - 1


def test_a_closing_server_says_so(finder: StoreFinder, asked: dict[str, object]) -> None:
    closing = threading.Event()
    with client_of(finder, closing) as client:
        closing.set()
        answer = client.get(f"/{TOKEN}/search", params={k: str(v) for k, v in asked.items()})
        assert answer.status_code == 503


def test_pictures_are_kept_up_to_a_size_and_the_oldest_goes() -> None:
    kept: Recent[tuple[str, int], bytes] = Recent(10, len)
    for name in ("a", "b"):
        kept.keep((name, 1), bytes(5))
    assert kept.have(("a", 1)) == bytes(5)  # now the one asked for last
    kept.keep(("c", 1), bytes(5))
    assert [kept.have((name, 1)) is not None for name in "abc"] == [True, False, True]
    kept.keep(("c", 1), bytes(5))
    assert kept.have(("a", 1)) is not None


def test_a_model_of_no_table_and_an_empty_store_are_refused(store: FeatureStore, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there are fake"):
        open_finder(store, [FakeBackbone(name="other")])
    with pytest.raises(InputError, match="empty"):
        open_finder(FeatureStore(tmp_path), [])


def test_a_store_is_told_from_photographs(store: FeatureStore, photos: list[Path], tmp_path: Path) -> None:
    assert is_store(store.path)
    (tmp_path / "tables").mkdir()  # a folder of photographs of tables
    assert not is_store(tmp_path) and not is_store(photos[0]) and not is_store(tmp_path / "nothing")


def test_the_best_patch_of_each_other_photograph_is_what_comparing_every_patch_gives(
    photos: list[Path], tmp_path: Path
) -> None:
    store = embed(photos, FakeBackbone(), tmp_path / "dense", grid=GRID, dense="float16")
    row, col = 1, 3
    words = {
        "table": store.tables[0],
        "query": digest_of(photos[2].read_bytes()),
        "k": 200,
        "patch": f"{(col + 0.5) / GRID},{(row + 0.5) / GRID}",
    }
    with client_of(StoreFinder(store, [FakeBackbone()])) as client:
        assert ask(client, "tables")["tables"][0]["dense"] is True
        got = ask(client, "patches", **words)
        without = ask(client, "patches", **words, suppress="background", components=2)
    (query,) = extract([photos[2]], FakeBackbone(), grid=GRID)
    h, w = query.grid.shape
    row, col = query.grid.patch_at((col + 0.5) / GRID, (row + 0.5) / GRID)
    sought = query.values[row, col].astype(np.float64)
    kept = {r.digest: f.values.reshape(-1, f.dim).astype(np.float64) for r, f in each_dense(store.table())}
    del kept[words["query"]]

    def best(taken: Suppression) -> dict[str, tuple[float, int]]:
        a = taken.apply(sought)
        found = {}
        for digest, values in kept.items():
            b = taken.apply(values)
            cosines = b @ a / (np.linalg.norm(b, axis=1) * np.linalg.norm(a))
            found[digest] = (float(cosines.max()), int(cosines.argmax()))
        return found

    fitted = fit_suppression(store, "background", components=2)
    for answer, expected in ((got, best(no_suppression(query.dim))), (without, best(fitted))):
        assert answer["grid"] == [h, w] and len(answer["hits"]) == N - 1
        scores = [hit["score"] for hit in answer["hits"]]
        assert scores == sorted(scores, reverse=True)
        for hit in answer["hits"]:
            score, flat = expected[hit["digest"]]
            i, j = divmod(flat, w)
            assert hit["score"] == pytest.approx(score, abs=1e-9)
            assert hit["box"] == pytest.approx([j / w, i / h, (j + 1) / w, (i + 1) / h])
    assert (got["suppression"], got["k_removed"]) == ("none", None)
    assert (without["suppression"], without["k_removed"]) == ("background", 2)


def test_patches_are_refused_in_words_where_they_cannot_be_searched(
    client: TestClient, asked: dict[str, object]
) -> None:
    assert "click a patch" in refused(client, "patches", **asked)
    assert "--dense" in refused(client, "patches", **asked, patch="0.5,0.5")
    assert "whole photographs" in refused(client, "patches", **asked, patch="0.5,0.5", suppress="whiten")


def test_two_searches_go_on_at_once_and_a_model_runs_once_at_a_time(
    store: FeatureStore, asked: dict[str, Any]
) -> None:
    together, running = threading.Barrier(2, timeout=300), threading.Lock()

    class Both(StoreFinder):
        def search(self, question: Question) -> Any:
            together.wait()
            return super().search(question)

    class Alone(FakeBackbone):
        def forward(self, *args: Any, **words: Any) -> Any:
            assert running.acquire(blocking=False), "two threads in one model"
            try:
                time.sleep(0.2)
                return super().forward(*args, **words)
            finally:
                running.release()

    found: dict[str, Any] = {}
    with client_of(Both(store, [Alone()])) as client:
        boxes = {"left": "0,0,0.5,1", "right": "0.5,0,1,1"}
        threads = [
            threading.Thread(
                target=lambda s=side, b=box: found.update({s: ask(client, "search", **asked, box=b)})
            )
            for side, box in boxes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with client_of(StoreFinder(store, [FakeBackbone()])) as client:
        assert found == {side: ask(client, "search", **asked, box=box) for side, box in boxes.items()}
