"""The rules of the three commands: when to install, where torch comes from, where to stop."""

from __future__ import annotations

import re
import socket
import sys
import threading
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

import dev

ROOT = Path(dev.__file__).parent


class Installer:
    """A stand-in for pip that notes what it is asked for, and can fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.alone: list[str] = []
        self.fails = False

    def __call__(self, *words: object) -> None:
        (self.alone if "--target" in words else self.asked).append(" ".join(map(str, words)))
        if self.fails:
            raise KeyboardInterrupt


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    """A checkout of its own with an empty .venv; torch and pip itself are there."""
    (tmp_path / ".venv").mkdir()
    (tmp_path / "pyproject.toml").write_text("[project]")
    (tmp_path / "constraints.txt").write_text("torch==1.2.3\ntimm==4.5.6\n")
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    monkeypatch.setattr(dev, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(dev, "STAMP", tmp_path / ".venv" / "stamp")
    monkeypatch.setattr(dev, "CONSTRAINTS", tmp_path / "constraints.txt")
    monkeypatch.setattr(dev, "make_environment", lambda: None)
    monkeypatch.setattr(dev, "install_torch", lambda: None)
    stand_in = Installer()
    monkeypatch.setattr(dev, "pip", stand_in)
    return stand_in


@pytest.mark.parametrize(
    ("command", "group", "extras"),
    [("demo", "demo", ""), ("install", "demo", "[fast,heif,store,view,widget]"), ("test", "test", "")],
)
def test_a_second_call_installs_nothing(installer: Installer, command: str, group: str, extras: str) -> None:
    dev.prepare(command)
    assert len(installer.asked) == 1
    assert f"pyproject.toml:{group} " in installer.asked[0]
    assert installer.asked[0].endswith(f"--editable {dev.ROOT}{extras}")
    assert "--constraint" in installer.asked[0]
    dev.prepare(command)
    assert len(installer.asked) == 1


def test_timm_is_installed_alone_and_for_the_tests_only(installer: Installer) -> None:
    dev.prepare("demo")
    assert installer.alone == []
    dev.prepare("test")
    (asked,) = installer.alone
    assert "--no-deps" in asked
    assert asked.endswith("timm-alone timm==4.5.6")


def test_what_the_tests_need_is_enough_for_the_demo_but_not_the_reverse(installer: Installer) -> None:
    dev.prepare("demo")
    dev.prepare("test")
    assert len(installer.asked) == 2
    dev.prepare("demo")
    assert len(installer.asked) == 2


def test_what_is_installed_for_the_store_is_enough_for_the_demo_but_not_the_reverse(
    installer: Installer,
) -> None:
    dev.prepare("demo")
    dev.prepare("install")
    assert len(installer.asked) == 2
    dev.prepare("demo")
    assert len(installer.asked) == 2
    dev.prepare("test")
    dev.prepare("install")
    assert len(installer.asked) == 3


def test_the_tests_have_every_extra_that_is_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups, extras = project["dependency-groups"], project["project"]["optional-dependencies"]
    asked = dev.EXTRAS["install"].strip("[]").split(",")
    needed = {line for extra in asked for line in extras[extra]}
    assert {simple(line) for line in needed} <= {simple(x) for x in groups["test"] if isinstance(x, str)}


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_installed(installer: Installer, name: str) -> None:
    dev.prepare("demo")
    (dev.ROOT / name).write_text("torch==1.2.4\ntimm==4.5.6\n")
    dev.prepare("demo")
    assert len(installer.asked) == 2


def test_an_interrupted_installation_is_done_again(installer: Installer) -> None:
    installer.fails = True
    with pytest.raises(KeyboardInterrupt):
        dev.prepare("demo")
    installer.fails = False
    dev.prepare("demo")
    assert len(installer.asked) == 2


def test_an_interrupted_change_also_spoils_what_was_there_before(installer: Installer) -> None:
    dev.prepare("demo")
    before = (dev.ROOT / "constraints.txt").read_text()
    (dev.ROOT / "constraints.txt").write_text("torch==1.2.4\ntimm==4.5.6\n")
    installer.fails = True
    with pytest.raises(KeyboardInterrupt):
        dev.prepare("demo")
    installer.fails = False
    (dev.ROOT / "constraints.txt").write_text(before)
    dev.prepare("demo")
    assert len(installer.asked) == 3


HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (f"version = {HERE}.2\ncommand = /usr/bin/python3 -m venv --without-pip /a/b/.venv", True),
        (f"version = {HERE}.2\ncommand = /usr/bin/python3 -m venv --without-pip --clear /a/b/.venv", True),
        (f'version = {HERE}.2\ncommand = /usr/bin/python3 -m venv --prompt="my own" /a/b/.venv', True),
        (f"version = {HERE}.2\ncommand = /usr/bin/python3 -m venv --without-pip /a/moved/.venv", False),
        ("version = 3.1.4\ncommand = /usr/bin/python3 -m venv --without-pip /a/b/.venv", False),
        (f"uv = 0.9.1\nversion_info = {HERE}.2", True),
        ("", False),
    ],
)
def test_an_environment_fits_this_python_and_this_place(settings: str, expected: bool) -> None:
    assert dev.fits(settings, Path("/a/b/.venv")) is expected


CPU, PLAIN = "torch==2.13.0+cpu", "torch==2.13.0"
BOTH = {"2.13.0", "2.13.0+cpu"}


@pytest.mark.parametrize(
    ("machine", "nvidia", "configured", "reachable", "at_index", "requirement", "says"),
    [
        ("Linux x86_64", False, BOTH, True, BOTH, CPU, "pip is configured"),
        ("Linux x86_64", False, {"2.13.0"}, True, BOTH, CPU, dev.CPU_INDEX),
        ("Linux x86_64", False, {"2.14.0+cpu"}, True, BOTH, CPU, dev.CPU_INDEX),
        ("Linux x86_64", False, set(), False, BOTH, PLAIN, "no answer in 3 s"),
        ("Linux x86_64", False, {"2.13.0"}, True, {"2.13.0"}, PLAIN, "has none for Python"),
        ("Linux x86_64", True, BOTH, True, BOTH, PLAIN, "NVIDIA driver"),
        ("Linux aarch64", False, set(), True, BOTH, PLAIN, "from PyPI"),
        ("Darwin arm64", False, set(), True, BOTH, PLAIN, "from PyPI"),
        ("Windows AMD64", True, set(), True, BOTH, PLAIN, "from PyPI"),
    ],
)
def test_where_torch_comes_from(
    machine: str,
    nvidia: bool,
    configured: set[str],
    reachable: bool,
    at_index: set[str],
    requirement: str,
    says: str,
) -> None:
    source = dev.torch_source(
        "2.13.0",
        machine=machine,
        nvidia=nvidia,
        offered=lambda options: at_index if options else configured,
        reachable=lambda: reachable,
    )
    assert source.requirement == requirement
    assert says in source.says
    assert bool(source.options) == (dev.CPU_INDEX in source.says and requirement == CPU)
    assert ("several GB" in source.says) == (requirement == PLAIN and machine == "Linux x86_64")


def test_versions_are_read_off_what_pip_prints() -> None:
    printed = "torch (2.15.0)\nAvailable versions: 2.15.0, 2.13.0+cpu, 2.13.0\n  LATEST:    2.15.0\n"
    assert dev.read_versions(printed) == {"2.15.0", "2.13.0+cpu", "2.13.0"}
    assert dev.read_versions("ERROR: No matching distribution found for torch\n") == set()


class Page(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(200 if self.path == "/there/" else 404)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Page) as pages:
        thread = threading.Thread(target=pages.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{pages.server_port}"
        pages.shutdown()
        thread.join()


def test_a_page_answers_or_does_not(server: str) -> None:
    assert dev.answers(f"{server}/there/", 30.0)
    assert not dev.answers(f"{server}/elsewhere/", 30.0)


def test_silence_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the connection and never replies
        assert not dev.answers(f"http://127.0.0.1:{silent.getsockname()[1]}/there/", 0.2)


def test_a_name_look_up_that_hangs_is_no_answer(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    released, over = threading.Event(), threading.Event()
    really = urllib.request.urlopen

    def hang(*words: Any, **more: Any) -> Any:
        released.wait(300.0)
        over.set()
        return really(*words, **more)

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    assert not dev.answers(f"{server}/there/", 0.05)
    released.set()
    assert over.wait(300.0)


def test_a_pin_is_read_and_a_missing_one_is_said() -> None:
    assert dev.pinned("torch", "# head\ntorchvision==9\ntorch==2.13.0\n") == "2.13.0"
    with pytest.raises(SystemExit, match="does not pin torch"):
        dev.pinned("torch", "torchvision==9\n")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What `test` would have run; every step passes, and all tools are there."""
    commands: list[str] = []

    def run(command: Sequence[object]) -> int:
        commands.append(" ".join(map(str, command)))
        return 0

    monkeypatch.setattr(dev, "run", run)
    monkeypatch.setattr(dev, "typescript", lambda: ["/bin/tsc"])
    monkeypatch.setattr(dev, "browser", lambda: "/bin/chromium")
    return commands


