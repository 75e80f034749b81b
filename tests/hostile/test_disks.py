"""Disks that are full, or take nothing: exit code 2, one line, nothing half-written; the next run goes on."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command_line import run
from tests.hostile.files import write_photographs

FEW, SOME = 500, 20_000
"""Bytes that a file may have: less than any result, and less than a large one."""


@contextmanager
def no_file_larger_than(n_bytes: int) -> Iterator[None]:
    """As on a full disk: the system refuses to write on (Python ignores the signal)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_photographs(tmp_path_factory.mktemp("photos"), ("a.png", "b.png", "c.png"))


def command_line(command: str, photos: Path, out: Path) -> tuple[object, ...]:
    few = ("--grid", 4, "--out", out)
    return {
        "extract": ("extract", photos, "--model", "mini", *few),
        "embed": ("embed", photos, out, "--model", "mini", "--grid", 4),
        "measure": ("measure", photos, "--models", "pixels", "--no-controls", *few),
        "compare": ("compare", photos, "--models", "pixels", *few),
        "look": ("look", photos / "a.png", "--models", "mini", *few),
        "match": ("match", photos / "a.png", photos / "b.png", "--models", "pixels", *few),
        "normal": ("normal", photos, photos / "a.png", "--models", "pixels", "--no-controls", *few),
        "scenes": ("scenes", out, "--n", 2, "--size", 48),
    }[command]


LONG = [
    pytest.param(command, limit, marks=pytest.mark.long)
    for command in ("compare", "look", "match", "measure", "normal", "scenes")
    for limit in (FEW, SOME)
    if (command, limit) not in {("scenes", SOME), ("match", SOME), ("measure", SOME), ("normal", SOME)}
]


@pytest.mark.parametrize(
    ("command", "limit"), [("extract", FEW), ("extract", 5_000), ("embed", FEW), ("embed", SOME), *LONG]
)
def test_a_full_disk(
    photos: Path, tmp_path: Path, command: str, limit: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = command_line(command, photos, out)
    with no_file_larger_than(limit):
        assert run(*words) == 2
    err = capsys.readouterr().err
    last = err.rstrip().splitlines()[-1]
    assert str(out) in last and "a fault of dinoscope's own" not in err and "Traceback" not in err
    assert not [path for path in out.rglob(".dinoscope-*") if path.is_file()]
    assert run(*words) == 0, capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["extract", "measure", "compare", "look", "match", "normal", "scenes", "embed"]
)
def test_a_place_that_takes_nothing(photos: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command_line(command, photos, Path("/proc/dinoscope"))) == 2
    err = capsys.readouterr().err
    assert "/proc/dinoscope" in err and "Traceback" not in err and "a fault of" not in err
