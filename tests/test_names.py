r"""File names as text. ``\udc80`` to ``\udcff`` are Python's stand-ins for bytes that are not UTF-8."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinoscope.data.features import Provenance
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import ImageError
from dinoscope.io.images import photograph_from_array
from dinoscope.names import IN_A_STREAM, path_named, printable, readable, well_formed
from tests.hostile.files import colours

FOREIGN = st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF)
LOOKALIKE = st.sampled_from([r"\xff", r"\x5c", r"\ud800", r"\udcff", "\\", r"\x5cxff", "x5c", r"\x7f"])
NAMES = st.lists(st.one_of(st.characters(), FOREIGN, LOOKALIKE), min_size=1).map("".join)


@given(NAMES.filter(lambda name: "/" not in name))
def test_text_leads_back_to_the_path_and_is_unicode(name: str) -> None:
    text = readable(name)
    text.encode("utf-8")
    assert str(path_named(text)) == str(Path(name))


@given(st.binary(min_size=1).filter(lambda name: b"/" not in name and b"\0" not in name))
def test_every_name_that_linux_can_have_comes_back(name: bytes) -> None:
    assert os.fsencode(path_named(readable(os.fsdecode(name)))) == os.fsencode(Path(os.fsdecode(name)))


@given(st.text())
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert well_formed(text) == text
    if "\\" not in text:
        assert readable(text) == text


@given(NAMES)
def test_a_stream_writes_by_the_same_rule(text: str) -> None:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors=IN_A_STREAM, newline="")
    out.write(text)
    out.flush()
    assert out.buffer.getvalue().decode("utf-8") == well_formed(text)  # type: ignore[attr-defined]


def test_a_stream_without_unicode_escapes_the_rest_too() -> None:
    assert "é²\udcff".encode("ascii", IN_A_STREAM) == rb"\xe9\xb2\xff"


def test_two_names_never_become_one() -> None:
    assert readable("a\udcff.png") == r"a\xff.png"
    assert readable(r"a\xff.png") == r"a\x5cxff.png"
    assert readable(r"C:\photos") == r"C:\photos"


@given(NAMES)
def test_no_value_that_names_something_holds_a_lone_surrogate(name: str) -> None:
    photograph = photograph_from_array(colours(0), name=name)
    copy = Photograph(name, "0", (64, 64), photograph.pixels, source=name)
    error = ImageError(name, name)
    failure = Failure(name, name)
    for text in (
        photograph.name,
        copy.source,
        error.source,
        str(error),
        failure.source,
        failure.reason,
        Provenance(image=name, image_digest="", backbone="").image,
        printable(name),
    ):
        text.encode("utf-8")


def test_a_terminal_gets_no_control_characters() -> None:
    assert printable("a\x1b[31m\n\x9b\udcff") == r"a\x1b[31m\n\x9b\xff"


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"a\xffb.png", "ü.png".encode(), rb"a\xff.png"])
def test_a_file_is_found_again_by_its_text(tmp_path: Path, name: bytes) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"x")
    assert path_named(readable(path)).read_bytes() == b"x"