def test_every_check_is_run_in_order_and_options_go_to_pytest(
    ran: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert dev.test(["-k", "grid"]) == 0
    words = ["ruff check", "ruff format --check", "mypy src", "lint-imports", "tsc --checkJs", "pytest"]
    assert len(ran) == len(words)
    for word, command in zip(words, ran, strict=True):
        assert word in command
    assert ran[-1].endswith("-n auto -k grid")
    assert "6 steps passed; 0 kinds of check not run" in capsys.readouterr().out


def test_the_first_failure_stops_and_is_named(
    ran: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    succeed = dev.run
    monkeypatch.setattr(dev, "run", lambda command: succeed(command) or (7 if "mypy" in command else 0))
    assert dev.test([]) == 7
    assert len(ran) == 3
    out = capsys.readouterr().out
    assert "== types: FAILED" in out
    assert "STOPPED at types; after it, not tried: import contract, JavaScript types, doctests" in out
    assert "passed;" not in out


@pytest.mark.usefixtures("ran")
def test_what_cannot_be_run_is_counted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dev, "typescript", list)
    monkeypatch.setattr(dev, "browser", lambda: None)
    assert dev.test([]) == 0
    out = capsys.readouterr().out
    assert len(re.findall(r"^NOT RUN: ", out, re.MULTILINE)) == 2
    assert "5 steps passed; 2 kinds of check not run" in out


def test_the_browser_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    assert dev.browser() is None
    mine = tmp_path / "mine"
    mine.touch(mode=0o755)
    monkeypatch.setenv("BROWSER_PATH", str(mine))
    assert dev.browser() == str(mine)


def test_words_after_the_command_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(dev, "prepare", installed.append)
    monkeypatch.setattr(dev, "demo", lambda options: len(options))
    monkeypatch.setattr(dev, "test", lambda options: 10 + len(options))
    assert dev.main(["demo", "--grid", "64"]) == 2
    assert dev.main(["test", "-k", "grid", "-x"]) == 13
    assert installed == ["demo", "test"]


def test_installing_does_nothing_more_and_takes_no_options(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed: list[str] = []
    monkeypatch.setattr(dev, "prepare", installed.append)
    assert dev.main(["install"]) == 0
    assert "dinoscope" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        dev.main(["install", "--grid"])
    assert installed == ["install"]


@pytest.mark.parametrize(
    ("words", "code"), [([], 2), (["nonsense"], 2), (["--help"], 0), (["test", "-h"], 0)]
)
def test_usage_installs_nothing(words: list[str], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(dev, "prepare", installed.append)
    with pytest.raises(SystemExit) as stop:
        dev.main(words)
    assert stop.value.code == code
    assert installed == []


def simple(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", name)[0]).lower()  # type: ignore[index]


def test_everything_that_the_three_commands_install_is_pinned() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] != "#"]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)  # no local versions such as +cpu
    assert lines == sorted(lines, key=simple)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    named = [*project["project"]["dependencies"], *groups["demo"], *groups["docs"], *groups["test"]]
    needed = {simple(name) for name in named if isinstance(name, str)}
    assert needed <= {simple(line) for line in lines}
