"""What the live page asks beside its payload: every answer is what the public function says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import dinoscope as ds
from dinoscope.backbones.base import Backbone
from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.photographs import LivePhotographs
from dinoscope.comparison.page.questions import QUESTION_BYTES
from dinoscope.comparison.page.routes import live_app
from dinoscope.comparison.session import Session
from dinoscope.drawing.server.access import AccessGuard
from dinoscope.drawing.view.codec import TOLERANCE, CodedTokens, MeasuredError, decode_tokens
from dinoscope.io.images import read_photograph
from dinoscope.matching.match import fixed_places
from dinoscope.maths.align import align_colours
from dinoscope.maths.norms import norm_map
from dinoscope.maths.pca import to_rgb
from dinoscope.pipeline import attention
from dinoscope.view.asked import context
from dinoscope.view.asked.answers import PageAnswers
from dinoscope.view.asked.matched import N_POINTS
from tests.backbones.test_parity import tiny
from tests.pipeline.test_repair import photograph as dull
from tests.pipeline.test_repair import planted
from tests.pipeline.test_text import saved
from tests.view.live_samples import ORIGIN, TOKEN, named_decode, png

GRID = 6
POST = {"origin": ORIGIN}


class Asked:
    """A live page's server, and what it answers."""

    def __init__(
        self, folder: Path, models: list[Backbone | str], photographs: list[bytes], grid: int
    ) -> None:
        self.paths = [folder / f"{i}.png" for i in range(len(photographs))]
        for path, data in zip(self.paths, photographs, strict=True):
            path.write_bytes(data)
        self.grid = grid
        self.photographs = [read_photograph(path) for path in self.paths]
        session = Session(models)
        shown = LivePhotographs(
            session, self.paths, read=read_photograph, decode=named_decode, total_bytes=1 << 24
        )
        page = PageOptions(session.plan(grid).labels, grid, answerer=PageAnswers(session))
        app = live_app(shown, page, threading.Event())
        self.client = TestClient(AccessGuard(app, token=TOKEN, host="127.0.0.1", port=8000), base_url=ORIGIN)

    def start(self) -> None:
        self.client.post(f"/{TOKEN}/prepare?grid={self.grid}", headers=POST)
        self.revision = self.client.get(f"/{TOKEN}/state").json()["revision"]

    def post(self, body: bytes) -> Any:
        return self.client.post(f"/{TOKEN}/ask", content=body, headers=POST)

    def put(self, **question: object) -> Any:
        return self.post(json.dumps({"grid": self.grid, "revision": self.revision, **question}).encode())

    def ask(self, **question: object) -> tuple[list[dict[str, Any]], list[np.ndarray]]:
        answer = self.put(**question)
        assert answer.status_code == 200, answer.text
        content = answer.content
        length = int.from_bytes(content[:4], "little")
        header, at, arrays = json.loads(content[4 : 4 + length]), 4 + length, []
        for one in header["arrays"]:
            arrays.append(np.frombuffer(content[at : at + one["length"]], one["type"]))
            at += -(-one["length"] // 4) * 4
        assert at == len(content)
        return header["models"], arrays


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Two photographs, a pair of networks and a ConvNeXt."""
    found = Asked(
        tmp_path_factory.mktemp("asked"),
        ["mini", "mini-gram", tiny("convnext")],
        [png(1, (60, 40)), png(2, (50, 50))],
        GRID,
    )
    with found.client:
        found.start()
        yield found


def features(asked: Asked, name: str, **how: Any) -> list[ds.PatchFeatures]:
    return list(ds.extract(asked.paths, name, grid=GRID, **how))


@pytest.mark.parametrize("at", [(0.3, 0.7), "cls"])
def test_attention_is_every_head_of_one_row(asked: Asked, at: Any) -> None:
    models, arrays = asked.ask(way="attention", image=1, at=at if at == "cls" else list(at))
    for name, facts in zip(("mini", "mini-gram"), models, strict=False):
        own = ds.attention(asked.paths[1], name, at=at, grid=GRID)
        rows = arrays[facts["weights"]].reshape(facts["heads"], -1)
        np.testing.assert_allclose(rows, own.heads, atol=1e-6)
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, atol=1e-5)
        p = facts["n_prefix"]
        np.testing.assert_allclose(rows.mean(axis=0)[p:], own.values.ravel(), atol=1e-6)
        np.testing.assert_allclose(rows.mean(axis=0)[:p], own.to_prefix, atol=1e-6)
        assert (facts["h"], facts["w"]) == own.grid.shape and rows.size == facts["heads"] * (p + own.grid.n)
    said = models[2]["why"]
    assert "is a ConvNeXt: it has no attention" in said and "mini, mini-gram" in said


def test_a_rollout_is_the_functions(asked: Asked) -> None:
    models, arrays = asked.ask(way="attention", image=0, at=[0.6, 0.2], how="rollout")
    own = ds.attention(asked.paths[0], "mini-gram", at=(0.6, 0.2), grid=GRID, rollout=True)
    row = arrays[models[1]["weights"]]
    assert models[1]["heads"] == 1 and row.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(row, np.concatenate([own.to_prefix, own.values.ravel()]), atol=1e-6)
    assert "no attention" in models[2]["why"]


def test_a_photograph_is_looked_into_once(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    asked.ask(way="pass", image=0)
    passes: list[object] = []
    monkeypatch.setattr(attention, "extract", lambda *what, **_: passes.append(what) or [])
    before = asked.ask(way="attention", image=0, at=[0.1, 0.1])
    after = asked.ask(way="attention", image=0, at=[0.9, 0.9])
    assert passes == [] and not np.array_equal(before[1][0], after[1][0])


def test_passes_kept_are_bounded(asked: Asked) -> None:
    passes = context.Insides(kept_bytes=1)
    for digest in ("a", "b"):
        held = object.__new__(context.Context)
        object.__setattr__(held, "question", type("Q", (), {"grid": GRID}))
        object.__setattr__(held, "read", lambda _: asked.photographs[0])
        object.__setattr__(held, "plan", Session(["mini"]).plan(GRID))
        passes.of(held, digest, 0)
    assert [key[0] for key in passes._held._answers] == ["b"]


@pytest.mark.parametrize("facet", ["key", "query", "value"])
def test_facets_are_the_blocks_own(asked: Asked, facet: str) -> None:
    models, arrays = asked.ask(way="facet", facet=facet)
    for name, facts in zip(("mini", "mini-gram"), models, strict=False):
        step, mean, planes, norms = (arrays[facts[part]] for part in ("step", "mean", "planes", "norms"))
        coded = CodedTokens(
            planes.reshape(facts["n_planes"], -1),
            np.array(facts["axis"], np.int32),
            step,
            mean,
            norms,
            MeasuredError(0.0, 0, False),
        )
        decoded = decode_tokens(coded)
        flat = np.concatenate([f.values.reshape(-1, f.dim) for f in features(asked, name, facet=facet)])
        unit = flat / np.linalg.norm(flat.astype(np.float64), axis=1, keepdims=True)
        np.testing.assert_allclose(decoded @ decoded.T, unit @ unit.T, atol=TOLERANCE)
    assert "no attention" in models[2]["why"]


def test_clusters_are_numbered_like_the_first_models(asked: Asked) -> None:
    models, arrays = asked.ask(way="clusters", k=3)
    found = [features(asked, name) for name in ("mini", "mini-gram")]
    own = [np.concatenate([ds.fit_clusters(f, 3).label(one).ravel() for one in f]) for f in found]
    assert np.array_equal(arrays[models[0]["labels"]], own[0])
    assert np.array_equal(arrays[models[1]["labels"]], ds.match_labels(own[1], own[0])[own[1]])
    counted = asked.ask(way="clusters", k=0)[0][0]["note"]
    assert counted == f"{len(ds.fit_clusters(found[0]).sizes)}, counted by the spectrum"


def test_spectral_colours_are_those_of_the_cut(asked: Asked) -> None:
    models, arrays = asked.ask(way="spectral")
    rows = features(asked, "mini")
    cut = ds.fit_spectral(rows, n=4)
    scores = np.concatenate([cut.project(f).reshape(-1, 4)[:, 1:] for f in rows])
    scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    low, high = np.quantile(scores, [0.01, 0.99], axis=0)
    wanted = np.clip((scores - low) / (high - low), 0, 1)
    shown = arrays[models[0]["colours"]].reshape(-1, 3) / 255
    assert np.abs(shown - wanted).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("how", ["joint", "bilinear", "nearest"])
def test_upsampled_colours_are_of_upsampled_features(asked: Asked, how: str) -> None:
    models, arrays = asked.ask(way="upsampled", image=0, how=how)
    first, second = (features(asked, name) for name in ("mini", "mini-gram"))
    bases = [ds.fit_pca(rows, n=6) for rows in (first, second)]
    size = (models[0]["h"], models[0]["w"])
    assert size == tuple(4 * n for n in first[0].grid.shape)
    for m, rows in enumerate((first, second)):
        fine = ds.upsample(rows[0], size, how, asked.paths[0])
        scores = bases[m].project(ds.PatchFeatures.from_array(fine, image_size=(60, 40), name="fine"))
        limits, shown = bases[m].limits, scores
        if m == 1:
            white = [
                np.concatenate([b.project(f).reshape(-1, 6)[:, :3] for f in r])
                / b.explained_variance[:3] ** 0.5
                for b, r in zip(bases, (first, second), strict=True)
            ]
            turn = align_colours(white[1], white[0]).rotation
            limits = np.quantile(white[1] @ turn, [0.01, 0.99], axis=0).T
            shown = (scores[..., :3] / bases[1].explained_variance[:3] ** 0.5) @ turn
        wanted = to_rgb(shown, limits=limits)
        found = arrays[models[m]["colours"]].reshape(*size, 3) / 255
        assert np.abs(found - wanted).max() <= 0.5 / 255 + 2e-4


@pytest.mark.parametrize("how", ["nearest", "linear"])
def test_a_mask_is_the_functions(asked: Asked, how: str) -> None:
    clicks = [(0.2, 0.3, True), (0.8, 0.9, False)]
    models, arrays = asked.ask(way="segment", image=0, clicks=[list(click) for click in clicks], how=how)
    for name, facts in zip(("mini", "mini-gram"), models, strict=False):
        own = ds.segment(features(asked, name)[0], clicks, how=how)
        assert np.array_equal(arrays[facts["mask"]].reshape(facts["h"], facts["w"]).astype(bool), own)
    alone, _ = asked.ask(way="segment", image=0, clicks=[[0.5, 0.5, False]])
    assert all("no click says what belongs" in facts["why"] for facts in alone)


def test_matches_are_the_functions_and_points_the_same_for_all(asked: Asked) -> None:
    models, arrays = asked.ask(way="match", image=0, other=1)
    for name, facts in zip(("mini", "mini-gram"), models, strict=False):
        f, g = features(asked, name)
        own = ds.match(f, g)
        kept = arrays[facts["mutual"]] > 0
        assert kept.sum() == len(own) > 0
        np.testing.assert_allclose(arrays[facts["target"]].reshape(-1, 2)[kept], own.target, atol=1e-6)
        np.testing.assert_allclose(arrays[facts["cosine"]][kept], own.cosine, atol=1e-6)
        every = ds.match(f, g, mutual=False)
        assert np.array_equal(kept, every.mutual) and f"{every.mutual.mean():.0%}" in facts["note"]
        wanted = {f.grid.patch_at(*place) for place in fixed_places(N_POINTS)}
        assert {divmod(i, facts["w"]) for i in facts["points"]} == wanted
    assert models[0]["points"] == models[1]["points"] == models[2]["points"]


def test_a_repair_shows_what_the_function_did(tmp_path: Path) -> None:
    from PIL import Image

    clean, sick = planted("dinov2")
    picture = Image.fromarray(dull(clean.spec.patch_size))
    picture.save(tmp_path / "dull.png")
    data = (tmp_path / "dull.png").read_bytes()
    asked = Asked(tmp_path, [sick, clean, "pixels"], [data], GRID)
    with asked.client:
        asked.start()
        models, arrays = asked.ask(way="repair", image=0)
    own = ds.repair(sick, asked.paths, grid=GRID)
    shown = [arrays[models[0][side]].reshape(GRID, -1) for side in ("before", "after")]
    for norms, backbone in zip(shown, (sick, own.backbone), strict=True):
        (found,) = ds.extract(asked.paths, backbone, grid=GRID, final_norm=False)
        np.testing.assert_allclose(norms, norm_map(found), rtol=1e-5)
    assert shown[0].max() > own.threshold > shown[1].max()
    assert models[0]["note"] == f"above {own.threshold:.3g}: {own.before:.2%}, repaired {own.after:.2%}"
    assert "nothing to repair" in models[1]["note"]
    assert "DINOv2 and DINOv3" in models[2]["why"]


def test_words_are_shown_beside_the_patch_that_they_pick(tmp_path: Path) -> None:
    reader = f"hf:{saved('tipsv2', tmp_path)}"
    asked = Asked(tmp_path, ["pixels", reader], [png(1, (48, 48))], GRID)
    with asked.client:
        asked.start()
        models, arrays = asked.ask(way="text", image=0, texts=["cat", "grass"])
    own = ds.text_map(asked.paths[0], reader, ["cat", "grass"], grid=GRID)
    np.testing.assert_allclose(arrays[models[1]["values"]], own.values.ravel(), atol=1e-6)
    (f,) = ds.extract(asked.paths, "pixels", grid=GRID)
    for k in (0, 1):
        beside = arrays[models[0]["values"]].reshape(2, GRID, GRID)[k]
        np.testing.assert_allclose(beside, ds.similarity_map(f, at=own.best(k)).values, atol=1e-6)
        assert models[0]["best"][k] == list(own.best(k))
    assert models[1]["reads"] and not models[0]["reads"] and reader in models[0]["note"]


def test_without_a_reader_the_page_says_who_could(asked: Asked) -> None:
    models, _ = asked.ask(way="text", image=0, texts=["cat"])
    assert all("tipsv2, clip, metaclip_2, siglip" in facts["why"] for facts in models)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"way": "nothing"}, "no way of looking 'nothing'"),
        ({"way": "attention", "image": 2, "at": "cls"}, "image is a whole number from 0 to 1"),
        ({"way": "attention", "image": True, "at": "cls"}, "image is a whole number"),
        ({"way": "attention", "image": 0, "at": [0.5, 1.5]}, "a place is"),
        ({"way": "attention", "image": 0, "at": [float("nan"), 0]}, "a place is"),
        ({"way": "attention", "image": 0}, "a place is"),
        ({"way": "facet", "facet": "mood"}, "facet is one of"),
        ({"way": "clusters", "k": 1000}, "k is a whole number from 0"),
        ({"way": "segment", "image": 0, "clicks": [[0.5, 0.5]]}, "a click is"),
        ({"way": "segment", "image": 0, "clicks": [[0.5, 0.5, True]] * 501}, "at most 500"),
        ({"way": "segment", "image": 0, "clicks": "here"}, "clicks are a list"),
        ({"way": "upsampled", "image": 0, "how": "magic"}, "how is one of"),
        ({"way": "text", "image": 0, "texts": "cat"}, "texts are a list"),
        ({"way": "text", "image": 0, "texts": [" "]}, "type a word"),
        ({"way": "match", "image": 0, "other": -1}, "other is a whole number"),
        ({"way": "spectral", "grid": 0}, "the grid is a whole number"),
        ({"way": "spectral", "grid": 7}, "no photograph to look at"),
        ({"way": "spectral", "revision": -1}, "photographs have changed"),
    ],
)
def test_a_bad_question_is_refused_in_words(asked: Asked, question: dict[str, Any], said: str) -> None:
    answer = asked.put(**question)
    assert answer.status_code == 422 and said in answer.json()["reason"]


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"\xff", b"[" * 5000])
def test_no_question_at_all_is_refused(asked: Asked, body: bytes) -> None:
    answer = asked.post(body)
    assert answer.status_code == 422 and "a question is a JSON object" in answer.json()["reason"]


def test_a_question_is_short_and_comes_from_the_page(asked: Asked) -> None:
    assert asked.post(b" " * (QUESTION_BYTES + 1)).status_code == 413
    assert asked.client.post(f"/{TOKEN}/ask", content=b"{}").status_code == 403
    assert asked.client.post("/wrong/ask", content=b"{}", headers=POST).status_code == 403
