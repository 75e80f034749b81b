"""Every planted mistake must be named first. The mistakes are made here by hand, not by the finder's code."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from dinoscope.backbones.alternatives import POSITIONS, with_attention, with_positions
from dinoscope.backbones.families.dino import DinoBackbone
from dinoscope.backbones.load import load_backbone
from dinoscope.data.spec import IMAGENET_MEAN, IMAGENET_STD
from dinoscope.doctor.diagnosis import Diagnosis, Effect, Recipe
from dinoscope.doctor.explain.explain import explain
from dinoscope.doctor.explain.pixels import wrong_pixels
from dinoscope.doctor.explain.recipe import changed_fields, read_recipe, spell, split_recipe
from dinoscope.doctor.explain.verdict import chosen
from dinoscope.doctor.text import diagnosis_text
from dinoscope.errors import InputError, LayerError, ShapeError
from dinoscope.io.features import write_features
from dinoscope.io.images import read_photograph
from dinoscope.maths.same_places import patch_agreement
from dinoscope.pipeline.extract import extract
from dinoscope.strict_json import strict_json
from tests.backbones.shrunken import shrink_catalog

V2, REG, V3 = "random:dinov2-base", "random:dinov2-reg-base", "random:dinov3-vitb16"
GRID = 6


@pytest.fixture(autouse=True)
def small_models(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_catalog(monkeypatch)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130x96 pixels of coloured blobs: no symmetry, and fine enough for filters to matter."""
    path = tmp_path_factory.mktemp("photographs") / "blobs.png"
    Image.fromarray(blobs(0)).save(path)
    return path


def blobs(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((96, 130, 3))
    noise = gaussian_filter(noise, (9, 9, 0)) * 9 + gaussian_filter(noise, (1.5, 1.5, 0))
    values = noise / noise.std() * 45 + np.array([150, 110, 80])
    return values.clip(0, 255).astype(np.uint8)


def planes(photo: Path, size: tuple[int, int], mode: str = "bilinear", antialias: bool = True) -> Tensor:
    pixels = torch.from_numpy(np.array(Image.open(photo).convert("RGB"))).permute(2, 0, 1)[None].float() / 255
    if mode == "nearest":
        return nn.functional.interpolate(pixels, size=size, mode=mode)
    return nn.functional.interpolate(pixels, size=size, mode=mode, antialias=antialias).clamp(0, 1)


def normalised(pixels: Tensor, mean: Any = IMAGENET_MEAN, std: Any = IMAGENET_STD) -> Tensor:
    return (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


class Planter:
    """What a careless script would do with one model and one photograph on 6 x 8 patches."""

    def __init__(self, model: str, photo: Path) -> None:
        self.backbone = load_backbone(model)
        self.photo = photo
        self.side = self.backbone.spec.patch_size
        self.size = (GRID * self.side, 8 * self.side)

    def run(self, pixels: Tensor, backbone: Any = None, **options: Any) -> np.ndarray:
        outputs = (backbone or self.backbone).forward(pixels, **options)
        (values,) = outputs.patches.values()
        return values[0].numpy()

    def right(self) -> np.ndarray:
        return self.run(normalised(planes(self.photo, self.size)))

    def tokens(self) -> np.ndarray:
        outputs = self.backbone.forward(normalised(planes(self.photo, self.size)))
        (layer,) = outputs.patches
        rows = outputs.patches[layer][0].flatten(0, 1)
        return torch.cat([outputs.cls[layer], outputs.registers[layer][0], rows]).numpy()

    def sliced(self, first: int) -> np.ndarray:
        return self.tokens()[first : first + 48].reshape(6, 8, -1)


def _scalar(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2)))


def _half(p: Planter) -> np.ndarray:
    return p.run(planes(p.photo, p.size) * 2 - 1)


def _unnormalised(p: Planter) -> np.ndarray:
    return p.run(planes(p.photo, p.size))


def _double_rescale(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size) / 255))


def _no_rescale(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size) * 255))


def _bgr(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size)[:, [2, 1, 0]]))


def _bicubic(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size, "bicubic")))


def _no_antialias(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size, antialias=False)))


