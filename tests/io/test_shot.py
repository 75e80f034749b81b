"""When, with what and where: what EXIF blocks say, right or wrong."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational

from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.io.images import decode_photograph

GPS = {1: "N", 2: (48.0, 12.0, 29.52), 3: "E", 4: (16.0, 22.0, 25.68)}


def shot(
    kind: str = "JPEG", *, own: dict[int, Any] | None = None, gps: dict[int, Any] | None = None, **words: str
) -> Shot:
    """Of a photograph with such a block."""
    exif = Image.Exif()
    for name, tag in (("make", 0x010F), ("model", 0x0110), ("changed", 0x0132)):
        if name in words:
            exif[tag] = words[name]
    exif.get_ifd(0x8769).update(own or {})
    exif.get_ifd(0x8825).update(gps or {})
    out = io.BytesIO()
    Image.new("RGB", (32, 24), (90, 30, 60)).save(out, kind, exif=exif)
    return decode_photograph(out.getvalue(), name="x").shot


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_time_camera_and_place_are_read_from_files_of_several_kinds(kind: str) -> None:
    found = shot(kind, own={0x9003: "2024:05:31 18:20:05"}, gps=GPS, make="Canon", model="EOS 5D")
    assert (found.taken, found.camera) == ("2024-05-31T18:20:05", "Canon EOS 5D")
    assert found.latitude == pytest.approx(48.2082) and found.longitude == pytest.approx(16.3738)


def test_south_and_west_are_negative() -> None:
    found = shot(gps={**GPS, 1: "S", 3: "W"})
    assert found.latitude == pytest.approx(-48.2082) and found.longitude == pytest.approx(-16.3738)


@pytest.mark.parametrize(
    ("words", "want"),
    [
        ({"make": "NIKON CORPORATION", "model": "NIKON D70"}, "NIKON D70"),
        ({"make": "Apple", "model": "iPhone 12"}, "Apple iPhone 12"),
        ({"model": "  M8\0\0"}, "M8"),
        ({"make": "Leica"}, "Leica"),
        ({"model": "a\x1bb"}, "a\\x1bb"),
        ({"model": "x" * 5000}, "x" * 100),
    ],
)
def test_a_camera_is_its_maker_once_and_its_model(words: dict[str, str], want: str) -> None:
    assert shot(**words).camera == want


def test_the_time_of_a_change_stands_in_for_that_of_the_exposure() -> None:
    assert shot(changed="2001:02:03 04:05:06").taken == "2001-02-03T04:05:06"
    both = shot(changed="2001:02:03 04:05:06", own={0x9003: "2000:01:01 00:00:00"})
    assert both.taken == "2000-01-01T00:00:00"


@pytest.mark.parametrize("time", ["0000:00:00 00:00:00", "    :  :     :  :  ", "2024:13:01 00:00:00", "now"])
def test_a_clock_that_was_never_set_says_nothing(time: str) -> None:
    assert shot(changed=time) == UNKNOWN


@pytest.mark.parametrize(
    "gps",
    [
        {1: "N", 2: (91.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
        {1: "N", 2: (10.0, 0.0, 0.0)},
        {1: "N", 2: (IFDRational(0, 0),) * 3, 3: "E", 4: (0.0, 0.0, 0.0)},
    ],
)
def test_what_is_no_place_on_earth_is_no_place(gps: dict[int, Any]) -> None:
    assert (shot(gps=gps).latitude, shot(gps=gps).longitude) == (None, None)


def test_without_a_block_nothing_is_known() -> None:
    assert shot() == UNKNOWN
