"""The contract between Python and JavaScript, and the coding of tokens."""

from __future__ import annotations

import io
import json
import re
import sys
import zlib
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.drawing.view import codec
from dinoscope.drawing.view.bundle import view_module, view_text
from dinoscope.drawing.view.codec import TOLERANCE, CodedTokens, decode_tokens, encode_tokens
from dinoscope.drawing.view.payload import FIELDS, PAYLOAD_VERSION, comparison_payload
from dinoscope.drawing.view.standalone import view_fragment
from dinoscope.drawing.view.widget import widget
from dinoscope.errors import InputError, MissingExtraError
from tests.view.view_samples import HOSTILE, comparison, noise_features, photographs


def largest_error(features: np.ndarray, tokens: CodedTokens, patches: np.ndarray | None = None) -> float:
    """Over all pairs (of some patches), in float64."""
    lengths = np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    unit = features / np.where(lengths > 0, lengths, 1)
    decoded = decode_tokens(tokens) if patches is None else decode_tokens(tokens)[patches]
    return float(np.abs(decoded @ decoded.T - unit @ unit.T).max())


def flat_noise(n: int, dim: int, seed: int, mean: float = 0.0) -> np.ndarray:
    return noise_features(1, (1, n), dim, seed=seed, mean=mean)[0][0]


def features_of(kind: str) -> np.ndarray:
    rng = np.random.default_rng(3)
    if kind == "noise":
        return flat_noise(900, 96, 0)
    if kind == "common mean":
        return flat_noise(900, 96, 1, mean=20.0)
    if kind == "fewer patches than channels":
        return flat_noise(40, 300, 2)
    if kind == "one outlier":
        values = flat_noise(900, 64, 4)
        values[17] = 1e4 * rng.standard_normal(64)
        return values.astype(np.float32)
    if kind == "lengths from tiny to huge":
        return (flat_noise(600, 32, 5) * 10.0 ** rng.uniform(-12, 12, (600, 1))).astype(np.float32)
    if kind == "a few clusters":
        return (np.repeat(flat_noise(5, 64, 6), 100, axis=0) + 1e-3 * flat_noise(500, 64, 7)).astype(
            np.float32
        )
    assert kind == "two channels"
    return rng.standard_normal((500, 2)).astype(np.float32)


KINDS = [
    "noise",
    "common mean",
    "fewer patches than channels",
    "one outlier",
    "lengths from tiny to huge",
    "a few clusters",
    "two channels",
]


@pytest.mark.parametrize("kind", KINDS)
def test_every_cosine_is_within_the_stated_error(kind: str) -> None:
    features = features_of(kind)
    tokens = encode_tokens(features)
    seen = largest_error(features, tokens)
    assert seen == pytest.approx(tokens.error.largest, abs=2e-6)
    assert tokens.error.largest <= TOLERANCE
    assert tokens.error.all_pairs
    assert tokens.error.pairs == len(features) ** 2


