from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from starlette.testclient import TestClient

from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.page.options import PageOptions
from dinoscope.comparison.page.viewer import serve
from dinoscope.comparison.session import Session
from dinoscope.data.results import Comparison
from dinoscope.drawing.server.access import host_fits
from dinoscope.drawing.server.serving import address, listen
from dinoscope.drawing.server.uploads import display_name
from dinoscope.errors import InputError
from dinoscope.io.images import SUFFIXES
from tests.alone import run_alone
from tests.view.live_samples import (
    HOST,
    LIMIT,
    ORIGIN,
    TOKEN,
    CountingExtractor,
    bomb,
    digest_of,
    gate,
    named_decode,
    png,
)

POST = {"origin": ORIGIN}


@pytest.fixture
def extractor() -> CountingExtractor:
    return CountingExtractor()


@pytest.fixture
def client(extractor: CountingExtractor) -> Iterator[TestClient]:
    with TestClient(gate(extractor), base_url=ORIGIN) as client:
        yield client


def post(client: TestClient, path: str, body: bytes = b"") -> list[dict[str, Any]]:
    answer = client.post(f"/{TOKEN}/{path}", content=body, headers=POST)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def state(client: TestClient) -> dict[str, Any]:
    return client.get(f"/{TOKEN}/state").json()


def header_of(client: TestClient, grid: int) -> dict[str, Any]:
    answer = client.get(f"/{TOKEN}/payload?grid={grid}")
    assert answer.status_code == 200, answer.text
    length = int.from_bytes(answer.content[:4], "little")
    return json.loads(answer.content[4 : 4 + length])


def test_the_page_and_its_files_are_served_under_the_key(client: TestClient) -> None:
    page = client.get(f"/{TOKEN}/")
    assert page.status_code == 200
    assert "static/live.mjs" in page.text
    assert "<script>" not in page.text and "style=" not in page.text
    module = client.get(f"/{TOKEN}/static/view.mjs")
    assert module.status_code == 200 and module.headers["content-type"].startswith("text/javascript")


@pytest.mark.parametrize("path", ["", "state", "static/view.mjs", "photographs", "nothing"])
@pytest.mark.parametrize("key", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper()])
def test_without_the_key_nothing_is_told(client: TestClient, path: str, key: str) -> None:
    answer = client.get(f"/{key}/{path}" if key else f"/{path}")
    assert answer.status_code == 403
    assert TOKEN not in answer.text


def test_the_key_without_a_slash_is_refused(client: TestClient) -> None:
    assert client.get(f"/{TOKEN}").status_code == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1", "127.0.0.1:8001", "127.0.0.1:8000.evil.example", ""],
)
def test_a_wrong_host_is_refused(client: TestClient, host: str) -> None:
    assert client.get(f"/{TOKEN}/state", headers={"host": host}).status_code == 421


@pytest.mark.parametrize("host", [HOST, "localhost:8000", "[::1]:8000"])
def test_loopback_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get(f"/{TOKEN}/state", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8000", ORIGIN + "1", ""]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_is_refused(
    client: TestClient, extractor: CountingExtractor, origin: str, method: str
) -> None:
    path = "state" if method == "GET" else "photographs?grid=6&name=a.png"
    answer = client.request(method, f"/{TOKEN}/{path}", headers={"origin": origin}, content=png())
    assert answer.status_code == 403
    assert extractor.calls == []


def test_a_change_without_an_origin_is_refused(client: TestClient, extractor: CountingExtractor) -> None:
    assert client.post(f"/{TOKEN}/photographs?grid=6&name=a.png", content=png()).status_code == 403
    assert extractor.calls == []


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_request_sent_by_another_site_is_refused(client: TestClient, site: str) -> None:
    assert client.get(f"/{TOKEN}/state", headers={"sec-fetch-site": site}).status_code == 403


@pytest.mark.parametrize(
    "path",
    [
        "static/../viewer.py",
        "static/..%2fviewer.py",
        "static/%2e%2e/%2e%2e/errors.py",
        "static//etc/passwd",
        "static/..\\viewer.py",
        "static/tsconfig.json",
        "../../etc/passwd",
        "static/",
    ],
)
def test_no_path_leads_out_of_the_page(client: TestClient, path: str) -> None:
    answer = client.get(f"/{TOKEN}/{path}")
    assert answer.status_code in (403, 404)
    assert "import" not in answer.text