def _pillow(p: Planter) -> np.ndarray:
    image = Image.open(p.photo).resize((p.size[1], p.size[0]), Image.Resampling.BICUBIC)
    return p.run(normalised(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255))


def _crop(p: Planter) -> np.ndarray:
    edge = GRID * p.side
    long = edge * 130 // 96
    left = round((long - edge) / 2)
    return p.run(normalised(planes(p.photo, (edge, long))[..., left : left + edge]))


def _squash(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, (GRID * p.side, GRID * p.side))))


def _finer(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, (9 * p.side, 12 * p.side))))


def _no_norm(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size)), final_norm=False)


def _first_layer(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size)), layers=(0,))


def _bfloat16(p: Planter) -> np.ndarray:
    return p.run(normalised(planes(p.photo, p.size)), p.backbone.to("cpu", torch.bfloat16))


def _transposed(p: Planter) -> np.ndarray:
    return p.right().transpose(1, 0, 2)


def _cut_into_wrong_rows(p: Planter) -> np.ndarray:
    return p.right().reshape(8, 6, -1)


def _own_positions(p: Planter) -> np.ndarray:
    """The interpolation of transformers' own class, which is not the authors'."""

    def change(model: nn.Module) -> None:
        del model.get_submodule("embeddings").__dict__["interpolate_pos_encoding"]

    return p.run(normalised(planes(p.photo, p.size)), p.backbone.altered(change))


def _interleaved_rope(p: Planter) -> np.ndarray:
    """RoPE written for neighbouring channels."""
    import transformers.models.dinov3_vit.modeling_dinov3_vit as module

    def rotate(x: Tensor) -> Tensor:
        return torch.stack([-x[..., 1::2], x[..., 0::2]], dim=-1).flatten(-2)

    def change(model: nn.Module) -> None:
        rope: Any = model.get_submodule("rope_embeddings")
        before = rope.forward

        def forward(pixels: Tensor) -> tuple[Tensor, Tensor]:
            cos, sin = before(pixels)
            half = cos.shape[-1] // 2
            return cos[..., :half].repeat_interleave(2, -1), sin[..., :half].repeat_interleave(2, -1)

        rope.forward = forward

    original = module.rotate_half
    module.rotate_half = rotate
    try:
        return p.run(normalised(planes(p.photo, p.size)), p.backbone.altered(change))
    finally:
        module.rotate_half = original


ANYWHERE: dict[str, Callable[[Planter], np.ndarray]] = {
    "stats=scalar": _scalar,
    "stats=half": _half,
    "stats=none": _unnormalised,
    "scale=twice": _double_rescale,
    "scale=255": _no_rescale,
    "channels=bgr": _bgr,
    "resize=bicubic": _bicubic,
    "crop=center": _crop,
    "norm=false": _no_norm,
    "layer=0": _first_layer,
    "dtype=bfloat16": _bfloat16,
    "layout=transposed": _transposed,
    "skip=0": lambda p: p.sliced(0),
}
CASES = [(V3, change, plant) for change, plant in ANYWHERE.items()]
CASES += [
    (V2, change, ANYWHERE[change]) for change in ("stats=scalar", "scale=twice", "skip=0", "dtype=bfloat16")
]
CASES += [
    (V3, "skip=1", lambda p: p.sliced(1)),
    (REG, "skip=1", lambda p: p.sliced(1)),
    (V3, "skip=4", lambda p: p.sliced(4)),
    (V3, "resize=bilinear-plain", _no_antialias),
    (V3, "resize=bicubic-8bit", _pillow),
    (V3, "crop=squash", _squash),
    (V3, "layout=swapped", _cut_into_wrong_rows),
    (V2, "positions=by-size", _own_positions),
    ("mini", "positions=interleaved", _interleaved_rope),  # random attention hardly depends on place
]


