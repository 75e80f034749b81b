"""A server that answers badly in every way: slowly, shortly, wrongly, or with something else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.hostile.files import png

GOOD = png(3)


class Handler(BaseHTTPRequestHandler):
    """The path says how it answers."""

    def log_message(self, *words: object) -> None:  # type: ignore[override]
        """Nothing on the terminal."""

    def do_GET(self) -> None:
        """One answer."""
        how = self.path.strip("/").partition("?")[0].partition(".")[0]
        with suppress(OSError):
            getattr(self, f"answer_{how.replace('-', '_')}")()

    def _head(self, status: int = 200, **headers: object) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def _drip(self, data: bytes) -> None:
        for i in range(len(data)):
            if self.server.stopped.wait(0.1):  # type: ignore[attr-defined]
                return
            self.wfile.write(data[i : i + 1])
            self.wfile.flush()

    def answer_good(self) -> None:
        self._head(Content_Length=len(GOOD))
        self.wfile.write(GOOD)

    def answer_unannounced(self) -> None:
        self._head()
        self.wfile.write(GOOD)

    def answer_named(self) -> None:
        if self.headers.get("Authorization") == "Basic bWU6c2VjcmV0":
            self.answer_good()
        else:
            self._head(401)

    def answer_drip(self) -> None:
        self._head(Content_Length=len(GOOD))
        self._drip(GOOD)

    def answer_drip_of_headers(self) -> None:
        self._drip(b"HTTP/1.0 200 OK\r\nX-Long: " + b"x" * 10_000)

    def answer_silent(self) -> None:
        self.server.stopped.wait(30)  # type: ignore[attr-defined]

    def answer_short(self) -> None:
        self._head(Content_Length=len(GOOD) + 1000)
        self.wfile.write(GOOD)

    def answer_half(self) -> None:
        self._head(Content_Length=len(GOOD))
        self.wfile.write(GOOD[: len(GOOD) // 2])

    def answer_terabyte(self) -> None:
        self._head(Content_Length=10**12)
        self.wfile.write(bytes(1000))

    def answer_endless(self) -> None:
        self._head()
        while not self.server.stopped.is_set():  # type: ignore[attr-defined]
            self.wfile.write(bytes(2**16))

    def answer_page(self) -> None:
        self._head(Content_Type="text/html")
        self.wfile.write(b"<html>Please log in</html>")

    def answer_nothing(self) -> None:
        self._head(Content_Length=0)

    def answer_refused(self) -> None:
        self._head(403)

    def answer_gone(self) -> None:
        self._head(410)

    def answer_busy(self) -> None:
        self._head(503, Retry_After=3600)

    def answer_broken(self) -> None:
        self.wfile.write(b"\x00\x01\x02\r\n\r\n")

    def answer_circle(self) -> None:
        self._head(302, Location="/circle.png")

    def answer_file(self) -> None:
        self._head(302, Location="file:///etc/passwd")

    def answer_ftp(self) -> None:
        self._head(302, Location="ftp://127.0.0.1:9/x.png")

    def answer_chunks(self) -> None:
        self.protocol_version = "HTTP/1.1"
        self._head(Transfer_Encoding="chunked")
        self.wfile.write(b"zz\r\nno number")


@contextmanager
def serving() -> Iterator[str]:
    """The address of a running one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        server.stopped = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.stopped.set()  # type: ignore[attr-defined]
            time.sleep(0.05)
            server.shutdown()
            thread.join()