@pytest.mark.parametrize("start", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("jump", [1.0, 1.9, 2.4])
def test_the_spread_that_is_chosen_was_tried_and_is_within_the_aim(start: float, jump: float) -> None:
    """Errors that leap from far below the aim to far above it between two spreads."""
    tried: dict[float, float] = {}

    def error(spread: float) -> codec._Errors:
        tried[spread] = spread * (jump if spread > 0.8 else 1 / jump)
        return codec._Errors(tried[spread], np.zeros(0, np.float32))

    chosen = codec._aimed(error, start, 1.0)
    assert tried[chosen] <= 1.05
    assert tried[chosen] == max(seen for seen in tried.values() if seen <= 1.05)
    assert chosen > 0.6


def test_all_pairs_are_looked_at_and_the_worst_patches_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_BLOCK", 16)
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((61, 9)).astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    decoded = unit[:, ::-1] + 1e-3 * rng.standard_normal((61, 9))
    apart = np.abs(decoded @ decoded.T - unit.astype(np.float64) @ unit.T)
    every = codec._Errors.of(unit, decoded, 1.0)
    assert every.largest == pytest.approx(apart.max(), abs=1e-6) and not every.beyond.any()
    allowed = 0.99 * apart.max()
    found = codec._Errors.of(unit, decoded, allowed)
    worst = (apart > allowed).any(axis=1)
    assert found.largest == pytest.approx(apart.max(), abs=1e-6)
    np.testing.assert_array_equal(found.beyond[worst] > allowed, True)
    assert found.beyond[worst] == pytest.approx(apart.max(axis=1)[worst], abs=1e-6)


def test_a_tighter_tolerance_is_met_and_costs_more() -> None:
    features = features_of("noise")
    loose, tight = encode_tokens(features), encode_tokens(features, tolerance=0.001)
    assert largest_error(features, tight) <= 0.001
    assert len(zlib.compress(tight.planes.tobytes())) > 1.5 * len(zlib.compress(loose.planes.tobytes()))


def test_patches_without_length_have_cosine_zero() -> None:
    features = features_of("noise")
    features[[3, 50]] = 0
    decoded = decode_tokens(encode_tokens(features))
    cosines = decoded @ decoded.T
    assert not cosines[[3, 50]].any()
    assert np.allclose(np.delete(np.diag(cosines), [3, 50]), 1)


@pytest.mark.parametrize("value", [0.0, 2.5])
def test_a_collapsed_map_codes_to_its_constant(value: float) -> None:
    decoded = decode_tokens(encode_tokens(np.full((64, 8), value, np.float32)))
    assert np.allclose(decoded @ decoded.T, float(value > 0), atol=TOLERANCE)


def test_large_grids_are_measured_on_a_sample_and_say_so() -> None:
    features = flat_noise(16_900, 6, 8)
    tokens = encode_tokens(features)
    assert not tokens.error.all_pairs
    assert tokens.error.pairs == 8_192**2
    assert 0 < tokens.error.largest <= 0.85 * TOLERANCE
    assert largest_error(features[::4], tokens, np.arange(len(features))[::4]) <= TOLERANCE


def test_impossible_tolerances_are_refused() -> None:
    with pytest.raises(InputError, match="tolerance"):
        encode_tokens(features_of("noise"), tolerance=0.0)
    with pytest.raises(InputError, match="within a cosine error"):
        encode_tokens(features_of("noise"), tolerance=1e-7)


def small_comparison(name: str = "a.jpg") -> object:
    photos = [(name, image) for _, image in photographs(2)]
    features = [noise_features(2, (5, 7), 24, seed=m, mean=float(m)) for m in (0, 1)]
    return comparison(photos, features, ["one", "two"], notes=(name,))


def test_header_names_exactly_the_fields_of_the_contract() -> None:
    header = json.loads(comparison_payload(small_comparison()).header)
    records = {
        "header": [header],
        "photograph": header["photographs"],
        "model": header["models"],
        "tokens": [model["tokens"] for model in header["models"]],
        "grid": [grid for row in header["grids"] for grid in row],
        "blob": header["blobs"],
    }
    assert records.keys() == FIELDS.keys()
    for kind, found in records.items():
        assert found
        for record in found:
            assert tuple(sorted(record)) == tuple(sorted(FIELDS[kind])), kind
    assert header["version"] == PAYLOAD_VERSION


def test_javascript_has_the_same_version_and_fields() -> None:
    text = view_text("payload.mjs")
    version = re.search(r"^export const PAYLOAD_VERSION = (\d+);$", text, re.MULTILINE)
    fields = re.search(r"^export const FIELDS = (\{.*?^\});$", text, re.MULTILINE | re.DOTALL)
    assert version is not None
    assert fields is not None
    assert int(version[1]) == PAYLOAD_VERSION
    assert json.loads(fields[1]) == {kind: list(names) for kind, names in FIELDS.items()}


def test_blobs_hold_what_the_header_says() -> None:
    shown = small_comparison()
    payload = comparison_payload(shown)
    header = json.loads(payload.header)
    cuts = np.cumsum([0, *(blob["length"] for blob in header["blobs"])])
    assert cuts[-1] == len(payload.data)

    def blob(index: int) -> bytes:
        raw = payload.data[cuts[index] : cuts[index + 1]]
        return zlib.decompress(raw) if header["blobs"][index]["deflated"] else raw

    photo = Image.open(io.BytesIO(blob(header["photographs"][1]["image_blob"])))
    assert (photo.format, photo.size) == ("JPEG", shown.photographs[1].size)
    for m, model in enumerate(header["models"]):
        coded = model["tokens"]
        tokens = CodedTokens(
            np.frombuffer(blob(coded["planes_blob"]), np.int8).reshape(coded["n_planes"], coded["n"]),
            np.array(coded["axis"], np.int32),
            np.frombuffer(blob(coded["step_blob"]), "<f4"),
            np.frombuffer(blob(coded["mean_blob"]), "<f4"),
            np.frombuffer(blob(coded["norms_blob"]), "<f4"),
            encode_tokens(np.ones((1, 1), np.float32)).error,
        )
        features = np.concatenate([row[m].values.reshape(-1, row[m].dim) for row in shown.features])
        assert largest_error(features, tokens) <= coded["largest_error"] <= TOLERANCE
        assert np.allclose(tokens.norms, np.linalg.norm(features, axis=1))
        colours = np.frombuffer(blob(model["colours_blob"]), np.uint8).reshape(2, 5, 7, 3)
        assert np.abs(colours[1] / 255 - shown.maps[1][m].colours).max() <= 0.5 / 255 + 1e-9


def test_hostile_text_cannot_leave_the_header() -> None:
    payload = comparison_payload(small_comparison(HOSTILE))
    assert not re.search(r"[<>&]", payload.header)
    assert payload.header.isascii()
    assert json.loads(payload.header)["photographs"][0]["name"] == HOSTILE


def test_fragment_stands_alone() -> None:
    fragment = view_fragment(small_comparison(HOSTILE))
    assert fragment.count("</script>") == fragment.count("<script") == 3
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", fragment)


def test_bundled_module_has_no_imports_and_keeps_every_module() -> None:
    module = view_module()
    code = re.sub(r"/\*\*.*?\*/", "", module, flags=re.DOTALL)
    assert not re.search(r"^import\s|\bimport\(", code, re.MULTILINE)
    assert not re.search(r"</script|<!--|<script", module, re.IGNORECASE)
    static = Path(str(files("dinoscope.drawing.view"))) / "static"
    pages = {"view", "live", "answers", "folders", "page", "search", "region", "hits", "address", "card"}
    pages |= {"collection", "duplicates", "exported", "filters", "handles", "rankings", "tables", "together"}
    pages |= {"uploads", "why"}
    own = {file.stem for file in static.glob("*.mjs")} - pages
    assert len(own) > 10
    for name in own:
        assert module.count(f"const module_{name} = ") == 1, name
    assert 'const STYLE = ""' not in module
    assert ".stage" in module


def test_widget_carries_the_payload() -> None:
    shown = small_comparison()
    made = widget(shown)
    payload = comparison_payload(shown)
    assert made.header == payload.header
    assert made.data == payload.data
    assert {"header", "data"} <= set(made.trait_names(sync=True))
    assert "export default" in made._esm


def test_widget_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match=r"dinoscope\[widget\]"):
        widget(small_comparison())


def test_the_rare_worst_pair_of_many_is_found_before_the_tokens_are_accepted() -> None:
    features = np.concatenate([flat_noise(1_500, 24, 11, mean=3.0), 0.02 * flat_noise(4, 24, 12)])
    tokens = encode_tokens(features)
    assert largest_error(features, tokens) == pytest.approx(tokens.error.largest, abs=2e-6)
    assert tokens.error.largest <= TOLERANCE
