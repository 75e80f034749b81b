"""The code blocks of README and docs: found in the text, and run in order in a folder of one page."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
DIRECTIVES = {"{toctree}", "{eval-rst}", "{include}"}
"""MyST directives that show no code."""

SHELLS = {"", "bash", "console", "sh"}
PROGRAM = re.compile(r"(?:\S*/)?(dinoscope|python3?|pip|git|hf|chmod|cd|export) ")
_SEEN = re.compile(r"\s+")


@dataclass(frozen=True)
class Block:
    """One block of code.

    Attributes:
        page: its path in the repository.
        line: of its first line in the page, from 1.
        kind: ``python``, ``shell``, ``output`` (of the block before it), or ``other``.
        text: without the fence.
    """

    page: str
    line: int
    kind: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "")


def pages() -> list[str]:
    """README and every page of the site."""
    docs = (path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts)
    return ["README.md", "CONTRIBUTING.md", *sorted(path.relative_to(ROOT).as_posix() for path in docs)]


def blocks(page: str) -> list[Block]:
    """The blocks of one page, fenced and indented, in order."""
    found = []
    for token in MarkdownIt("commonmark").parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type not in ("fence", "code_block") or token.map is None:
            continue
        info = token.info.strip() if token.type == "fence" else ""
        if info.split(" ")[0] in DIRECTIVES:
            continue
        line = token.map[0] + (2 if token.type == "fence" else 1)
        found.append(Block(page, line, _kind(info, token.content), token.content))
    return found


def commands(block: Block) -> list[tuple[str, list[str]]]:
    """The commands of a shell block, each with its words; continued lines are one, prompts are taken off."""
    joined = re.sub(r"\s*\\\n\s*", " ", block.text)
    lines = [line.removeprefix("$ ").strip() for line in joined.splitlines()]
    return [(line, words) for line in lines if (words := shlex.split(line, comments=True))]


def is_ours(words: list[str]) -> bool:
    """Whether these are words for our own command line."""
    return Path(without_settings(words)[1][0]).name == "dinoscope"


def without_settings(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Settings of the environment before a command, and the command."""
    settings = {}
    while re.fullmatch(r"[A-Z_]+=\S*", words[0]):
        name, _, settings[name] = words[0].partition("=")
        words = words[1:]
    return settings, words


class Page:
    """Runs the blocks of one page, one after the other, with the names that earlier ones left.

    Args:
        given: names that the page takes for granted.
        smaller: by command, options that are added to make it quick; "NAME --recipe" where it has one.
    """

    def __init__(self, given: Mapping[str, Any], smaller: Mapping[str, str]) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", **given}
        self.smaller = smaller
        self.printed = ""

    def python(self, block: Block) -> None:
        """Run it as part of a script; errors point into the page."""
        code = compile("\n" * (block.line - 1) + block.text, str(ROOT / block.page), "exec")
        with printed() as (out, _):
            exec(code, self.names)
        self.printed = out.getvalue()

    def command(self, words: list[str], monkeypatch: Any) -> None:
        """Run one command line of ours in this process."""
        from dinoscope.cli import main

        settings, (_, *options) = without_settings(words)
        command = f"{options[0]} --recipe" if "--recipe" in options else options[0]
        options += shlex.split(self.smaller.get(command, ""))
        with monkeypatch.context() as for_now, printed() as (out, err):
            if settings.pop("HF_HUB_OFFLINE", "") == "1":
                for_now.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
            assert not settings, f"no meaning is given here to {settings}"
            for_now.setattr(sys, "argv", ["dinoscope", *options])
            code = exit_code(main)
        assert not code, f"{' '.join(words)} ended with {code}:\n{err.getvalue()}"
        self.printed = out.getvalue()

    def output(self, block: Block) -> None:
        """It must appear in what was printed last; ``...`` stands for anything."""
        want, got = (_SEEN.sub(" ", text).strip() for text in (block.text, self.printed))
        same = doctest.OutputChecker().check_output(f"... {want} ...\n", f"| {got} |\n", doctest.ELLIPSIS)
        assert same, f"{block.place} does not show what is printed:\n{textwrap.indent(self.printed, '  ')}"


def exit_code(main: Callable[[], None]) -> int | str | None:
    """What a command line ends with; nothing where it returns."""
    try:
        main()
    except SystemExit as end:
        return end.code
    return None


@contextlib.contextmanager
def printed() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """What goes to stdout and to stderr meanwhile."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def _kind(info: str, text: str) -> str:
    if info == "python":
        return "python"
    if info == "text":
        return "output"
    first = text.lstrip().removeprefix("$ ")
    if info in SHELLS and (info or PROGRAM.match(first)):
        return "shell"
    return "other"
