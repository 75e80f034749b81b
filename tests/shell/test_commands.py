"""The face of every command: its help, its options, its choices, its examples."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import typer

from dinoscope import cli
from dinoscope.backbones import load
from dinoscope.backbones.facets import FACETS
from dinoscope.comparison.closer.repaired import REPAIRS
from dinoscope.comparison.maps import COLOURS, FOREGROUNDS
from dinoscope.comparison.recipe.recipes import RECIPES
from dinoscope.data.annotation import KINDS
from dinoscope.io import features
from dinoscope.io.layouts import LAYOUTS
from dinoscope.io.resize import Resize
from dinoscope.pipeline.run import DECODES
from dinoscope.shell import choices, terminal
from dinoscope.shell.panels import PANELS
from dinoscope.store.built_index import KINDS as INDEX_KINDS
from dinoscope.store.schema import POOLED
from tests.command_line import run

GROUP: Any = typer.main.get_command(cli.app)
NAMES = sorted(cli.COMMANDS)
WIDTH = 80


def command(name: str) -> Any:
    return GROUP.get_command(None, name)


@pytest.mark.parametrize("name", NAMES)
def test_help_fits_a_terminal_and_is_in_panels(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(name, "-h") == 0
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= WIDTH
    headings = re.findall(r"^(\S.*):$", shown, re.M)
    ours = [heading for heading in headings if heading in PANELS]
    assert ours == [panel for panel in PANELS if panel in ours] and ours[-1] == "Other"
    assert headings[-1] == "Examples" and len(set(headings)) == len(headings)
    for option in ("-q, --quiet", "-v, --verbose", "-h, --help"):
        assert option in shown


def test_the_list_has_a_whole_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= WIDTH
    for name, entry in cli.COMMANDS.items():
        assert f"  {name:<8}  {entry.summary}" in lines
        assert len(entry.summary) <= 62 and entry.summary.endswith(".")


def test_without_words_the_list_is_shown_and_it_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 2
    assert "compare" in capsys.readouterr().out


@pytest.mark.parametrize("name", NAMES)
def test_examples_are_command_lines_that_can_be_read(name: str) -> None:
    lines = command(name).callback.examples
    assert len(lines) >= 2
    for line in lines:
        program, called, *words = shlex.split(line)
        assert (program, called) == ("dinoscope", name)
        command(name).make_context(name, words).close()


@pytest.mark.parametrize(
    ("more", "dense"),
    [
        (["--model", "mini", "--dense"], "float16"),
        (["--dense", "--model", "mini"], "float16"),
        (["--dense", "rank:4", "--model", "mini"], "rank:4"),
        (["--model", "mini"], None),
    ],
)
def test_maps_are_kept_whole_where_no_coding_is_said(more: list[str], dense: str | None) -> None:
    context = command("embed").make_context("embed", ["photos", "store", *more])
    assert context.params["dense"] == dense
    context.close()
    command("models").make_context("models", []).close()  # no words at all


def test_options_of_several_commands_mean_one_thing_and_keep_one_order() -> None:
    orders = {}
    for name in NAMES:
        params = [p for p in command(name).params if p.param_type_name == "option" and not p.hidden]
        orders[name] = [max(p.opts, key=len) for p in params]
    for one in NAMES:
        for other in NAMES:
            shared = [o for o in orders[one] if o in orders[other]]
            assert shared == [o for o in orders[other] if o in orders[one]], (one, other)
    meant: dict[str, set[str]] = {}
    for name in NAMES:
        for param in command(name).params:
            for option in set(param.opts) & {"--seed", "--components", "--json", "--at", "--table"}:
                if not param.hidden:
                    meant.setdefault(option, set()).add(param.help)
    assert {option: len(helps) for option, helps in meant.items()} == dict.fromkeys(meant, 1)


@pytest.mark.parametrize("name", NAMES)
def test_what_writes_is_short_and_what_answers_is_an_object(name: str) -> None:
    options = {option for param in command(name).params for option in param.opts}
    assert ("--out" in options) == ("-o" in options)
    assert "--json" in options or name == "view"


def test_choices_are_those_of_the_library() -> None:
    from dinoscope.exports.command import export_command  # noqa: F401 (that it can be imported)

    assert get_args(choices.ResizeFilter) == get_args(Resize)
    assert get_args(choices.Decode) == DECODES
    assert get_args(choices.Facet) == FACETS
    assert get_args(choices.Repair) == REPAIRS
    assert get_args(choices.MaskKind) == KINDS
    assert get_args(choices.Layout) == tuple(LAYOUTS)
    assert get_args(choices.Recipe) == tuple(RECIPES)
    assert get_args(choices.Foreground) == FOREGROUNDS
    assert get_args(choices.Colours) == COLOURS
    assert set(get_args(choices.Pooling)) == set(POOLED)
    assert get_args(choices.IndexKind) == INDEX_KINDS
    assert get_args(choices.FeatureFormat) == get_args(features.Format)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["compare", "--no-such-option"], "No such option"),
        (["compare", "a.jpg", "--resize", "nearest"], "'nearest' is not one of 'bilinear'"),
        (["compare"], "Missing argument"),
        (["extract", "a.jpg", "-o", "out"], "Missing option '--model'"),
        (["kompare"], "Did you mean 'compare'"),
        (["compare", "a.jpg", "--grid", "eight"], "--grid"),
    ],
)
def test_a_wrong_command_line_is_one_line(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert err.startswith("dinoscope: ") and said in err and "-h" in err


@pytest.mark.parametrize(
    "words",
    [
        ("compare", "{file}", "--models", "mini", "--masks", "{gone}"),
        ("compare", "{file}", "--models", "mini", "-o", "{file}"),
        ("measure", "{file}", "--models", "mini", "-o", "{file}/below"),
        ("extract", "{file}", "--model", "mini", "-o", "{file}"),
        ("look", "{gone}", "--models", "mini"),
        ("match", "{file}", "{gone}", "--models", "mini"),
        ("certify", "mini", "{gone}", "{file}"),
        ("export", "mini", "-o", "{file}/model.onnx"),
    ],
)
def test_paths_are_checked_before_weights_load(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> object:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(terminal, "load_backbone", fail)
    monkeypatch.setattr(load, "load_backbone", fail)
    (tmp_path / "a.png").write_bytes(b"no photograph")
    named = [word.format(file=tmp_path / "a.png", gone=tmp_path / "gone.png") for word in words]
    assert run(*named) == 2
    assert "a.png" in (said := capsys.readouterr().err) or "gone.png" in said


def test_a_shell_completes_commands_choices_and_models() -> None:
    def completed(*words: str) -> list[str]:
        asked = {"_DINOSCOPE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["dinoscope", *words])}
        code = "import sys; sys.argv[0] = 'dinoscope'; from dinoscope.cli import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **asked, "COMP_CWORD": str(len(words))},
            capture_output=True,
            text=True,
        )
        return done.stdout.split()

    assert completed("compa") == ["compare"]
    assert completed("compare", "--resize", "bi") == ["bilinear", "bicubic"]
    assert completed("compare", "--models", "mini,dinov3-vits") == [
        "mini,dinov3-vits16",
        "mini,dinov3-vits16plus",
    ]


def test_quiet_says_nothing_but_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("scenes", tmp_path / "scenes", "--n", 2, "--size", 32, "-v") == 0
    assert "scenes: " in capsys.readouterr().err
    photos = tmp_path / "scenes" / "images"
    words = ["extract", photos, "--model", "pixels", "--grid", 4, "-o", tmp_path / "o"]
    assert run(*words, "-v") == 0
    assert "photographs: " in capsys.readouterr().err
    (photos / "bad.png").write_bytes(b"x")
    assert run(*words, "-q") == 1
    err = capsys.readouterr().err
    assert "bad.png" in err and "photographs: " not in err


def test_a_second_model_does_not_replace_the_features_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("scenes", tmp_path / "scenes", "--n", 1, "--size", 32, "-q") == 0
    words = ["extract", tmp_path / "scenes" / "images", "--grid", 4, "-o", tmp_path / "o"]
    assert run(*words, "--model", "pixels") == 0
    (file,) = (tmp_path / "o").glob("*.safetensors")
    before = file.read_bytes()
    assert run(*words, "--model", "random:mini") == 2
    assert "holds features of pixels" in capsys.readouterr().err.replace("\n", " ")
    assert file.read_bytes() == before
    assert run(*words, "--model", "pixels") == 0


def test_no_text_sends_anybody_to_a_command_that_is_not_there() -> None:
    root = Path(cli.__file__).parents[2]
    texts = [p for kind in ("*.py", "*.html", "*.mjs") for p in (root / "src").rglob(kind)]
    texts += [root / "README.md", *(root / "docs").rglob("*.md")]
    named = {
        (word, path.name)
        for path in texts
        for word in re.findall(r"`(?:\.venv/bin/)?dinoscope ([a-z]+)\b", path.read_text(encoding="utf-8"))
    }
    assert {word for word, _ in named} >= {"compare", "embed"}
    assert {(word, where) for word, where in named if word not in cli.COMMANDS} == set()