@pytest.mark.parametrize(("model", "change", "plant"), CASES, ids=[f"{m}-{c}" for m, c, _ in CASES])
def test_a_planted_mistake_is_named_first(
    model: str, change: str, plant: Callable[[Planter], np.ndarray], photo: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "theirs.npy", plant(Planter(model, photo)))
    found = explain(f"{model}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.measure == "patch cosine"
    assert found.before < 1 - 1e-6
    assert found.outcome == "explained", found.verdict
    assert found.explanation == change == found.effects[0].change
    assert found.after > 1 - 1e-7 and found.after == found.effects[0].to_new
    assert found.pairs == ()
    assert found.verdict.startswith(f"the closest explanation: NEW was made with {change} (")
    agreements = [e.to_new for e in found.effects]
    assert all(a >= b - 1e-8 for a, b in pairwise(agreements))


@pytest.mark.parametrize("model", [V2, REG, V3])
def test_features_made_right_by_hand_are_the_same(model: str, photo: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "theirs.npy", Planter(model, photo).right())
    found = explain(model, str(tmp_path / "theirs.npy"), photo)  # the grid is the file's
    assert found.outcome == "same" and found.explanation == ""
    assert found.verdict.startswith("nothing moves: NEW equals OLD")
    assert found.before > 1 - 1e-7 and found.after == found.before
    assert [e.to_old for e in found.effects] == sorted(e.to_old for e in found.effects)


def test_another_resolution_is_named(photo: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "theirs.npy", _finer(Planter(V3, photo)))
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.outcome == "explained" and found.explanation == "grid=9x12"
    assert found.effects[0].averaged  # OLD itself is on another grid


def test_an_ignored_orientation_is_named(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(blobs(0)).save(tmp_path / "turned.png", exif=exif)
    np.save(tmp_path / "theirs.npy", Planter(V3, tmp_path / "turned.png").right())
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), tmp_path / "turned.png")
    assert found.outcome == "explained" and found.explanation == "orientation=stored"


def test_two_mistakes_are_found_as_a_pair(photo: Path, tmp_path: Path) -> None:
    planter = Planter(V3, photo)
    pixels = normalised(planes(photo, planter.size)[:, [2, 1, 0]])
    np.save(tmp_path / "theirs.npy", planter.run(pixels, final_norm=False))
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.outcome == "explained"
    assert set(found.explanation.split("&")) == {"channels=bgr", "norm=false"}
    assert found.after > 1 - 1e-7 > found.effects[0].to_new


def test_unrelated_features_are_explained_by_nothing(photo: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(3).standard_normal((6, 8, 128))
    np.save(tmp_path / "theirs.npy", noise)
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.outcome == "unexplained" and found.explanation == ""
    assert found.verdict.startswith(f"none of the {len(found.pairs)} changes tried")
    assert found.after == found.before < 0.5
    assert any("more than another order or basis" in note for note in found.notes)


def test_the_same_features_in_other_channels_are_recognised(photo: Path, tmp_path: Path) -> None:
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((128, 128)))[0]
    np.save(tmp_path / "theirs.npy", Planter(V3, photo).right() @ turn)
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.outcome == "unexplained"
    assert any("same similarities between patches (Gram correlation 1.0000)" in note for note in found.notes)


def test_other_channel_counts_are_compared_by_their_gram_matrices(photo: Path, tmp_path: Path) -> None:
    lift = np.linalg.qr(np.random.default_rng(5).standard_normal((200, 128)))[0].T
    np.save(tmp_path / "theirs.npy", _half(Planter(V3, photo)) @ lift)
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.measure == "Gram correlation"
    assert found.outcome == "explained" and found.explanation == "stats=half"
    assert "128 channels, NEW 200" in found.notes[0]
    assert all(math.isnan(effect.lowest_to_new) for effect in found.effects)


def test_a_bare_sequence_with_its_leading_tokens_is_cut(photo: Path, tmp_path: Path) -> None:
    planter = Planter(V3, photo)
    np.savez(tmp_path / "theirs.npz", tokens=planter.tokens()[None], other=np.zeros(3))
    found = explain(V3, str(tmp_path / "theirs.npz"), photo)
    assert found.outcome == "same"
    assert any("5 tokens more than its grid has patches" in note for note in found.notes)
    np.save(tmp_path / "short.npy", planter.tokens()[:30])
    with pytest.raises(InputError, match="say what its grid is"):
        explain(f"{V3}?grid=6", str(tmp_path / "short.npy"), photo)


