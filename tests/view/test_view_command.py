"""What `dinoscope view` refuses; the pages themselves are tested in tests/view."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dinoscope import cli
from dinoscope.pipeline.embed import embed
from tests.fakes import FakeBackbone
from tests.view.live_samples import png


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("{store}", "{photo}"), "one store at a time"),
        (("{store}", "--export", "out"), "writes no report"),
        (("{store}", "--grid", "8"), "its own grid"),
        (("{store}", "--models", "pixels"), "no table of the store was made with 'pixels'"),
        (("{store}", "--table", "other"), "no table 'other'"),
        (("{photo}",), "no model"),
        (("{photo}", "--models", "pixels", "--table", "fake"), "--table is for a store"),
    ],
)
def test_the_command_says_what_a_store_cannot_be_viewed_with(
    tmp_path: Path,
    words: tuple[str, ...],
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    photo = tmp_path / "a.png"
    photo.write_bytes(png())
    store = embed([photo], FakeBackbone(), tmp_path / "store", grid=4)
    named = [word.format(store=store.path, photo=photo) for word in words]
    monkeypatch.setattr(sys, "argv", ["dinoscope", "view", *named])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code in (2, 4)
    assert reason in capsys.readouterr().err
