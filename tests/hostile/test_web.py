"""URLs whose servers answer slowly, shortly, endlessly or wrongly: each costs itself alone, for a while."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dinoscope.errors import ImageError
from dinoscope.io.collections import web
from dinoscope.io.collections.web import fetch
from dinoscope.store.reading import each_row, read_failures
from dinoscope.store.store import open_store
from tests.command_line import run
from tests.hostile.slow_server import GOOD, serving

BAD = {
    "drip": "no whole answer within 1 s",
    "drip-of-headers": "no whole answer within 1 s",
    "silent": "no whole answer within 1 s",
    "short": "sent .* of the .* bytes|cannot be fetched",
    "half": "sent .* of the .* bytes|cannot be fetched",
    "terabyte": "more than",
    "endless": "more than|no whole answer",
    "refused": "the server says 403",
    "gone": "the server says 410",
    "busy": "the server says 503",
    "broken": "cannot be fetched",
    "circle": "the server says 302",
    "file": "Redirection to url 'file:///etc/passwd' is not allowed",
    "ftp": "cannot be fetched: it leads to 'ftp:",
    "chunks": "cannot be fetched",
    "named": "the server says 401",
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "FETCH_S", 1.0)
    monkeypatch.setattr(web, "FETCHED_BYTES", 2**22)


@pytest.mark.parametrize("how", sorted(BAD))
def test_bad_answers(server: str, how: str) -> None:
    with pytest.raises(ImageError, match=BAD[how]) as caught:
        fetch(f"{server}/{how}.png")
    assert server in caught.value.source


@pytest.mark.parametrize("how", ["good", "unannounced"])
def test_good_answers(server: str, how: str) -> None:
    assert fetch(f"{server}/{how}.png") == GOOD


def test_a_name_and_a_password_are_sent_and_not_told(server: str) -> None:
    host = server.removeprefix("http://")
    assert fetch(f"http://me:secret@{host}/named.png") == GOOD
    with pytest.raises(ImageError) as caught:
        fetch(f"http://me:wrong@{host}/named.png")
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize(
    "address",
    [
        "http://",
        "http://[::1",
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:99999999999/x",
        "http://127.0.0.1:-1/x",
        "http://127.0.0.1:port/x",
        "http://a b/",
        "http://\x00/",
        "http://\udcff/",
        "http:///x",
        "http://" + "." * 300,
    ],
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(ImageError):
        fetch(address)


def test_neighbours_are_done(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        f"{server}/{how}.png" for how in ("short", "good", "refused", "page", "nothing", "drip", "broken")
    ]
    (tmp_path / "list.csv").write_text("\n".join(["url", *lines]))
    store = tmp_path / "store"
    assert run("embed", tmp_path / "list.csv", store, "--model", "mini", "--grid", 4) == 1
    assert capsys.readouterr().err.count("skipped http") == 6
    table = open_store(store).table()
    assert [row.source for row in each_row(table)] == [f"{server}/good.png"]
    assert len(read_failures(table)) == 6