def test_another_length_of_the_same_directions_is_said(photo: Path, tmp_path: Path) -> None:
    right = Planter(V3, photo).right()
    np.save(tmp_path / "theirs.npy", right / np.linalg.norm(right, axis=-1, keepdims=True))
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.npy"), photo)
    assert found.outcome == "same"
    assert any("as after L2-normalisation" in note for note in found.notes)


def test_own_files_say_what_they_are(photo: Path, tmp_path: Path) -> None:
    Image.fromarray(blobs(1)).save(tmp_path / "another.png")
    (f,) = extract([tmp_path / "another.png"], load_backbone(V3), grid=GRID, layer=0)
    write_features(tmp_path / "theirs.safetensors", {0: f}, format_="safetensors")
    found = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.safetensors"), photo)
    assert found.outcome == "unexplained"
    assert any("another photograph (another.png)" in note for note in found.notes)
    assert "the file states layer 0; OLD has 1" in found.notes
    again = explain(f"{V3}?grid={GRID}", str(tmp_path / "theirs.safetensors"), tmp_path / "another.png")
    assert again.explanation == "layer=0"


def test_where_only_old_is_a_file_new_is_varied(photo: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "ours.npy", _half(Planter(V3, photo)))
    found = explain(str(tmp_path / "ours.npy"), f"{V3}?grid={GRID}", photo)
    assert found.explanation == "stats=half" and "OLD was made with stats=half" in found.verdict


@pytest.mark.parametrize(("scale", "factor"), [("unit", 1.0), ("255", 255.0), ("twice", 1 / 255)])
def test_pixels_are_wrong_by_exactly_what_is_said(scale: str, factor: float, photo: Path) -> None:
    recipe = read_recipe(f"{V3}?grid={GRID}&channels=bgr&mean=0.1,0.2,0.3&std=0.4,0.5,0.6&scale={scale}")
    found, shape = wrong_pixels(read_photograph(photo), recipe, load_backbone(V3).spec)
    right = planes(photo, (96, 128))[:, [2, 1, 0]] * factor
    assert shape == (6, 8)
    assert torch.allclose(found, normalised(right, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)), rtol=1e-5, atol=1e-6)


def test_two_recipes(photo: Path) -> None:
    same = explain(f"{V3}?grid=6", f"{V3}?grid=6&attention=eager", photo)
    assert same.outcome == "same"
    one = explain(f"{V3}?grid=6", f"{V3}?grid=6&mean=0.3,0.4,0.5", photo)
    assert one.outcome == "explained" and one.explanation == "mean=0.3,0.4,0.5"
    assert "NEW departs from what dinoscope does in mean=0.3,0.4,0.5" in one.notes


def test_another_model_is_exchanged_before_the_settings_are_varied(photo: Path) -> None:
    swap = explain(f"{V2}?grid=6", f"{V3}?grid=6", photo)
    assert swap.outcome == "same"
    assert swap.verdict == f"the settings agree; what differs is the model itself ({V2} against {V3})."
    worse = explain(f"{V2}?grid=6", f"{V3}?grid=6&scale=twice", photo)
    assert worse.outcome == "explained" and worse.explanation == "scale=twice"
    assert worse.verdict.startswith(f"beside the model itself ({V2} against {V3})")
    assert worse.notes[0].startswith("the models differ")


FILES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "layout=transposed": lambda m: m.transpose(1, 0, 2),
    "flip=columns": lambda m: m[:, ::-1],
    "flip=rows": lambda m: m[::-1],
    "turn=90": lambda m: np.rot90(m, 1),
    "turn=180": lambda m: m[::-1, ::-1],
    "turn=270": lambda m: np.rot90(m, 3),
    "centred": lambda m: m - m.mean(axis=(0, 1)),
}


@pytest.mark.parametrize("change", FILES)
def test_two_files_are_turned(change: str, photo: Path, tmp_path: Path) -> None:
    right = Planter(V3, photo).right()
    np.save(tmp_path / "old.npy", right)
    np.save(tmp_path / "new.npy", FILES[change](right))
    found = explain(str(tmp_path / "old.npy"), str(tmp_path / "new.npy"), photo)
    assert found.outcome == "explained" and found.explanation == change