@pytest.mark.parametrize("path", [f"/{TOKEN}/", f"/{TOKEN}/static/live.mjs", f"/{TOKEN}/none", "/"])
def test_every_answer_carries_the_policy(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "'unsafe-eval'" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


def raw_upload(
    app: Any, headers: list[tuple[bytes, bytes]], piece: bytes, n: int
) -> tuple[int, int, dict[bytes, bytes]]:
    """Status, how many pieces of the body were asked for, headers."""
    asked = 0
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": piece, "more_body": asked < n}

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/{TOKEN}/photographs"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"grid=6&name=a.png",
        "headers": [(b"host", HOST.encode()), (b"origin", ORIGIN.encode()), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
    }
    run_alone(app(scope, receive, send))
    return sent[0]["status"], asked, dict(sent[0]["headers"])


@pytest.mark.parametrize(
    ("headers", "most"),
    [
        ([(b"content-length", b"524288000")], 0),  # says so: not a piece is read
        ([(b"transfer-encoding", b"chunked")], 17),  # does not say
        ([(b"content-length", b"1000")], 17),  # lies
        ([(b"content-length", b"-5")], 0),
        ([(b"content-length", b"1e3")], 0),
    ],
)
def test_500_mb_are_cut_off_early(
    extractor: CountingExtractor, headers: list[tuple[bytes, bytes]], most: int
) -> None:
    piece = bytes(1 << 16)
    status, asked, answered = raw_upload(gate(extractor), headers, piece, 8000)
    assert status == 413
    assert asked <= most == (LIMIT // len(piece) + 1 if most else 0)
    assert answered[b"connection"] == b"close"
    assert extractor.calls == []


def test_a_refused_upload_is_not_read(extractor: CountingExtractor) -> None:
    status, asked, _ = raw_upload(gate(extractor), [(b"origin", b"http://evil.example")], b"x", 10)
    assert (status, asked) == (403, 0)


def test_an_upload_appears(client: TestClient, extractor: CountingExtractor) -> None:
    lines = post(client, "photographs?grid=6&name=cat.png", png(1))
    assert [line["kind"] for line in lines] == ["model", "model", "added"]
    assert state(client)["photographs"] == [{"digest": digest_of(png(1)), "name": "cat.png"}]
    assert [p["name"] for p in header_of(client, 6)["photographs"]] == ["cat.png"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (png(3)[:150], "decoded"),
        (b"hello, this is text", "not an image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
        (bomb(), "pixels"),
        (png(1, (5, 5)), "at least"),
    ],
)
def test_a_broken_file_says_why_and_harms_nothing(
    client: TestClient, extractor: CountingExtractor, body: bytes, reason: str
) -> None:
    post(client, "photographs?grid=6&name=good.png", png(1))
    before = header_of(client, 6)
    (line,) = post(client, "photographs?grid=6&name=../<b>bad.png", body)
    assert line["kind"] == "failed" and line["name"] == "<b>bad.png"
    assert reason in line["reason"]
    assert header_of(client, 6) == before
    assert state(client)["failures"] == [{"name": "<b>bad.png", "reason": line["reason"]}]
    assert len(extractor.calls) == 1
    assert post(client, "photographs?grid=6&name=next.png", png(2))[-1]["kind"] == "added"


def test_the_same_photograph_twice_is_extracted_once(
    client: TestClient, extractor: CountingExtractor
) -> None:
    post(client, "photographs?grid=6&name=a.png", png(1))
    before = state(client)
    assert post(client, "photographs?grid=6&name=b.png", png(1)) == [
        {"kind": "known", "digest": digest_of(png(1))}
    ]
    post(client, "prepare?grid=6")
    assert extractor.calls == [("a.png", 6)]
    assert state(client) == before


def test_every_grid_is_extracted_once(client: TestClient, extractor: CountingExtractor) -> None:
    post(client, "photographs?grid=6&name=a.png", png(1))
    for grid in (4, 6, 4):
        assert post(client, f"prepare?grid={grid}")[-1]["n"] == 1
        assert header_of(client, grid)["grids"][0][0]["h"] == grid
    assert extractor.calls == [("a.png", 6), ("a.png", 4)]


@pytest.mark.parametrize("grid", ["0", "-1", "x", "", "1e3", "99999", "３", "6.5"])
def test_an_impossible_grid_is_an_error_not_a_crash(client: TestClient, grid: str) -> None:
    for path in (f"prepare?grid={grid}", f"photographs?grid={grid}&name=a.png"):
        answer = client.post(f"/{TOKEN}/{path}", headers=POST, content=png())
        assert answer.status_code == 422 and "whole number" in answer.json()["reason"]


def test_a_grid_beyond_memory_says_so(client: TestClient, extractor: CountingExtractor) -> None:
    for path in ("prepare?grid=101", "photographs?grid=101&name=a.png"):
        (line,) = post(client, path, png())
        assert line["kind"] == "refused" and "smaller grid" in line["reason"]
    assert state(client)["photographs"] == [] and extractor.calls == []


def test_a_payload_of_nothing_is_an_error(client: TestClient) -> None:
    answer = client.get(f"/{TOKEN}/payload?grid=6")
    assert answer.status_code == 422 and "no photograph" in answer.json()["reason"]


def test_two_pages_see_the_same(extractor: CountingExtractor) -> None:
    app = gate(extractor)
    with TestClient(app, base_url=ORIGIN) as client:
        errors: list[BaseException] = []

        def look(grid: int, seeds: range) -> None:
            try:
                for seed in seeds:
                    post(client, f"photographs?grid={grid}&name={seed}.png", png(seed))
                    post(client, f"prepare?grid={grid}")
                    names = [p["name"] for p in header_of(client, grid)["photographs"]]
                    assert f"{seed}.png" in names
            except BaseException as error:
                errors.append(error)
                raise

        pages = [
            threading.Thread(target=look, args=(4, range(5))),
            threading.Thread(target=look, args=(6, range(3, 8))),
        ]
        for page in pages:
            page.start()
        for page in pages:
            page.join()
        assert errors == []
        names = {photograph["name"] for photograph in state(client)["photographs"]}
        assert names == {f"{seed}.png" for seed in range(8)}
        for grid in (4, 6):
            post(client, f"prepare?grid={grid}")
            shown = [p["name"] for p in header_of(client, grid)["photographs"]]
            assert shown == [p["name"] for p in state(client)["photographs"]]
        assert len(set(extractor.calls)) == len(extractor.calls) == 16


def test_files_named_at_the_start_appear_and_a_broken_one_says_why(
    extractor: CountingExtractor, tmp_path: Path
) -> None:
    (tmp_path / "good.png").write_bytes(png(1))
    (tmp_path / "bad.png").write_bytes(b"text")
    named = [tmp_path / "bad.png", tmp_path / "good.png", tmp_path / "missing.png"]
    with TestClient(gate(extractor, named), base_url=ORIGIN) as client:
        assert post(client, "prepare?grid=6")[-1]["n"] == 1
        told = state(client)
        assert [p["name"] for p in told["photographs"]] == ["good.png"]
        assert [f["name"] for f in told["failures"]] == ["bad.png", "missing.png"]
        assert str(tmp_path) not in json.dumps(told)
        post(client, "photographs?grid=6&name=again.png", png(1))
        assert extractor.calls == [("good.png", 6)]
        (tmp_path / "good.png").write_bytes(png(2))
        last = post(client, "prepare?grid=4")[-1]
        assert last["n"] == 0 and "changed" in last["unusable"][0]["reason"]
        post(client, "failures/clear")
        assert state(client)["failures"] == []


def test_a_photograph_taken_away_is_gone(client: TestClient, extractor: CountingExtractor) -> None:
    for seed in (1, 2):
        post(client, f"photographs?grid=6&name={seed}.png", png(seed))
    post(client, f"remove?digest={digest_of(png(1))}")
    post(client, "remove?digest=unknown")
    assert [p["name"] for p in header_of(client, 6)["photographs"]] == ["2.png"]
    assert post(client, "photographs?grid=6&name=1.png", png(1))[-1]["kind"] == "added"


def test_uploads_are_held_up_to_a_limit(extractor: CountingExtractor) -> None:
    size = len(png(1))
    with TestClient(gate(extractor, total_bytes=size + 10), base_url=ORIGIN) as client:
        assert post(client, "photographs?grid=6&name=1.png", png(1))[-1]["kind"] == "added"
        (line,) = post(client, "photographs?grid=6&name=2.png", png(2))
        assert line["kind"] == "failed" and "held already" in line["reason"]


def test_export_writes_what_is_shown(extractor: CountingExtractor, tmp_path: Path) -> None:
    written: list[Comparison] = []

    def export(comparison: Comparison) -> Path:
        written.append(comparison)
        return tmp_path / "report.html"

    with TestClient(gate(extractor, export=export), base_url=ORIGIN) as client:
        assert 'id="export"' in client.get(f"/{TOKEN}/").text
        post(client, "photographs?grid=6&name=a.png", png(1))
        post(client, "photographs?grid=6&name=bad.png", b"text")
        answer = client.post(f"/{TOKEN}/export?grid=6", headers=POST)
        assert answer.json() == {"path": str(tmp_path / "report.html")}
    assert [p.name for p in written[0].photographs] == ["a.png"]
    assert [f.source for f in written[0].failures] == ["bad.png"]


def test_photographs_named_at_the_start_are_reported_without_a_click(
    extractor: CountingExtractor, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    (tmp_path / "bad.png").write_bytes(b"text")
    written: list[Comparison] = []
    told: Queue[str] = Queue()

    def export(comparison: Comparison) -> Path:
        written.append(comparison)
        return tmp_path / "report.html"

    named = [tmp_path / "a.png", tmp_path / "bad.png"]
    with TestClient(gate(extractor, named, export=export, on_report=told.put), base_url=ORIGIN) as client:
        assert told.get(timeout=300) == f"report: {tmp_path / 'report.html'}"
        assert [photo["name"] for photo in state(client)["photographs"]] == ["a.png"]
    assert [p.name for p in written[0].photographs] == ["a.png"]
    assert [f.source for f in written[0].failures] == ["bad.png"]
    with TestClient(gate(extractor, named[1:], export=export, on_report=told.put), base_url=ORIGIN):
        assert told.get(timeout=300).startswith("no report: ")

    def full(comparison: Comparison) -> Path:
        raise InputError("the disk is full")

    with TestClient(gate(extractor, named, export=full, on_report=told.put), base_url=ORIGIN):
        assert told.get(timeout=300) == "no report: the disk is full"
    assert len(written) == 1


def test_a_page_that_waits_is_told_what_runs(extractor: CountingExtractor, tmp_path: Path) -> None:
    extractor.hold.clear()
    (tmp_path / "a.png").write_bytes(png(1))
    lines: list[dict[str, Any]] = []
    app = gate(extractor, [tmp_path / "a.png"], export=lambda comparison: tmp_path)
    arrived = threading.Event()

    async def told(scope: Any, receive: Any, send: Any) -> None:
        if "prepare" in scope.get("path", ""):
            arrived.set()
        await app(scope, receive, send)

    with TestClient(told, base_url=ORIGIN) as client:
        assert extractor.begun.wait(300)
        waiting = threading.Thread(target=lambda: lines.extend(post(client, "prepare?grid=9")))
        waiting.start()
        assert arrived.wait(300)
        until = extractor.waited + 40
        while extractor.waited < until:  # the request has had time to queue behind what runs
            time.sleep(0.01)
        extractor.hold.set()
        waiting.join(300)
    kinds = [(line["kind"], line.get("done")) for line in lines]
    assert kinds[0] == ("model", 2)  # of the first report's job; that one's end is not this one's
    assert [kind for kind, _ in kinds].count("ready") == 1 and kinds[-1][0] == "ready"


def test_previews_are_held_up_to_a_limit() -> None:
    session = Session(load_backbone("pixels"), preview_bytes=2 * 40 * 30 * 3)
    photographs = [named_decode(png(i), f"{i}.png") for i in range(3)]
    assert session.add(photographs[0], 4) and session.add(photographs[1], 4)
    assert session.add(photographs[0], 5)  # a second grid needs no second preview
    with pytest.raises(InputError, match="2 photographs are held already"):
        session.add(photographs[2], 4)
    assert not session.has(photographs[2].digest, 4)
    session.forget(photographs[0].digest)
    assert session.add(photographs[2], 4)


def test_dropped_folders_hold_the_photographs_that_python_knows() -> None:
    text = files("dinoscope.drawing.view").joinpath("static", "folders.mjs").read_text(encoding="utf-8")
    listed = re.search(r"^const SUFFIXES = (\[.*?\]);", text, re.MULTILINE | re.DOTALL)
    assert listed is not None
    assert set(json.loads(listed[1])) == SUFFIXES


def test_without_a_folder_there_is_no_export(client: TestClient) -> None:
    assert client.post(f"/{TOKEN}/export?grid=6", headers=POST).status_code == 404
    assert 'id="export"' not in client.get(f"/{TOKEN}/").text


def leave_in_the_middle(extractor: CountingExtractor) -> None:
    """One upload whose page goes away once extraction has begun; returns when the app has let go."""

    async def visit() -> None:
        body = [{"type": "http.request", "body": png(1), "more_body": False}]

        async def receive() -> dict[str, Any]:
            if body:
                return body.pop()
            await asyncio.to_thread(extractor.begun.wait)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            pass

        path = f"/{TOKEN}/photographs"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"grid=6&name=a.png",
            "headers": [(b"host", HOST.encode()), (b"origin", ORIGIN.encode())],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }
        await gate(extractor)(scope, receive, send)

    run_alone(visit())


def test_leaving_the_page_cancels(extractor: CountingExtractor) -> None:
    extractor.hold.clear()
    leave_in_the_middle(extractor)
    assert extractor.stopped.wait(300)
    assert extractor.rows == {}


def test_the_page_answers_while_something_is_extracted(
    client: TestClient, extractor: CountingExtractor
) -> None:
    extractor.hold.clear()
    upload = threading.Thread(target=post, args=(client, "photographs?grid=6&name=a.png", png(1)))
    upload.start()
    try:
        assert extractor.begun.wait(300)
        assert state(client)["photographs"] == []
    finally:
        extractor.hold.set()
        upload.join()
    assert len(state(client)["photographs"]) == 1


def test_closing_stops_what_runs(extractor: CountingExtractor) -> None:
    extractor.hold.clear()
    closing = threading.Event()
    with TestClient(gate(extractor, closing=closing), base_url=ORIGIN) as client:
        upload = threading.Thread(target=post, args=(client, "photographs?grid=6&name=a.png", png(1)))
        upload.start()
        assert extractor.begun.wait(300)
        closing.set()
        upload.join(300)
        assert not upload.is_alive()
    assert extractor.stopped.is_set()


def test_a_job_that_breaks_says_so_and_the_next_one_works(
    client: TestClient, extractor: CountingExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(extractor, "add", broken)
        last = post(client, "photographs?grid=6&name=a.png", png(1))[-1]
    assert last == {"kind": "broken", "reason": "RuntimeError: out of memory"}
    assert post(client, "photographs?grid=6&name=a.png", png(1))[-1]["kind"] == "added"


@pytest.mark.parametrize(
    ("header", "host", "fits"),
    [
        ("192.168.0.7:8000", "0.0.0.0", True),
        ("[fe80::1]:8000", "::", True),
        ("evil.example:8000", "0.0.0.0", False),
        ("box.local:8000", "box.local", True),
        ("192.168.0.7:8000", "127.0.0.1", False),
        ("localhost:8000x", "127.0.0.1", False),
        (":8000", "", False),
        ("[::1", "127.0.0.1", False),
    ],
)
def test_who_the_server_answers_to(header: str, host: str, fits: bool) -> None:
    assert host_fits(header, host, 8000) is fits


def test_the_port_may_be_left_out_only_where_it_is_80() -> None:
    assert host_fits("localhost", "127.0.0.1", 80) and not host_fits("localhost", "127.0.0.1", 8000)


def test_a_taken_port_is_an_input_error() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert taken.getsockname()[0] == "127.0.0.1"
        with pytest.raises(InputError, match="name another port"):
            serve([], CountingExtractor(), PageOptions(), read=lambda _: None, decode=named_decode, port=port)  # type: ignore[arg-type,return-value]


def test_an_impossible_first_grid_is_refused_before_listening(extractor: CountingExtractor) -> None:
    with pytest.raises(InputError, match="smaller grid"):
        serve([], extractor, PageOptions(grid=101), read=lambda _: None, decode=named_decode)  # type: ignore[arg-type,return-value]


def test_the_address_can_be_opened_here() -> None:
    assert address("0.0.0.0", 80, "k") == "http://127.0.0.1:80/k/"
    assert address("::1", 9, "k") == "http://[::1]:9/k/"


@pytest.mark.parametrize("name", ["a/b.png", "..\\..\\b.png", "/b.png"])
def test_names_are_only_for_showing(name: str) -> None:
    assert display_name(name) == "b.png" and len(display_name("x" * 999)) == 200
