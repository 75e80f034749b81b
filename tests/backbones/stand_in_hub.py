"""A local stand-in for the Hugging Face hub: standard library only, counts every request.

::

    with StandInHub({"facebook/dinov2-base": {"config.json": b"{}", "model.safetensors": b"..."}}) as hub:
        ...                      # HF_ENDPOINT=hub.url
        hub.requests             # [("HEAD", "/facebook/dinov2-base/resolve/main/config.json"), ...]

It answers in the hub's own form: ``/{repo}/resolve/{revision}/{file}`` for GET and HEAD with ETag
and X-Repo-Commit, ``/api/models/{repo}``, and errors with X-Error-Code.
"""

from __future__ import annotations

import hashlib
import json
import re
import socket
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")


class StandInHub:
    """Serves ``repos[repo][file]`` on a free local port until the ``with`` block ends.

    Args:
        repos: file contents by repository and file name.
        gated: repositories answered with 401 GatedRepo, unless the request carries ``token``.
        token: that opens gated repositories.
        status: answered to everything instead, 503 for example.
        hangs: accept connections and never answer.
        faults: by file name, how its body is sent: ``drip`` (a byte at a time), ``stall`` (half, and then
            nothing), ``close`` (half), ``empty`` (nothing at all).
    """

    def __init__(
        self,
        repos: Mapping[str, Mapping[str, bytes]] | None = None,
        *,
        gated: frozenset[str] | set[str] = frozenset(),
        token: str = "",
        status: int = 0,
        hangs: bool = False,
        faults: Mapping[str, str] | None = None,
    ) -> None:
        self.repos = dict(repos or {})
        self.gated = set(gated)
        self.token = token
        self.status = status
        self.hangs = hangs
        self.faults = dict(faults or {})
        self.requests: list[tuple[str, str]] = []
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The endpoint: scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def file_requests(self) -> list[tuple[str, str]]:
        """The requests for files; `huggingface_hub` also asks for other things, once per process."""
        return [(method, path) for method, path in self.requests if "/resolve/" in path]

    @property
    def downloaded(self) -> list[str]:
        """Names of the files fetched, in order."""
        return [path.rsplit("/", 1)[1] for method, path in self.file_requests if method == "GET"]

    def __enter__(self) -> StandInHub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def closed_port() -> str:
    """An endpoint where nobody listens: connections are refused at once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


def point_at(monkeypatch: Any, endpoint: str, home: Any, *, token: str = "", offline: bool = False) -> None:
    """Let `huggingface_hub` in this process use that endpoint, and an own cache folder.

    It reads its environment once, when imported; a new process needs only HF_ENDPOINT and HF_HOME.
    """
    from huggingface_hub import constants, utils
    from huggingface_hub.utils import _detect_agent

    monkeypatch.setattr(_detect_agent, "_registry", None)
    monkeypatch.setattr(constants, "AGENT_HARNESSES_PATH", str(home / "harnesses.json"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    )
    monkeypatch.setattr(constants, "HF_URL_HOSTS", frozenset({"127.0.0.1"}))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(home / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(home / "token"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
    utils.close_session()


def _handler(hub: StandInHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

        def _answer(self) -> None:
            hub.requests.append((self.command, self.path))
            if hub.hangs:
                hub._over.wait(60)
                self.close_connection = True
                return
            if hub.status:
                self._refuse(hub.status, "")
                return
            api = self.path.removeprefix("/api/models/")
            if api != self.path and api in hub.repos:
                siblings = [{"rfilename": file} for file in hub.repos[api]]
                self._send(json.dumps({"id": api, "sha": COMMIT, "siblings": siblings}).encode())
                return
            asked = _RESOLVE.fullmatch(self.path)
            if asked is None or asked["repo"] not in hub.repos:
                self._refuse(404, "RepoNotFound")
            elif asked["repo"] in hub.gated and not self._may_enter():
                self._refuse(401, "GatedRepo")
            elif asked["revision"] not in ("main", COMMIT):
                self._refuse(404, "RevisionNotFound")
            elif asked["file"] not in hub.repos[asked["repo"]]:
                self._refuse(404, "EntryNotFound")
            else:
                self._send(hub.repos[asked["repo"]][asked["file"]])

        def _may_enter(self) -> bool:
            return bool(hub.token) and self.headers.get("Authorization") == f"Bearer {hub.token}"

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
                self.send_header("X-Error-Message", f"stand-in hub: {code}")
            if code == "EntryNotFound":
                self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _send(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Type", "application/octet-stream")
            self.end_headers()
            if self.command == "GET":
                self._send_body(body, hub.faults.get(self.path.rpartition("/")[2], ""))

        def _send_body(self, body: bytes, fault: str) -> None:
            parts = {"": [body], "drip": [bytes([byte]) for byte in body], "empty": []}
            for part in parts.get(fault, [body[: len(body) // 2]]):
                self.wfile.write(part)
                self.wfile.flush()
                if fault == "drip" and hub._over.wait(0.05):
                    return
            if fault == "stall":
                hub._over.wait(120)
            self.close_connection = self.close_connection or bool(fault)

    return Handler