def test_two_files_may_be_slices_of_one_sequence(photo: Path, tmp_path: Path) -> None:
    tokens = Planter(V3, photo).tokens()
    np.save(tmp_path / "old.npy", tokens[5:])
    np.save(tmp_path / "new.npy", tokens[1:49])
    found = explain(str(tmp_path / "old.npy"), str(tmp_path / "new.npy"), photo)
    assert found.outcome == "explained" and found.explanation == "shift=-4"
    back = explain(str(tmp_path / "new.npy"), str(tmp_path / "old.npy"), photo)
    assert back.explanation == "shift=4"


def test_unrelated_files(photo: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "old.npy", rng.standard_normal((6, 8, 20)))
    np.save(tmp_path / "new.npy", rng.standard_normal((6, 8, 20)))
    np.save(tmp_path / "other.npy", rng.standard_normal((6, 8, 30)))
    found = explain(str(tmp_path / "old.npy"), str(tmp_path / "new.npy"), photo)
    assert found.outcome == "unexplained"
    other = explain(str(tmp_path / "old.npy"), str(tmp_path / "other.npy"), photo)
    assert other.outcome == "described" and other.measure == "Gram correlation" and abs(other.before) < 0.2
    itself = explain(str(tmp_path / "old.npy"), str(tmp_path / "old.npy"), photo)
    assert itself.outcome == "same"


def test_what_cannot_be_tried_is_said(photo: Path) -> None:
    with pytest.raises(LayerError):
        explain(V3, f"{V3}?layer=9", photo)
    with pytest.raises(InputError, match="at most 5"):
        explain(V3, f"{V3}?skip=6", photo)
    with pytest.raises(InputError, match="only in ViTs"):
        explain("pixels", "pixels?attention=eager", photo)
    with pytest.raises(InputError, match="dinov2 has official, by-size"):
        explain(V2, f"{V2}?positions=interleaved", photo)


def test_a_control_without_tokens_can_be_explained(photo: Path) -> None:
    found = explain("pixels?grid=6", "pixels?grid=6&resize=nearest", photo)
    assert found.outcome == "explained" and found.explanation == "resize=nearest"
    assert not [e for e in found.effects if e.change.startswith(("skip", "attention", "positions"))]


@pytest.mark.parametrize(
    "words",
    [
        "m?layer=3&norm=false",
        "m?stats=half",
        "m?mean=0.1,0.2,0.3",
        "m?grid=4x5&crop=center-256&resize=nearest",
        "m?skip=1&layout=transposed&dtype=float16&positions=cut&attention=eager",
        "m?scale=twice&channels=bgr&orientation=stored",
    ],
)
def test_recipes_are_read_as_they_are_spelled(words: str) -> None:
    recipe = read_recipe(words)
    again = read_recipe(f"m?{spell(changed_fields(Recipe('m'), recipe))}")
    assert again == recipe != Recipe("m")


WORTHLESS = ("layer=1&layer=2", "colour=red", "layer=-1", "norm=yes", "grid=0", "mean=1,2", "std=0", "mean=a")


@pytest.mark.parametrize("words", ["?layer=1", "m?layer", "m?crop=left", *(f"m?{w}" for w in WORTHLESS)])
def test_recipes_that_say_nothing_are_refused(words: str) -> None:
    with pytest.raises(InputError):
        read_recipe(words)


def test_a_file_of_that_name_wins(tmp_path: Path) -> None:
    path = tmp_path / "what?layer=3"
    path.write_text("")
    assert split_recipe(str(path)) == (str(path), {})


