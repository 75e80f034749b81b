"""The ledger, one line at a time."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dinoscope.backbones import bundled
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.compare import compare
from dinoscope.comparison.content_free import without_position
from dinoscope.comparison.fairness import fairness_ledger
from dinoscope.data.features import PatchFeatures
from dinoscope.data.maps import PatchPCA
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import LedgerEntry, ModelResult
from dinoscope.data.spec import BackboneSpec, Statistics, WeightsOrigin
from dinoscope.io.images import photograph_from_array

ENLARGED = "Photographs are at least as large as the models' inputs"
WHOLE = "The whole photograph is used, at its own aspect ratio"
KIND = "The models are of one kind, ViT or ConvNeXt"
REGISTERS = "The models have equally many registers"
STATISTICS = "Each model gets its own published mean and std"
LEARNED = "No photograph shown was learned from"
ONE_THING = "The models differ in one thing only"
NORM = "The final normalisation is applied"


def _model(label: str, source: str = "somewhere", digest: str = "", **facts: object) -> ModelResult:
    spec = BackboneSpec(label, "dinov3", patch_size=8, dim=2, depth=6, heads=1, registers=4)
    own = {name: facts.pop(name) for name in ("family", "registers", "control") if name in facts}
    origin = WeightsOrigin(source, digest)
    pca = PatchPCA(np.zeros(2), np.eye(2), np.ones(2), np.ones(2) / 2, np.zeros((2, 2)), 1)
    result = ModelResult(label, replace(spec, **own), origin, layer=5, dtype="float32", pca=pca)  # type: ignore[arg-type]
    return replace(result, **facts)  # type: ignore[arg-type]


def _photograph(width: int, height: int, seed: int = 0) -> Photograph:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return photograph_from_array(pixels, name=f"{width}x{height}.png")


def _ledger(
    models: Sequence[ModelResult], grid: tuple[int, int] = (4, 4), size: tuple[int, int] = (64, 64)
) -> dict[str, LedgerEntry]:
    features = PatchFeatures.from_array(np.ones((*grid, 2)), image_size=size, patch_size=8)
    features = replace(features, provenance=replace(features.provenance, final_norm=True))
    photographs = [_photograph(*size)]
    entries = fairness_ledger(models, photographs, [[features] * len(models)], official_resize=False)
    return {entry.rule: entry for entry in entries}


@pytest.mark.parametrize(
    ("width", "met"), [(1000, True), (953, True), (951, False), (1052, True), (1054, False)]
)
def test_an_aspect_ratio_changed_by_more_than_a_twentieth_is_flagged(width: int, met: bool) -> None:
    assert _ledger([_model("a")], (8, 8), (width, 1000))[WHOLE].met is met


@pytest.mark.parametrize(
    ("size", "grid", "told"),
    [
        ((256, 256), (32, 32), None),
        ((512, 700), (88, 64), None),  # 704 px: the rounding to whole patches alone
        ((300, 260), (32, 37), None),
        ((64, 64), (32, 32), "4.00 times (64x64 px to 256x256 px)"),
        ((250, 250), (32, 32), "1.02 times"),
        ((300, 250), (32, 38), "1.02 times (300x250 px to 304x256 px)"),
        ((64, 64), (8, 20), "2.50 times"),
    ],
)
def test_photographs_smaller_than_the_input_are_flagged_with_the_factor(
    size: tuple[int, int], grid: tuple[int, int], told: str | None
) -> None:
    entry = _ledger([_model("a"), _model("b")], grid, size)[ENLARGED]
    assert entry.met is (told is None)
    if told is not None:
        assert told in entry.detail and "a, b: 1 of 1" in entry.detail


def test_a_transformer_beside_a_convnext_is_flagged() -> None:
    convnext = _model("c", family="dinov3-convnext", registers=0)
    entry = _ledger([_model("a", registers=0), convnext])[KIND]
    assert entry.met is False and "receptive fields" in entry.detail
    assert _ledger([convnext, convnext])[KIND].met and _ledger([_model("a"), _model("b")])[KIND].met
    control = _model("random:c", family="dinov3-convnext", control=True)
    entry = _ledger([_model("a"), _model("b"), control])[KIND]
    assert entry.met and "Met for a and b; random:c is a control, not judged here." in entry.detail


def test_an_earlier_stage_of_a_convnext_has_no_final_norm() -> None:
    assert _ledger([_model("c", family="dinov3-convnext")])[NORM].met
    assert not _ledger([_model("c", family="dinov3-convnext", layer=2)])[NORM].met
    assert _ledger([_model("a", layer=2)])[NORM].met


def test_a_network_without_a_final_norm_is_named() -> None:
    bare = _model("b")
    bare = replace(bare, spec=replace(bare.spec, final_norm=False))
    entry = _ledger([_model("a"), bare])[NORM]
    assert not entry.met
    assert "there is none at this layer of b;" in entry.detail
    assert "there is none" not in _ledger([_model("a"), _model("b")])[NORM].detail


def test_unequal_registers_are_flagged() -> None:
    entry = _ledger([_model("a"), _model("b", registers=0)])[REGISTERS]
    assert entry.met is False and entry.detail.startswith("a: 4; b: 0.")
    assert _ledger([_model("a"), _model("b"), _model("pixels", registers=0, control=True)])[REGISTERS].met


@pytest.mark.parametrize(
    ("statistics", "met"),
    [("published", True), ("stated", True), ("assumed", False), ("contradicted", False)],
)
def test_statistics_that_nobody_published_are_flagged(statistics: Statistics, met: bool) -> None:
    models = [_model("a"), _model("b", origin=WeightsOrigin("here", statistics=statistics))]
    assert _ledger(models)[STATISTICS].met is met


def _pair(**facts: object) -> list[ModelResult]:
    first, second = (_model(name, bundled.source(name), "") for name in bundled.PAIR)
    return [first, replace(second, **facts)]  # type: ignore[arg-type]


def test_the_pair_differs_in_one_thing_only_where_all_else_is_equal() -> None:
    assert _ledger(_pair())[ONE_THING].met
    for facts, told in (
        ({"layer": 3}, "the layer"),
        ({"dtype": "bfloat16"}, "the arithmetic"),
        ({"dtype": "float32 autocast"}, "the arithmetic"),
        (
            {"origin": WeightsOrigin(bundled.source("mini-gram"), projection="position(2) ab")},
            "the directions taken out",
        ),
    ):
        entry = _ledger(_pair(**facts))[ONE_THING]
        assert entry.met is False and told in entry.detail
    entry = _ledger([*_pair(), _model("random:mini", control=True)])[ONE_THING]
    assert entry.met
    assert entry.detail.endswith("Met for mini and mini-gram; random:mini is a control, not judged here.")
    entry = _ledger([*_pair(), _model("c")])[ONE_THING]
    assert entry.met is False


def test_the_same_weights_twice_differ_in_what_was_asked_for_alone() -> None:
    same = [_model("a", digest="1"), _model("a (2)", digest="1", layer=2)]
    assert _ledger(same)[ONE_THING].met and "the layer differs" in _ledger(same)[ONE_THING].detail
    assert not _ledger([same[0], same[0]])[ONE_THING].met
    assert not _ledger([same[0], replace(same[1], dtype="float16")])[ONE_THING].met
    assert not _ledger([_model("a"), _model("b", layer=2)])[ONE_THING].met, "no digest says nothing"


def _drawn(bits: np.ndarray, scale: int) -> np.ndarray:
    """A picture whose grey rises and falls from cell to cell as a fingerprint says."""
    steps = np.where(np.unpackbits(bits).reshape(16, 16) == 1, 1, -1)
    levels = 128 + 7 * np.concatenate([np.zeros((16, 1)), np.cumsum(steps, axis=1)], axis=1)
    grey = np.kron(levels.clip(0, 255).astype(np.uint8), np.ones((scale, scale), np.uint8))
    return np.repeat(grey[:, :, None], 3, axis=2)


def _entry(images: list[np.ndarray], backbones: list[Backbone], rule: str) -> LedgerEntry:
    ledger = compare(images, backbones, grid=4, controls=False).ledger
    return next(entry for entry in ledger if entry.rule == rule)


def test_a_photograph_that_the_bundled_pair_learned_from_is_flagged(noise: np.ndarray) -> None:
    pair: list[Backbone] = [load_backbone("mini"), load_backbone("mini-gram")]
    known = bundled.trained_on(pair[0].origin)
    assert known is not None and known.shape == (40_000, 32)
    file = io.BytesIO()
    Image.fromarray(_drawn(known[417], 12)).save(file, "JPEG", quality=75)
    trained = np.asarray(Image.open(file))
    entry = _entry([noise, trained], pair, LEARNED)
    assert entry.met is False and "mini and mini-gram learned from array" in entry.detail
    assert _entry([noise], pair, LEARNED).met is True
    moved: list[Backbone] = [without_position(pair[0], 1, 4)]
    assert _entry([trained], moved, LEARNED).met is False, "a projection forgets nothing"
    blurred: list[Backbone] = [*pair, load_backbone("blur:mini")]
    assert "blur:mini is a control" in _entry([noise], blurred, LEARNED).detail


def test_what_other_models_learned_from_is_not_known(noise: np.ndarray) -> None:
    entry = _ledger([_model("a")])[LEARNED]
    assert entry.met is None and "not known" in entry.detail


def test_projections_of_two_models_are_not_one(noise: np.ndarray) -> None:
    mini, gram = load_backbone("mini"), load_backbone("mini-gram")
    rule = ONE_THING
    assert not _entry([noise], [mini, without_position(gram, 1, 4)], rule).met
    assert not _entry([noise], [without_position(mini, 1, 4), without_position(gram, 1, 4)], rule).met
    assert _entry([noise], [mini, without_position(mini, 1, 4)], rule).met
    assert not _entry([noise], [without_position(mini, 1, 4)] * 2, rule).met


@pytest.fixture(scope="module")
def noise() -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8)
