"""The commands by name, each imported when it is asked for, and what the help of all of them looks like.

The list of commands imports none of them: `dinoscope --help` costs little more than Typer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, TypeVar, get_args

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


def listed(groups: Mapping[str, Mapping[str, tuple[str, str]]]) -> dict[str, Listed]:
    """The list of groups of commands, each command with its module and its summary, by its name.

    Its function is called ``NAME_command``.
    """
    return {
        name: Listed(f"dinoscope.{module}:{name}_command", group, summary)
        for group, commands in groups.items()
        for name, (module, summary) in commands.items()
    }


def examples(*lines: str) -> Callable[[Function], Function]:
    """Command lines to be shown below a command's options, the simplest first."""

    def marked(function: Function) -> Function:
        function.examples = lines  # type: ignore[attr-defined]
        return function

    return marked


def apart(option: str, *, only: Collection[str], never: Collection[str]) -> Callable[[Function], Function]:
    """Parameters that would go unheard with an option, or without it: the command refuses them.

    Args:
        option: name of its parameter; it counts as given where it stands on the command line.
        only: parameters that mean something with it alone.
        never: parameters that mean nothing with it.
    """

    def marked(function: Function) -> Function:
        function.apart = (option, frozenset(only), frozenset(never))  # type: ignore[attr-defined]
        return function

    return marked


def alone(option: str, value: str) -> Callable[[Function], Function]:
    """An option whose value may be left out where another option or nothing follows it, and that value."""

    def marked(function: Function) -> Function:
        function.alone = {option: value}  # type: ignore[attr-defined]
        return function

    return marked


def _with_values(args: Sequence[str], alone: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for word, following in pairwise([*args, "-"]):
        found.append(word)
        if word in alone and following.startswith("-"):
            found.append(alone[word])
    return found


class Command(TyperCommand):
    """A command whose options are listed by the panels they belong to, in one order everywhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _refuse_empty_places(self.get_params(ctx), args)
        rest = list(super().parse_args(ctx, _with_values(args, getattr(self.callback, "alone", {}))))
        _refuse_unheard(ctx, self.get_params(ctx), getattr(self.callback, "apart", None))
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                panel = getattr(param, "rich_help_panel", None) or (OTHER if "--help" in param.opts else "")
                panels.setdefault(panel or "Options", []).append(record)
        # Panels of a command's own stand where the empty one is.
        for panel in sorted(panels, key=lambda panel: PANELS.index(panel if panel in PANELS else "")):
            with formatter.section(panel):
                formatter.write_dl(panels[panel])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        lines: tuple[str, ...] = getattr(self.callback, "examples", ())
        if lines:
            with formatter.section("Examples"):
                formatter.write("".join(f"{'':{formatter.current_indent}}{line}\n" for line in lines))


def _refuse_empty_places(params: Sequence[Any], args: Sequence[str]) -> None:
    """An empty word in the place of a path would mean the folder one is in: most often an unset variable.

    Raises:
        BadParameter: one of the words is such a place.
    """
    named = {name: param for param in params for name in param.opts if name.startswith("-")}
    for before, word in zip(["", *args], args, strict=False):
        name, is_joined, value = word.partition("=")
        if word and (value or not is_joined):
            continue
        param = named.get(name if word else before)
        if word and param is None:
            continue
        is_alone = param is None or param.is_flag
        if is_alone or _is_place(param):
            hint = "an argument" if is_alone else (name if word else before)
            raise typer.BadParameter("it is empty; the folder you are in is .", param_hint=hint)


def _refuse_unheard(
    ctx: Any, params: Sequence[Any], apart: tuple[str, frozenset[str], frozenset[str]] | None
) -> None:
    """Nothing that was asked for is left undone without a word.

    Raises:
        BadParameter: a parameter that changes nothing beside the others.
    """
    if apart is None:
        return
    option, only, never = apart
    sources = {param.name: ctx.get_parameter_source(param.name) for param in params}
    given = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    names = {param.name: param.opts[-1] for param in params}
    for name in sorted(given & (never if option in given else only)):
        how = "with" if option in given else "without"
        raise typer.BadParameter(f"it does not go {how} {names[option]}", param_hint=names[name])


def _is_place(param: Any) -> bool:
    kind = param.type_descriptor.annotation
    return Path in (kind, *get_args(kind))


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


def _heard(said: str, *names: str, callback: Callable[[bool], None]) -> Any:
    return option(said, OTHER, *names, callback=callback, expose_value=False)


def _every_command(
    *,
    quiet: Annotated[
        bool, _heard("Say nothing but results, failures and errors.", "--quiet", "-q", callback=be_quiet)
    ] = False,
    verbose: Annotated[
        bool,
        _heard(
            "Say more: progress every few seconds, the time of every stage.",
            "--verbose",
            "-v",
            callback=be_verbose,
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
