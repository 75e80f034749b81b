"""load_backbone: what a name, a path, or both mean."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dinoscope.backbones import catalog, hub, licences
from dinoscope.backbones.load import load_backbone, planned_spec, torch_device, torch_dtype
from dinoscope.errors import InputError, UnknownBackboneError, WeightsError
from tests.backbones.shrunken import hub_files, shrink_catalog
from tests.backbones.stand_in_hub import COMMIT, StandInHub, closed_port, point_at

PARITY = Path(__file__).parent.parent / "data" / "parity"


@pytest.fixture(autouse=True)
def _small_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink_catalog(monkeypatch)
    monkeypatch.setattr(licences, "_given", set())


def _folder(tmp_path: Path, name: str) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    for file, content in hub_files(catalog.find(name).architecture).items():
        (folder / file).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", sorted(name for name, e in catalog.ENTRIES.items() if not e.bundled))
def test_every_name_loads_from_the_hub(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = catalog.find(name)
    repo = entry.sources[0].repo
    with StandInHub({repo: hub_files(entry.architecture)}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        backbone = load_backbone(name)
        assert stand_in.downloaded == ["config.json", "model.safetensors"]
    spec = backbone.spec
    assert (spec.name, spec.mean, spec.std, spec.licence) == (name, entry.mean, entry.std, entry.licence)
    assert not spec.control
    assert backbone.origin.source == f"hub:{repo}@{COMMIT}"
    assert backbone.origin.layout == "huggingface"
    assert len(backbone.origin.digest) == 64
    side = spec.patch_size
    assert backbone.forward(torch.zeros(1, 3, 2 * side, 3 * side)).patches[spec.depth - 1].shape == (
        1,
        2,
        3,
        spec.dim,
    )
    streams = capsys.readouterr()
    assert streams.out == ""
    assert ("DINOv3 License" in streams.err) == (entry.licence == licences.DINOV3)


def test_a_gated_model_comes_from_the_ungated_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gated, ungated = (source.repo for source in catalog.find("dinov3-vits16").sources)
    weights = (PARITY / "timm_dinov3.weights.safetensors").read_bytes()
    files = {"config.json": b'{"architecture": "vit_small_patch16_dinov3"}', "model.safetensors": weights}
    with StandInHub({gated: {}, ungated: files}, gated={gated}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        backbone = load_backbone("dinov3-vits16")
    assert backbone.origin.layout == "timm"
    assert backbone.origin.source == f"hub:{ungated}@{COMMIT}"
    reference = load_file(PARITY / "timm_dinov3.safetensors")
    size = next(key.split("/")[0] for key in reference if key.endswith("/image"))
    outputs = backbone.forward(reference[f"{size}/image"][None])
    torch.testing.assert_close(
        outputs.patches[1].flatten(1, 2)[0], reference[f"{size}/patch"], atol=1e-4, rtol=1e-4
    )


def test_other_weights_than_the_name_says_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo = catalog.find("dinov3-vitb16").sources[0].repo
    with StandInHub({repo: hub_files(catalog.find("dinov2-base").architecture)}) as stand_in:
        point_at(monkeypatch, stand_in.url, tmp_path)
        with pytest.raises(WeightsError, match="family is dinov2"):
            load_backbone("dinov3-vitb16")


def test_no_weights_at_all_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point_at(monkeypatch, closed_port(), tmp_path)
    with pytest.raises(WeightsError, match="cannot be reached") as caught:
        load_backbone("dinov3-vitb16")
    assert "facebook/dinov3-vitb16-pretrain-lvd1689m" in caught.value.steps[0]
    assert caught.value.name == "dinov3-vitb16"


@pytest.mark.parametrize("form", ["NAME=PATH", "weights=", "Path", "spelling=PATH"])
def test_a_name_with_a_checkpoint_of_ones_own(form: str, tmp_path: Path) -> None:
    folder = _folder(tmp_path, "dinov3-vitl16-sat")
    backbone = {
        "NAME=PATH": lambda: load_backbone(f"dinov3-vitl16-sat={folder}"),
        "weights=": lambda: load_backbone("dinov3-vitl16-sat", weights=str(folder)),
        "Path": lambda: load_backbone("dinov3-vitl16-sat", weights=folder / "model.safetensors"),
        "spelling=PATH": lambda: load_backbone(f"facebook/dinov3-vitl16-pretrain-sat493m={folder}"),
    }[form]()
    assert backbone.spec.name == "dinov3-vitl16-sat"
    assert backbone.spec.mean == (0.430, 0.411, 0.296)
    assert str(folder) in backbone.origin.source


def test_a_checkpoint_alone(tmp_path: Path) -> None:
    shutil.copy(PARITY / "dinov3.pth", tmp_path / "tiny.pth")
    by_path, by_weights = (
        load_backbone(str(tmp_path / "tiny.pth")),
        load_backbone(weights=tmp_path / "tiny.pth"),
    )
    for backbone in (by_path, by_weights):
        spec = backbone.spec
        assert (spec.name, spec.family, spec.patch_size, spec.dim, spec.depth) == (
            "tiny",
            "dinov3",
            16,
            128,
            2,
        )
        assert spec.licence == "not stated"
        assert any("normalisation assumed: ImageNet" in note for note in backbone.origin.notes)
        assert backbone.origin.layout == "official"


def test_a_satellite_checkpoint_is_known_by_its_name(tmp_path: Path) -> None:
    shutil.copy(PARITY / "dinov3.pth", tmp_path / "my_sat_model.pth")
    for other in ("saturn.pth", "versat.pth"):
        shutil.copy(PARITY / "dinov3.pth", tmp_path / other)
        assert load_backbone(weights=tmp_path / other).spec.std == (0.229, 0.224, 0.225)
    satellite = load_backbone(weights=tmp_path / "my_sat_model.pth")
    assert satellite.spec.std == (0.213, 0.156, 0.143)
    assert any("satellite" in note for note in satellite.origin.notes)


def test_an_official_file_name_is_recognised(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "dinov3_vitl16_pretrain_sat493m-eadcf0ff.pth"
    shutil.copy(PARITY / "dinov3.pth", path)
    backbone = load_backbone(str(path))
    assert backbone.spec.mean == (0.430, 0.411, 0.296)
    assert backbone.spec.licence == licences.DINOV3
    assert "DINOv3 License" in capsys.readouterr().err
    assert "recognised as dinov3-vitl16-sat" in backbone.origin.notes
    assert any("eadcf0ff" in note for note in backbone.origin.notes), (
        "the content is not what the name promises"
    )


def test_another_models_published_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "dinov3_vitl16_pretrain_sat493m-eadcf0ff.pth"
    shutil.copy(PARITY / "dinov3.pth", path)
    with pytest.raises(WeightsError, match="published checkpoint of dinov3-vitl16-sat") as caught:
        load_backbone("dinov3-vitl16", weights=path)
    assert f"dinov3-vitl16-sat={path}" in caught.value.steps[0]


def test_a_path_that_does_not_exist_is_about_weights(tmp_path: Path) -> None:
    for missing in (tmp_path / "gone.pth", f"{tmp_path}/gone/folder", "gone.safetensors"):
        with pytest.raises(WeightsError):
            load_backbone(str(missing))
    with pytest.raises(WeightsError):
        load_backbone(f"dinov3-vits16={tmp_path}/gone.pth")


def test_a_catalog_name_wins_over_a_file_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = _folder(tmp_path, "dinov2-base")
    folder.rename(tmp_path / "dinov2-base")
    monkeypatch.chdir(tmp_path)
    point_at(monkeypatch, closed_port(), tmp_path)
    with pytest.raises(WeightsError, match="cannot be reached"):
        load_backbone("dinov2-base")
    assert load_backbone(f".{os.sep}dinov2-base").spec.name == "dinov2-base"


def test_a_path_may_hold_an_equals_sign(tmp_path: Path) -> None:
    folder = tmp_path / "lr=0.1"
    folder.mkdir()
    shutil.copy(PARITY / "dinov3.pth", folder / "run=3.pth")
    assert load_backbone(str(folder / "run=3.pth")).spec.name == "run=3"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("dinov3-vitb", "dinov3-vitb16"),
        ("facebook/dinov3-vitb16", "dinov3-vitb16"),
        ("random:dinov2-bas", "dinov2-base"),
        ("blur:dinov2-bas", "dinov2-base"),
        ("dinov2-bas=x.safetensor", "dinov2-base"),
        ("pixel", "pixels"),
    ],
)
def test_unknown_names_offer_near_ones(name: str, nearest: str) -> None:
    with pytest.raises(UnknownBackboneError) as caught:
        load_backbone(name)
    assert nearest in caught.value.nearest


@pytest.mark.parametrize("name", ["", "random:", "blur:", "timm:", "hf:", "qqqq"])
def test_empty_names_are_unknown(name: str) -> None:
    with pytest.raises(UnknownBackboneError):
        load_backbone(name)


def test_an_unknown_name_with_weights(tmp_path: Path) -> None:
    with pytest.raises(UnknownBackboneError):
        load_backbone("dinov9", weights=tmp_path)


@pytest.mark.parametrize("name", ["pixels", "random:dinov2-base", "timm:x", "hf:a/b"])
def test_weights_for_what_takes_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes no weights"):
        load_backbone(name, weights=tmp_path)


def test_neither_name_nor_weights() -> None:
    with pytest.raises(InputError, match="needs a name"):
        load_backbone()


def test_blur_goes_before_anything(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "dinov2-base")
    blurred = load_backbone(f"blur:dinov2-base={folder}")
    assert blurred.spec.name == "blur:dinov2-base"
    assert blurred.spec.control
    assert blurred.origin.digest == load_backbone("dinov2-base", weights=folder).origin.digest
    assert load_backbone("blur:dinov2-base", weights=folder).spec == blurred.spec
    assert load_backbone(f"blur:{folder}").spec.control


def test_a_hugging_face_folder_of_another_family() -> None:
    with pytest.raises(UnknownBackboneError):
        load_backbone("hf:nonsense")


def test_device_and_dtype() -> None:
    backbone = load_backbone("random:dinov3-vits16", device="auto", dtype="bfloat16")
    assert backbone.dtype == torch.bfloat16
    assert torch_device("cpu") == torch.device("cpu")
    assert torch_dtype(None) == torch.float32
    assert torch_dtype(torch.float16) == torch.float16
    for bad in ("int8", "nonsense", "Tensor", torch.int32):
        with pytest.raises(InputError, match="dtype"):
            torch_dtype(bad)
    with pytest.raises(InputError, match="device"):
        torch_device("toaster")


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    import hashlib

    tensors = torch.load(PARITY / "dinov3.pth", weights_only=True)
    path = tmp_path / "again.safetensors"
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    assert load_backbone(weights=path).origin.digest == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "name",
    [
        "pixels",
        "random:dinov2-giant",
        "blur:random:dinov3-convnext-tiny",
        "blur:blur:pixels",
        "random:dinov3_vitl16_sat",
    ],
)
def test_the_planned_spec_is_the_spec(name: str) -> None:
    assert planned_spec(name) == load_backbone(name).spec


def test_the_planned_spec_of_a_checkpoint_of_ones_own(tmp_path: Path) -> None:
    name = f"dinov2-reg-base={_folder(tmp_path, 'dinov2-reg-base')}"
    assert planned_spec(name) == load_backbone(name).spec
    assert planned_spec(str(tmp_path)) is None
    assert planned_spec("timm:anything") is None
    with pytest.raises(UnknownBackboneError):
        planned_spec("dinov9")


def _with_statistics(folder: Path, **stated: object) -> Path:
    (folder / hub.PREPROCESSOR).write_text(json.dumps(stated))
    return folder


def test_what_a_folder_states_outranks_a_guess(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "dinov2-small")
    assert load_backbone(weights=folder).origin.statistics == "assumed"
    _with_statistics(folder, image_mean=[0.5, 0.4, 0.3], image_std=[0.1, 0.2, 0.3])
    for path in (folder, folder / "model.safetensors"):
        backbone = load_backbone(weights=path)
        assert (backbone.spec.mean, backbone.spec.std) == ((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))
        assert backbone.origin.statistics == "stated"
        assert any(hub.PREPROCESSOR in note for note in backbone.origin.notes)
        assert not any("assumed" in note for note in backbone.origin.notes if "normalisation" in note)


@pytest.mark.parametrize(
    "stated", [{}, {"image_mean": [0.5], "image_std": 1}, {"do_rescale": False, "image_mean": [0] * 3}]
)
def test_a_folder_that_states_nothing_usable_leaves_the_guess(
    stated: dict[str, object], tmp_path: Path
) -> None:
    backbone = load_backbone(weights=_with_statistics(_folder(tmp_path, "dinov2-small"), **stated))
    assert backbone.origin.statistics == "assumed" and backbone.spec.mean == (0.485, 0.456, 0.406)
    assert any(note.startswith(hub.PREPROCESSOR) for note in backbone.origin.notes)


def test_published_statistics_that_the_folder_contradicts_are_told(tmp_path: Path) -> None:
    folder = _folder(tmp_path, "dinov2-small")
    assert load_backbone("dinov2-small", weights=folder).origin.statistics == "published"
    _with_statistics(folder, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    assert load_backbone("dinov2-small", weights=folder).origin.statistics == "published"
    _with_statistics(folder, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.3])
    backbone = load_backbone("dinov2-small", weights=folder)
    assert backbone.origin.statistics == "contradicted"
    assert backbone.spec.std == (0.229, 0.224, 0.225)
    assert any("0.3" in note for note in backbone.origin.notes)
