"""Words over a collection: the models' own image vectors, planted vectors, and who cannot answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image

import dinoscope as ds
from dinoscope.backbones.text import ROUTES, text_tower
from dinoscope.errors import BackboneError, InputError
from dinoscope.store.reading import each_row
from dinoscope.store.schema import NewRow
from dinoscope.store.writer import open_writer
from tests.command_line import run
from tests.pipeline.test_text import GRID, saved

N = 5


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    pixels = np.random.default_rng(0).integers(0, 256, (N, 32, 32, 3), dtype=np.uint8)
    for i, one in enumerate(pixels):
        Image.fromarray(one).save(folder / f"{i}.png")
    return sorted(folder.iterdir())


@pytest.mark.parametrize("kind", list(ROUTES))
def test_cosines_are_those_of_stored_vectors_brought_to_the_words(
    kind: str, photos: list[Path], tmp_path: Path
) -> None:
    backbone = ds.load_backbone(f"hf:{saved(kind, tmp_path / 'model')}")
    store = ds.embed(photos, backbone, tmp_path / "store", grid=GRID)
    tower = text_tower(backbone)
    hits = ds.search_words(store, ["cat", "a dog"], k=N)
    texts = tower.encode(["cat", "a dog"]).double().mean(dim=0)
    texts /= texts.norm()
    want = {}
    for features in ds.extract(photos, backbone, grid=GRID):
        if tower.route.pooled == "cls":
            with torch.no_grad():
                vector = tower.whole.visual_projection(torch.tensor(features.cls)[None])[0]
        else:
            mean = torch.tensor(features.values).flatten(0, 1).mean(dim=0)
            vector = tower.align(mean[None], backbone)[0]
        want[features.provenance.image_digest] = float(vector.double() @ texts / vector.double().norm())
    assert {hit.digest: hit.score for hit in hits.hits} == pytest.approx(want, abs=2e-3)  # float16
    scores = [hit.score for hit in hits.hits]
    assert scores == sorted(scores, reverse=True)
    assert hits.notes[0] == f"words: {tower.route.pooled_words}"


@pytest.mark.parametrize("kind", ["clip", "metaclip_2"])
def test_a_class_token_is_the_models_own_image_vector(kind: str, photos: list[Path], tmp_path: Path) -> None:
    folder = saved(kind, tmp_path / "model")
    whole = hf.AutoModel.from_pretrained(folder).eval()
    store = ds.embed(photos, ds.load_backbone(f"hf:{folder}"), tmp_path / "store", grid=GRID)
    arrays = np.stack([np.asarray(Image.open(path)) for path in photos])
    pixels = torch.tensor(arrays).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.no_grad():
        images = whole.get_image_features(pixel_values=pixels).pooler_output.double()
    text = text_tower(ds.load_backbone(f"hf:{folder}")).encode(["sky"])[0].double()
    want = (images @ text / images.norm(dim=-1)).tolist()
    sources = [row.source for row in each_row(store.table())]
    hits = {hit.source: hit.score for hit in ds.search_words(store, "sky", k=N).hits}
    assert [hits[source] for source in sources] == pytest.approx(want, abs=2e-3)


def test_a_planted_photograph_is_found_by_its_words(photos: list[Path], tmp_path: Path) -> None:
    backbone = ds.load_backbone(f"hf:{saved('tipsv2', tmp_path / 'model')}")
    store = ds.embed(photos, backbone, tmp_path / "store", grid=GRID)
    sky, grass = text_tower(backbone).encode(["sky", "grass"]).double().numpy()
    row = next(each_row(store.table()))
    moments = ds.patch_moments(np.eye(len(sky), dtype=np.float32))
    with open_writer(tmp_path / "store", store.table().settings) as writer:
        for name, vector in (("sky", sky), ("grass", 9.0 * grass)):
            digest = name.encode().hex().zfill(64)
            writer.claim(digest)
            vectors = dict.fromkeys(("mean", "gem", "foreground", "cls"), vector)
            writer.add(NewRow(digest, f"/{name}.png", "", row.grid, vectors, 0.5, moments))
    for name in ("sky", "grass"):
        (hit,) = ds.search_words(store, name, k=1).hits
        assert hit.source == f"/{name}.png" and hit.score == pytest.approx(1.0, abs=1e-5)
    (hit,) = ds.search_words(store, "sky", k=1, where="source = '/grass.png'").hits
    assert hit.score == pytest.approx(float(sky @ grass), abs=1e-3)


def test_a_table_that_reads_no_words_says_which_models_could(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ds.embed(photos, ds.load_backbone("pixels"), tmp_path / "store", grid=GRID)
    with pytest.raises(BackboneError, match=r"tipsv2, clip, metaclip_2, siglip.*None is in this store"):
        ds.search_words(store, "cat")
    model = saved("tipsv2", tmp_path / "model")
    ds.embed(photos, ds.load_backbone(f"hf:{model}"), tmp_path / "store", grid=GRID)
    with pytest.raises(BackboneError, match="Of this store: --table hf_"):
        ds.search_words(store, "cat")
    with pytest.raises(InputError, match="k of at least 1"):
        ds.search_words(store, [])

    table = ("--table", f"hf:{model}")
    assert run("search", tmp_path / "store", "--text", "cat", *table, "--json", "--out", tmp_path / "o") == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["query"] == "“cat”" and "contact sheet" in streams.err
    assert "“cat”" in (tmp_path / "o" / "hits.html").read_text(encoding="utf-8")
    assert run("search", tmp_path / "store", photos[0], "--text", "cat", *table) == 2
    said = capsys.readouterr().err
    assert f"by a photograph or by words: leave out {str(photos[0])!r}, or --text 'cat'" in said
    assert run("search", tmp_path / "store", "--text", "cat", "--table", "pixels") != 0
