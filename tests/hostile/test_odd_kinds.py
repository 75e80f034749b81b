"""Files of another kind than their names say, or that are never read: named, with what to do."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from dinoscope.backbones.checkpoints.checkpoint import recognise
from dinoscope.backbones.checkpoints.files import read_weights
from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.masks import open_masks, photographs_of
from dinoscope.errors import ImageError, InputError, WeightsError
from dinoscope.io.collections.archives import photographs_in_tar
from dinoscope.io.collections.lists import listed_places
from dinoscope.io.images import decode_photograph, read_photograph
from dinoscope.io.label_images import check_labels, read_values
from dinoscope.io.masks import find_masks, read_annotation
from dinoscope.io.pixel_range import PixelRange, reading_range
from dinoscope.maths.patches import upper_cosines
from dinoscope.shell.terminal import read_models, read_photographs
from tests.backbones.tiny_families import tiny
from tests.command_line import run
from tests.hostile.checkpoints import COLOURS, network
from tests.hostile.files import colours, write_photographs, write_tar

RGB = colours(1)
PICTURE = Image.fromarray(RGB)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


JPEG = saved(PICTURE, "JPEG", quality=97, subsampling=0)
FRAME = JPEG.index(b"\xff\xc0")

UNREAD = {
    "jpeg-2000": (saved(PICTURE, "JPEG2000"), "a JPEG 2000 image.*save it as PNG"),
    "jpeg-xl": (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(99), "a JPEG XL image"),
    "photoshop": (b"8BPS\0\1" + bytes(99), "a Photoshop file"),
    "pdf": (saved(PICTURE, "PDF"), "a PDF"),
    "exr": (b"\x76\x2f\x31\x01" + bytes(99), "an OpenEXR image"),
    "dicom": (bytes(128) + b"DICM" + bytes(99), "a DICOM image"),
    "fits": (b"SIMPLE  =                    T" + bytes(99), "a FITS image"),
    "raw-canon": (b"\0\0\0\x18ftypcrx " + bytes(99), "a camera's raw file"),
    "raw-fuji": (b"FUJIFILMCCD-RAW " + bytes(99), "a camera's raw file"),
    "icon": (saved(PICTURE, "ICO"), "an icon"),
    "ppm": (saved(PICTURE, "PPM"), "a PGM or PPM image"),
    "svg": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    "page": (b"\n<!DOCTYPE html><html>log in</html>", "a web page.*fetch it again"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "git lfs pull"),
    "video": (b"\0\0\0\x18ftypmp42" + bytes(99), "a video.*save pictures of it"),
    "matroska": (b"\x1a\x45\xdf\xa3" + bytes(99), "a video"),
    "zip": (b"PK\3\4" + bytes(99), "a zip archive: unpack it"),
    "gzip": (b"\x1f\x8b" + bytes(99), "a packed file: unpack it"),
    "xz": (b"\xfd7zXZ\0" + bytes(99), "a packed file: unpack it"),
    "array": (b"\x93NUMPY\1\0" + bytes(99), "a NumPy array"),
    "list": (b"/photos/a.png\n/photos/b.png\n", "a list of photographs is a .csv"),
    "12-bits": (JPEG[: FRAME + 4] + b"\x0c" + JPEG[FRAME + 5 :], "a JPEG that is damaged, or of a kind"),
    "no-height": (JPEG[: FRAME + 5] + b"\0\0" + JPEG[FRAME + 7 :], "a JPEG that is damaged"),
    "junk": (bytes(range(128, 256)), "not an image of a known kind .*JPEG, PNG, WebP"),
}


@pytest.mark.parametrize("kind", sorted(UNREAD))
def test_what_is_not_read_is_named(kind: str) -> None:
    data, words = UNREAD[kind]
    with pytest.raises(ImageError, match=words):
        decode_photograph(data, name="x.jpg")


@pytest.mark.parametrize("kind", ["jpeg-2000", "exr", "page", "12-bits", "junk"])
def test_masks_too(kind: str, tmp_path: Path) -> None:
    data, words = UNREAD[kind]
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(ImageError, match=f"the mask cannot be read: {words}"):
        read_values(tmp_path / "x.png")


def orientation(*entries: tuple[int, int, int, int], after: int = 0) -> bytes:
    table = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    body = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + table + struct.pack("<I", after)
    return JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 8) + b"Exif\0\0" + body + JPEG[2:]


TURNED = np.asarray(PICTURE.transpose(Image.Transpose.ROTATE_270))
EXIF = Image.Exif()
EXIF[0x0112] = 6
READ = {
    "cmyk.tif": (saved(PICTURE.convert("CMYK"), "TIFF"), RGB),
    "cmyk.jpg": (saved(PICTURE.convert("CMYK"), "JPEG", quality=97), RGB),
    "animated.webp": (saved(PICTURE, "WEBP", save_all=True, append_images=[PICTURE] * 2, lossless=True), RGB),
    "animated.png": (saved(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)]), RGB),
    "several.mpo": (saved(PICTURE, "MPO", save_all=True, append_images=[PICTURE], quality=97), RGB),
    "junk-profile.jpg": (saved(PICTURE, "JPEG", quality=97, subsampling=0, icc_profile=b"junk" * 9), RGB),
    "orientation-0.jpg": (orientation((274, 3, 1, 0)), RGB),
    "orientation-9.jpg": (orientation((274, 3, 1, 9)), RGB),
    "orientation-long.jpg": (orientation((274, 4, 1, 6)), TURNED),
    "orientation-byte.jpg": (orientation((274, 1, 1, 6)), TURNED),
    "orientation-and-circle.jpg": (orientation((274, 3, 1, 6), after=8), TURNED),
    "orientation-and-wild-gps.jpg": (orientation((274, 3, 1, 6), (0x8825, 4, 1, 0xFFFFFF)), TURNED),
    "turned.webp": (saved(PICTURE, "WEBP", lossless=True, exif=EXIF.tobytes()), TURNED),
    "turned.png": (saved(PICTURE, "PNG", exif=EXIF), TURNED),
    "turned.tif": (saved(PICTURE, "TIFF", tiffinfo={274: 6}), TURNED),
    "junk-after.jpg": (JPEG + b"garbage" * 1000, RGB),
    "no-end.png": (saved(PICTURE, "PNG")[:-12], RGB),
}


@pytest.mark.parametrize("name", sorted(READ))
def test_what_is_odd_and_whole_is_read_right(name: str) -> None:
    data, wanted = READ[name]
    pixels = decode_photograph(data, name=name).pixels.astype(int)
    assert pixels.shape == wanted.shape
    assert np.abs(pixels - wanted).mean() < 3


def test_16_bits_a_pixel_are_not_16_bits_a_channel() -> None:
    head = struct.pack("<IiiHHIIiiII", 40, 64, 48, 1, 16, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    red, green, blue = (RGB[::-1, :, i].astype("<u2") for i in range(3))
    body = ((red >> 3) << 11 | (green >> 2) << 5 | blue >> 3).astype("<u2").tobytes()
    data = b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(head) + len(masks)) + head + masks + body
    with reading_range(PixelRange("auto")):
        found = decode_photograph(data, name="x.bmp")
    assert not found.notes
    assert np.abs(found.pixels.astype(int) - RGB).mean() < 4


def test_labels_beyond_63_bits(tmp_path: Path) -> None:
    labels = np.full((4, 4), 2**63, np.uint64)
    with pytest.raises(ImageError, match="9223372036854775808"):
        check_labels(labels, (4, 4), "x.npy")


@pytest.mark.parametrize("kind", ["folder", "loop", "dangling"])
def test_a_mask_that_is_no_file_is_called_so(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(Image.new("L", (64, 48)), "PNG"))
    if kind == "folder":
        (tmp_path / "b.png").mkdir()
    else:
        (tmp_path / "b.png").symlink_to("b.png" if kind == "loop" else "nowhere.png")
    with pytest.raises(ImageError, match=r"'b\.png' in .* is no file: a folder, or a broken link"):
        read_annotation(find_masks(tmp_path), decode_photograph(JPEG, name="b.jpg"))


@pytest.mark.parametrize("name", ["b_mask.png", "B.PNG", "b.jpg", "b.png.png", "b.npz"])
def test_the_mask_that_may_have_been_meant_is_named(name: str, tmp_path: Path) -> None:
    photos = write_photographs(tmp_path / "photos", ("a.png", "b.png"))
    (tmp_path / "masks").mkdir()
    labels = Image.fromarray(np.repeat(np.arange(2, dtype=np.uint8), 32)[None].repeat(48, 0))
    labels.save(tmp_path / "masks" / "a.png")
    (tmp_path / "masks" / name).write_bytes(b"x")
    masks = find_masks(tmp_path / "masks")
    read_annotation(masks, read_photograph(photos / "a.png"))
    with pytest.raises(ImageError) as caught:
        read_annotation(masks, read_photograph(photos / "b.png"))
    assert f"no mask b.png in 'masks', but {name!r}" in str(caught.value)
    assert ".npy" in str(caught.value)


def test_masks_beside_their_photographs_are_no_photographs(tmp_path: Path) -> None:
    beside, scenes = tmp_path / "beside", tmp_path / "scenes"
    pictures = [
        beside / name for name in ("a.jpg", "a.png", "b.jpg", "b.JPG.png", "c.png", "d.jpg", "d.webp")
    ]
    pictures += [scenes / name for name in ("images/1.png", "masks/instance/1.png", "masks/class/1.png")]
    pictures += [tmp_path / "else" / "1.png"]
    left = {path.relative_to(tmp_path).as_posix() for path in photographs_of(pictures, [beside, scenes])}
    assert left == {
        *(
            "beside/a.jpg",
            "beside/b.jpg",
            "beside/b.JPG.png",
            "beside/c.png",
            "beside/d.jpg",
            "beside/d.webp",
        ),
        *("scenes/images/1.png", "else/1.png"),
    }
    assert photographs_of(pictures, None) == pictures


def test_hidden_members_of_an_archive_are_no_photographs(tmp_path: Path) -> None:
    names = ("a.png", "./b.png", "../c.png", "d/.e/f.png", "__MACOSX/._a.png", "._b.png", ".g.png")
    write_tar(tmp_path / "x.tar", names)
    found = [name for name, _ in photographs_in_tar(tmp_path / "x.tar")]
    assert found == ["a.png", "./b.png", "../c.png"]


@pytest.mark.usefixtures("unchecked_shapes")
@pytest.mark.parametrize(
    "masks", [[np.zeros((48, 64), int)], np.zeros((48, 64), int), [3]], ids=["a list", "an array", "a number"]
)
def test_masks_in_memory_that_have_no_names(masks: Any) -> None:
    with pytest.raises(InputError, match="by the photograph's name"):
        open_masks(masks, None)


def test_photographs_that_would_share_a_mask_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    once = [tmp_path / "a.png", tmp_path / "b.png"]
    photographs_of(
        [*once, tmp_path / "." / "a.png", tmp_path / "more" / ".." / "b.png"], [tmp_path / "masks"]
    )
    photographs_of([*once, tmp_path / "other" / "a.png"], None)
    assert not caplog.text
    photographs_of([*once, tmp_path / "other" / "a.jpg"], [tmp_path / "masks"])
    assert "1 name is of several photographs, as a of" in caplog.text and "a.jpg" in caplog.text


def test_no_rows_are_no_call_of_blas(capfd: pytest.CaptureFixture[str]) -> None:
    assert upper_cosines(np.zeros((0, 5))).shape == (0, 0)
    assert "DSYRK" not in "".join(capfd.readouterr())


PLACES = ["/p/a.png", "/p/b c.png"]
LISTS = {
    "semicolons": b"path;label\n/p/a.png;1\n/p/b c.png;2\n",
    "tabs": b"label\tpath\n1\t/p/a.png\n2\t/p/b c.png\n",
    "semicolons-no-header": b"/p/a.png;1\n/p/b c.png;2\n",
    "quoted": b'"path";"label"\n"/p/a.png";"1"\n"/p/b c.png";"2"\n',
    "utf-16": "path\n/p/a.png\n/p/b c.png\n".encode("utf-16"),
    "utf-16-tabs": "path\tx\n/p/a.png\t1\n/p/b c.png\t2\n".encode("utf-16-be"),
    "old-mac": b"path\r/p/a.png\r/p/b c.png\r",
    "commas": b"label,path\n1;2,/p/a.png\n1;2,/p/b c.png\n",
}


@pytest.mark.parametrize("kind", sorted(LISTS))
def test_lists_as_spreadsheets_write_them(kind: str, tmp_path: Path) -> None:
    mark = b"\xfe\xff" if kind == "utf-16-tabs" else b""
    (tmp_path / "list.csv").write_bytes(mark + LISTS[kind])
    assert list(listed_places(tmp_path / "list.csv")) == PLACES


def test_columns_of_parquet_files(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = tmp_path / "list.parquet"
    categories = pa.array([*PLACES, None, PLACES[0]]).dictionary_encode()
    pq.write_table(pa.table({"path": categories}), file)
    assert list(listed_places(file)) == [*PLACES, PLACES[0]]
    pq.write_table(pa.Table.from_arrays([pa.array(PLACES)] * 2, names=["path", "path"]), file)
    with pytest.raises(InputError, match="several columns named 'path'"):
        list(listed_places(file))
    for column, words in (
        ([b"x"], "binary"),
        ([["a.png"]], "list"),
        ([{"bytes": b"", "path": ""}], "struct"),
    ):
        pq.write_table(pa.table({"image": column}), file)
        with pytest.raises(InputError, match=f"holds no text but {words}.*given as its folder"):
            list(listed_places(file))


Save = Callable[[dict[str, torch.Tensor], Path], None]


@pytest.mark.parametrize(("save", "name"), [(torch.save, "x.safetensors"), (save_file, "x.pth")])
def test_weights_are_what_their_bytes_say(save: Save, name: str, tmp_path: Path) -> None:
    wanted = {key: value.contiguous() for key, value in network().items()}
    save(wanted, tmp_path / name)
    found = read_weights(tmp_path / name).tensors
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], value) for key, value in wanted.items())


def test_weights_that_are_arrays_are_told_how_to_become_tensors(tmp_path: Path) -> None:
    torch.save({key: value.numpy() for key, value in network().items()}, tmp_path / "x.pth")
    said = r"no tensors in it, but other things \(cls_token[\s\S]*from_numpy"
    with pytest.raises(WeightsError, match=said):
        read_weights(tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({"norm.weight": torch.ones(128, dtype=torch.int8)}, "16 or 32 bits"),
        ({"blocks.0.attn.extra.weight": torch.ones(3)}, "another family"),
        ({"patch_embed.proj.weight": torch.ones(128, 3, 1, 16, 16)}, "another family"),
    ],
    ids=["quantised", "unknown", "video"],
)
def test_what_to_do_about_weights_that_do_not_fit(
    change: dict[str, torch.Tensor], advice: str, tmp_path: Path
) -> None:
    torch.save(network() | change, tmp_path / "x.pth")
    with pytest.raises(WeightsError, match=advice):
        load_backbone(weights=tmp_path / "x.pth")


@pytest.mark.parametrize("name", ["x.onnx", "x.gguf", "x"])
def test_weights_of_other_programs_are_told_how_to_become_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(WeightsError, match="rename it"):
        load_backbone(weights=tmp_path / name)


def test_a_tilde_that_is_nobodys_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(network(), "~a copy.pth")
    assert load_backbone("~a copy.pth").spec.dim == 128
    with pytest.raises(WeightsError, match="no such file"):
        load_backbone("~a/gone.pth")


def test_the_hidden_patches_of_ibot_are_left_out() -> None:
    plain = network()
    assert recognise(plain | {"masked_embed": torch.ones(1, 128)}).ignored == ("mask_token", "masked_embed")


def test_a_model_with_a_comma_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a,b.pth").write_bytes(b"")
    alone = str(tmp_path / "a,b.pth")
    assert read_models(alone) == [alone]
    assert read_models(f"dinov3-vits16={alone}") == [f"dinov3-vits16={alone}"]
    assert read_models(f"mini,{tmp_path / 'a'}") == ["mini", str(tmp_path / "a")]


Change = Callable[[Path], object]


def settings(**more: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **more}))

    return change


def without_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights.pop("embeddings.cls_token")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


FOLDERS: dict[str, tuple[Change, str]] = {
    "heads": (settings(num_attention_heads=7), "another shape than its config.json describes"),
    "channels": (settings(num_channels=1), "another shape than its config.json describes, embeddings"),
    "fewer-blocks": (settings(num_hidden_layers=1), "has blocks that its config.json does not count"),
    "more-blocks": (settings(num_hidden_layers=9), "lacks 96 tensors"),
    "activation": (settings(hidden_act="nope"), "cannot be loaded"),
    "one-gone": (without_a_weight, "lacks 1 tensors, embeddings.cls_token"),
    "no-weights": (lambda folder: (folder / "model.safetensors").unlink(), "save_pretrained"),
    "no-settings": (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
}


@pytest.mark.parametrize("kind", sorted(FOLDERS))
def test_folders_that_contradict_themselves(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model: Any = tiny("vit")
    model.save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(COLOURS))
    change, words = FOLDERS[kind]
    change(tmp_path)
    with pytest.raises(WeightsError, match=words):
        load_backbone(f"hf:{tmp_path}")
    assert "LOAD REPORT" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("address", ["https://example.org/x.pth", "s3://bucket/x.pth"])
def test_a_model_by_its_address_is_told_to_be_downloaded(address: str) -> None:
    with pytest.raises(WeightsError, match="addresses are not fetched: download it"):
        load_backbone(address)


@pytest.mark.parametrize(
    ("picture", "beside"),
    [
        ("out/figures/overview.png", ("out/metrics.json", "out/report.html")),
        ("out/look.png", ("out/look.json",)),
    ],
)
def test_pictures_of_results_among_photographs_are_told(
    tmp_path: Path, picture: str, beside: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    write_photographs(tmp_path, ("a.png", "look.png"))
    for folder in {"figures", str(Path(picture).parent)}:
        write_photographs(tmp_path / folder, ("a.png", Path(picture).name))
        (tmp_path / folder / "a.png").unlink()

    def read(*named: Path) -> None:
        read_photographs(named, recursive=True, pixel_range="full")

    read(tmp_path)  # no results beside them
    for name in beside:
        (tmp_path / name).write_text("{}")
    read(tmp_path / "a.png", tmp_path / picture)  # as named
    assert not caplog.records
    read(tmp_path)
    assert "1 of these photographs is a picture" in caplog.text and picture in caplog.text
    caplog.clear()
    assert run("embed", tmp_path, tmp_path / "store", "--model", "pixels", "--grid", 4) == 0
    assert picture in caplog.text
