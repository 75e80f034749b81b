"""Do both pages hold while many people use them at once, rudely?

    python -m benchmarks.robustness.clients [--clients 50] [--minutes 10] [--seed 0]

``dinoscope view`` on drawn photographs, and on a store of them, each in a process of its own. Every client
asks for a random thing of one of them, again and again: what the page shows, photographs, payloads, searches,
uploads of pictures and of junk, addresses that lead out, a wrong secret, another site's Origin; some hang up
in the middle. Counted is what was answered, and how; wrong is an answer of 500 or more but the 503 of a full
room, a connection that is refused, an answer to who may not ask, and a server that has died. Slow is not
wrong: the pages share the cores with whatever else runs.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.fuzz_targets import photograph_file
from benchmarks.robustness.keep import keep

PATIENCE_S = 300.0
INTERRUPTED = 130
SCENES = 4
GRID = 4


@dataclass
class Counted:
    """What came of all requests."""

    answers: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, what: str, status: str, *, wrong: bool, seconds: float) -> None:
        """One request."""
        with self.lock:
            self.answers[f"{what}: {status}"] += 1
            self.slowest_s = max(self.slowest_s, seconds)
            if wrong:
                self.wrong[f"{what}: {status}"] += 1


@dataclass(frozen=True)
class Page:
    """A page that is served."""

    name: str
    process: subprocess.Popen[str]
    address: str

    @property
    def place(self) -> tuple[str, int, str]:
        """Host, port, and the path that holds the secret."""
        parts = urllib.parse.urlsplit(self.address)
        return str(parts.hostname), int(parts.port or 0), parts.path

    @property
    def resident_bytes(self) -> int:
        """Memory of its process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def served(name: str, *words: str) -> Page:
    """A page, once it answers."""
    command = [sys.executable, "-m", "dinoscope", "view", *words]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert process.stdout is not None
    return Page(name, process, process.stdout.readline().split()[1])


def asks(page: Page, digests: list[str], table: str, rng: np.random.Generator) -> tuple[str, str, str, bytes]:
    """What to call it, the method, the path behind the secret, and the body of a random request."""
    digest = digests[int(rng.integers(len(digests)))] if digests else "0" * 64
    picture, junk = photograph_file(int(rng.integers(40))), rng.bytes(int(rng.integers(1, 5000)))
    if page.name == "live":
        usual = [
            ("state", "GET", "state", b""),
            ("payload", "GET", f"payload?grid={GRID}", b""),
            ("payload, odd grid", "GET", f"payload?grid={rng.integers(-2, 999)}", b""),
            ("upload", "POST", f"photographs?grid={GRID}&name=x.png", picture),
            ("upload of junk", "POST", f"photographs?grid={GRID}&name=%1b%5b31m.png", junk),
            ("remove", "POST", f"remove?digest={digest}", b""),
            ("prepare", "POST", f"prepare?grid={GRID}", b""),
            ("page", "GET", "", b""),
        ]
    else:
        named = f"table={table}&query={digest}&k=3&pooling=mean&suppress="
        usual = [
            ("tables", "GET", "tables", b""),
            ("collection", "GET", f"collection?table={table}&first=0&n=9", b""),
            ("search", "GET", f"search?{named}none", b""),
            ("search, suppressed", "GET", f"search?{named}background", b""),
            ("picture", "GET", f"picture?table={table}&digest={digest}&size=small", b""),
            ("upload", "POST", "queries?name=x.png", picture),
            ("upload of junk", "POST", "queries?name=..%2f..%2fx", junk),
            ("why", "GET", f"why?{named}none&hit={digest}", b""),
        ]
    odd = [
        ("out of the page", "GET", "../../etc/passwd", b""),
        ("out, escaped", "GET", "%2e%2e/%2e%2e/etc/passwd", b""),
        ("a method that is none", "BREW", "state", b""),
        ("a long path", "GET", "x" * 5000, b""),
    ]
    chosen = odd if rng.random() < 0.1 else usual
    return chosen[int(rng.integers(len(chosen)))]


