"""`dinoscope doctor` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from dinoscope.doctor import health
from dinoscope.doctor.command import doctor_command
from dinoscope.doctor.diagnosis import Finding, Health
from dinoscope.doctor.text import health_text
from dinoscope.errors import InputError


def run(*words: object) -> int:
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(doctor_command)
    return int(typer.main.get_command(app)([str(word) for word in words], standalone_mode=False) or 0)


FINE = Finding("python", "version", "ok", "3.11")
NOTE = Finding("tools", "node", "note", "not found", "only needed\nfor tests")
BAD = Finding("packages", "torch", "problem", "missing", "pip install 'torch>=2.10'")


def examined(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> list[bool]:
    asked: list[bool] = []

    def examine(*, compiled: bool = False) -> Health:
        asked.append(compiled)
        return Health(findings)

    monkeypatch.setattr(health, "examine", examine)
    return asked


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize((128, 96), Image.Resampling.BICUBIC).save(tmp_path / "p.png")
    return tmp_path / "p.png"


def test_notes_do_not_fail(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = examined(monkeypatch, FINE, NOTE)
    assert run() == 0 and run("--compiled") == 0 and asked == [False, True]
    shown = capsys.readouterr().out
    assert "  ok       version: 3.11" in shown and "-> only needed" in shown and "1 note above" in shown


def test_a_problem_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    examined(monkeypatch, FINE, BAD)
    assert run() == 1
    out, err = capsys.readouterr()
    assert "-> pip install 'torch>=2.10'" in out and "1 problem prevents use" in out
    assert err == "dinoscope cannot be used here as it is\n"


def test_json_is_one_object(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    examined(monkeypatch, FINE, BAD)
    assert run("--json") == 1
    written = json.loads(capsys.readouterr().out)
    assert written["usable"] is False
    assert written["findings"][1] == {
        "topic": "packages",
        "name": "torch",
        "state": "problem",
        "found": "missing",
        "advice": "pip install 'torch>=2.10'",
    }


def test_extras_are_one_line_unless_asked_for() -> None:
    extras = [
        Finding("extras", "[view]", "ok", "starlette"),
        Finding("extras", "[timm]", "note", "not installed (timm missing)", "pip install 'dinoscope[timm]'"),
        Finding("extras", "[heif]", "note", "not installed (x missing)", "pip install 'dinoscope[heif]'"),
    ]
    short = health_text(Health((FINE, *extras, NOTE)))
    assert "  note     optional: [view] installed; [timm], [heif] not" in short
    assert "pip install 'dinoscope[timm,heif]'" in short and short.endswith("2 notes above.")
    assert short.index("python") < short.index("extras") < short.index("tools")
    full = health_text(Health((FINE, *extras, NOTE)), full=True)
    assert "[timm]: not installed (timm missing)" in full and "optional" not in full
    assert "  ok       optional: [view] installed\n" in health_text(Health((FINE, extras[0])))


def test_what_was_not_looked_at_is_never_ok() -> None:
    text = health_text(Health((FINE, Finding("numbers", "compiled", "unknown", "not checked", "ask"))))
    assert "  unknown  compiled: not checked" in text and "1 not checked." in text
    from dinoscope.doctor.numbers import number_findings

    (compiled,) = (f for f in number_findings() if f.name == "compiled")
    assert compiled.state == "unknown" and Health((compiled,)).usable


def test_commands_stay_on_one_line() -> None:
    command = "pip install " + "x" * 120
    text = health_text(Health((Finding("a", "b", "note", "word " * 40, command),)))
    assert any(line.strip().endswith("x" * 120) for line in text.splitlines())
    assert all(len(line) <= 100 for line in text.splitlines() if "x" * 120 not in line)


def test_explain(photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--explain", "pixels?grid=6", "pixels?grid=6&channels=bgr", photo) == 0
    shown = capsys.readouterr().out
    assert "verdict: the closest explanation: NEW was made with channels=bgr" in shown
    assert run("--explain", "pixels?grid=6", "pixels?grid=6", photo, "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["outcome"] == "same" and err == ""


def test_explain_of_what_is_not_there(photo: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        run("--explain", "pixels", "pixels", tmp_path / "none.png")
    with pytest.raises(InputError, match="no setting 'colour'"):
        run("--explain", "pixels", "pixels?colour=red", photo)
