"""The commands by name, each imported when it is asked for, and what the help of all of them looks like.

The list of commands imports none of them: `dinoscope --help` costs little more than Typer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar

import typer
from typer.core import TyperCommand, TyperGroup

from dinoscope.shell.option import option
from dinoscope.shell.panels import OTHER, PANELS
from dinoscope.shell.verbosity import be_quiet, be_verbose

UsageError: Any = typer.BadParameter.__bases__[0]
"""What a wrong command line raises; Typer exports only this one kind of it by name."""

Function = TypeVar("Function", bound=Callable[..., Any])


class Listed(NamedTuple):
    """A command in the list.

    Attributes:
        where: ``module:function``.
        group: heading of the list.
        summary: one line of it, at most 62 characters.
    """

    where: str
    group: str
    summary: str


def examples(*lines: str) -> Callable[[Function], Function]:
    """Command lines to be shown below a command's options, the simplest first."""

    def marked(function: Function) -> Function:
        function.examples = lines  # type: ignore[attr-defined]
        return function

    return marked


class Command(TyperCommand):
    """A command whose options are listed by the panels they belong to, in one order everywhere."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                panel = getattr(param, "rich_help_panel", None) or (OTHER if "--help" in param.opts else "")
                panels.setdefault(panel or "Options", []).append(record)
        for panel in sorted(panels, key=_place):
            with formatter.section(panel):
                formatter.write_dl(panels[panel])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        lines: tuple[str, ...] = getattr(self.callback, "examples", ())
        if lines:
            with formatter.section("Examples"):
                formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in lines))


class Commands(TyperGroup):
    """The group of all commands; a subclass says which."""

    listed: ClassVar[Mapping[str, Listed]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Loaded(self.listed)  # type: ignore[assignment]

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.listed)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        longest = max(map(len, self.listed))
        for group in dict.fromkeys(entry.group for entry in self.listed.values()):
            rows = [(n.ljust(longest), e.summary) for n, e in self.listed.items() if e.group == group]
            with formatter.section(group):
                formatter.write_dl(rows)


class _Loaded(Mapping[str, TyperCommand]):
    """Commands made of their functions when they are asked for."""

    def __init__(self, listed: Mapping[str, Listed]) -> None:
        self._listed = listed

    def __getitem__(self, name: str) -> TyperCommand:
        module, _, function = self._listed[name].where.partition(":")
        app = _bare()
        app.command(name, cls=Command)(getattr(import_module(module), function))
        command = typer.main.get_command(app)
        assert isinstance(command, TyperCommand)  # an app with one command is that command
        command.params += _shared()
        return command

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)


def _every_command(
    *,
    quiet: Annotated[
        bool,
        option(
            "Say nothing but results, failures and errors.",
            OTHER,
            "--quiet",
            "-q",
            callback=be_quiet,
            expose_value=False,
        ),
    ] = False,
    verbose: Annotated[
        bool,
        option(
            "Say more: progress every few seconds, the time of every stage.",
            OTHER,
            "--verbose",
            "-v",
            callback=be_verbose,
            expose_value=False,
        ),
    ] = False,
) -> None:
    """What every command takes; it is read where it is needed, and handed to none."""


@cache
def _shared() -> list[Any]:
    app = _bare()
    app.command()(_every_command)
    return list(typer.main.get_command(app).params)


def _bare() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode=None)


def _place(panel: str) -> int:
    """Panels of a command's own stand where the empty one is."""
    return PANELS.index(panel if panel in PANELS else "")