def client(number: int, pages: list[Page], facts: dict[str, object], until: float, counted: Counted) -> None:
    """Ask until the time is over."""
    rng = np.random.default_rng(number)
    while time.monotonic() < until:
        page = pages[int(rng.integers(len(pages)))]
        host, port, secret = page.place
        what, method, path, body = asks(page, facts["digests"], str(facts["table"]), rng)  # type: ignore[arg-type]
        origin, how = f"http://{host}:{port}", rng.random()
        refused = False
        if how < 0.04:
            what, secret, refused = "a wrong secret", "/wrong/", True
        elif how < 0.08 and method == "POST":
            what, origin, refused = "another site", "http://elsewhere.example", True
        begun = time.monotonic()
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        try:
            connection.request(method, secret + path, body or None, {"origin": origin})
            if 0.08 < how < 0.14:
                connection.close()
                counted.add(what, "hung up", wrong=False, seconds=0.0)
                continue
            answer = connection.getresponse()
            answer.read()
            wrong = answer.status >= 500 and answer.status != 503
            wrong |= refused and answer.status < 400
            counted.add(what, str(answer.status), wrong=wrong, seconds=time.monotonic() - begun)
        except (OSError, http.client.HTTPException) as error:
            # who uploads what is refused unread may see the connection end before the answer
            early = isinstance(error, BrokenPipeError | ConnectionResetError) and bool(body)
            counted.add(what, type(error).__name__, wrong=not early, seconds=time.monotonic() - begun)
        finally:
            connection.close()


def main() -> int:
    """Print what was asked and answered; 1 where anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = [sys.executable, "-m", "dinoscope"]
        drawn, store = f"{folder}/drawn", f"{folder}/store"
        subprocess.run([*run, "scenes", drawn, "--n", str(SCENES), "--size", "64"], check=True)
        embed = ["embed", f"{drawn}/images", store, "--model", "mini", "--grid", str(GRID)]
        subprocess.run([*run, *embed], check=True)
        small = ("--models", "mini", "--grid", str(GRID))
        pages = [served("live", f"{drawn}/images", *small), served("search", store)]
        facts = known_facts(pages[1])
        before = [page.resident_bytes for page in pages]
        counted = Counted()
        until = time.monotonic() + 60 * words.minutes
        people = [
            threading.Thread(target=client, args=(words.seed + i, pages, facts, until, counted))
            for i in range(words.clients)
        ]
        for one in people:
            one.start()
        for one in people:
            one.join()
        after = [page.resident_bytes if page.process.poll() is None else 0 for page in pages]
        codes = []
        for page in pages:
            page.process.send_signal(signal.SIGINT)
            codes.append(page.process.wait(PATIENCE_S))
    asked, wrong = sum(counted.answers.values()), sum(counted.wrong.values())
    wrong += sum(code not in (0, INTERRUPTED) for code in codes)
    for what, n in sorted(counted.answers.items()):
        print(f"{what:40} {n:7,}")
    print(f"asked {asked:,}, wrong {wrong} {dict(counted.wrong)}; the servers ended with {codes}")
    growth = [(b - a) / 2**20 for a, b in zip(before, after, strict=True)]
    print(f"slowest answer {counted.slowest_s:.1f} s; memory grew by {growth[0]:.0f} and {growth[1]:.0f} MiB")
    figures = {"clients": words.clients, "minutes": words.minutes, "asked": asked, "wrong": wrong}
    more = {"slowest_s": round(counted.slowest_s, 1), "grown_mib": [round(g) for g in growth]}
    keep("clients", {**figures, **more, "answers": dict(sorted(counted.answers.items()))})
    return int(wrong > 0)


def known_facts(page: Page) -> dict[str, object]:
    """The table and the digests of the search page."""
    host, port, secret = page.place

    def asked(path: str) -> dict[str, object]:
        connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
        connection.request("GET", secret + path)
        found: dict[str, object] = json.loads(connection.getresponse().read())
        connection.close()
        return found

    tables: list[dict[str, str]] = asked("tables")["tables"]  # type: ignore[assignment]
    table = tables[0]["name"]
    shown: list[dict[str, str]] = asked(f"collection?table={table}&first=0&n=9")["photographs"]  # type: ignore[assignment]
    return {"table": table, "digests": [one["digest"] for one in shown]}


if __name__ == "__main__":
    socket.setdefaulttimeout(PATIENCE_S)
    raise SystemExit(main())