@pytest.mark.parametrize("model", [V2, REG, V3])
def test_alternatives_leave_the_backbone_as_it_is(model: str) -> None:
    backbone = load_backbone(model)
    assert isinstance(backbone, DinoBackbone)
    side = backbone.spec.patch_size
    pixels = torch.randn(1, 3, 4 * side, 7 * side, generator=torch.Generator().manual_seed(0))
    before = backbone.forward(pixels).patches[1]
    eager = with_attention(backbone, "eager").forward(pixels).patches[1]
    assert torch.allclose(eager, before, atol=1e-5)
    moved = {}
    for way in POSITIONS[backbone.spec.family]:
        moved[way] = float((with_positions(backbone, way).forward(pixels).patches[1] - before).abs().max())
    assert torch.equal(backbone.forward(pixels).patches[1], before)
    official = {V2: {"offset"}, REG: {"antialiased"}, V3: set()}[model]
    assert {way for way, change in moved.items() if change < 1e-5} == official, moved


def test_rope_by_the_longer_side_is_the_official_one_on_squares() -> None:
    backbone = load_backbone(V3)
    pixels = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    longest = with_positions(backbone, "longest").forward(pixels).patches[1]
    assert torch.allclose(longest, backbone.forward(pixels).patches[1], atol=1e-5)


def test_agreement_against_a_slow_reference() -> None:
    rng = np.random.default_rng(0)
    f, g = rng.standard_normal((12, 5)), rng.standard_normal((12, 5))
    cosines = [float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b))) for a, b in zip(f, g, strict=True)]
    found = patch_agreement(f, (3, 4), g, None)
    assert found.mean == pytest.approx(np.mean(cosines)) and found.lowest == pytest.approx(min(cosines))
    assert not found.averaged
    assert patch_agreement(f, (3, 4), -f, (3, 4)).mean == pytest.approx(-1.0)
    assert patch_agreement(f, (3, 4), 2 * f, (3, 4)).mean == pytest.approx(1.0)
    # One grid twice as fine, each patch four times: the averages are the patches themselves.
    fine = f.reshape(3, 4, 5).repeat(2, axis=0).repeat(2, axis=1).reshape(48, 5)
    halved = patch_agreement(f, (3, 4), fine, (6, 8))
    assert halved.mean == pytest.approx(1.0) and halved.averaged and math.isnan(halved.lowest)
    with pytest.raises(ShapeError):
        patch_agreement(f, None, g[:7], (7, 1))
    with pytest.raises(ShapeError):
        patch_agreement(f, (3, 4), g[:, :3], (3, 4))


def effect(change: str, to_new: float) -> Effect:
    return Effect(change, change, 0.5, to_new, to_new)


@pytest.mark.parametrize(
    ("before", "single", "pair", "expected"),
    [
        (1 - 1e-7, 1.0, None, ("same", None)),
        (0.5, 0.9995, None, ("explained", "single")),
        (0.5, 0.9985, None, ("partly", "single")),
        (0.99995, 0.99996, None, ("same", None)),
        (0.99995, 1.0, None, ("explained", "single")),
        (0.9985, 0.9991, None, ("unexplained", "single")),
        (0.5, 0.7, None, ("unexplained", "single")),
        (0.5, 0.7, 0.9999, ("explained", "pair")),
        (0.5, 0.9995, 0.9996, ("explained", "single")),
        (0.5, 0.9995, 1.0, ("explained", "pair")),
        (0.5, 0.6, 0.8, ("partly", "pair")),
        (0.5, 0.3, None, ("unexplained", "single")),
    ],
)
def test_the_rules(
    before: float, single: float, pair: float | None, expected: tuple[str, str | None]
) -> None:
    pairs = () if pair is None else (effect("pair", pair),)
    outcome, best = chosen(before, (effect("single", single),), pairs)
    assert (outcome, best and best.change) == expected


def test_the_text_and_the_json_say_the_same(photo: Path) -> None:
    found = explain(f"{V3}?grid=6", f"{V3}?grid=6&stats=scalar", photo)
    text = diagnosis_text(found)
    assert found.verdict in " ".join(text.split())
    assert f"{found.before:.4f}" in text and "blobs.png" in text
    assert f"... and {len(found.effects) - 12} more" in text
    written = json.loads(strict_json(found))
    assert written["explanation"] == "stats=scalar" and len(written["effects"]) == len(found.effects)
    assert set(written) == set(Diagnosis.__slots__)
    coarse = [e for e in written["effects"] if e["change"] == "grid=3"]
    assert coarse[0]["lowest_to_new"] is None and coarse[0]["averaged"]
