"""The command line; everything heavy is imported when a command runs.

Exit codes: 0 done, 1 some inputs failed (they are listed, the rest is done), 2 usage, 3 weights not
available, 4 store damaged, 70 a fault of dinoscope's own, 130 interrupted.
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Annotated

import typer

from dinoscope import __version__
from dinoscope.anchoring.command import anchor_command
from dinoscope.choice.command import choose_command
from dinoscope.comparison.compare_command import compare_command
from dinoscope.comparison.measure_command import measure_command
from dinoscope.doctor.command import doctor_command
from dinoscope.errors import (
    LONGEST,
    DinoscopeError,
    MissingFeaturesError,
    NoUsablePhotographError,
    StoreError,
    StoreInUseError,
    WeightsError,
    told,
)
from dinoscope.evaluation.command import evaluate_command
from dinoscope.exports.command import certify_command, export_command
from dinoscope.io.pixel_range import FULL, reading_range
from dinoscope.looking.command import look_command
from dinoscope.matching.command import match_command
from dinoscope.monitoring.command import track_command, watch_command
from dinoscope.names import IN_A_STREAM
from dinoscope.normality.command import normal_command
from dinoscope.retrieval.command import search_command
from dinoscope.shell.embed_command import embed_command
from dinoscope.shell.extract_command import extract_command
from dinoscope.shell.index_command import index_command
from dinoscope.shell.interrupts import INTERRUPTED, answer_interrupts
from dinoscope.shell.models_command import models_command
from dinoscope.shell.scenes_command import scenes_command
from dinoscope.view.command import view_command

SOME_FAILED, USAGE, NO_WEIGHTS, STORE_DAMAGED, OUR_FAULT = 1, 2, 3, 4, 70
app = typer.Typer(
    help="Compare how vision backbones organise a photograph: dense features, side by side, on fair terms.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def options(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option(help="Show the full traceback of an error.")] = False,
) -> None:
    """Options of every command; `main` reads --debug off the command line."""
    if version:
        print(f"dinoscope {__version__}")
        raise typer.Exit


app.command("compare")(compare_command)
app.command("measure")(measure_command)
app.command("embed")(embed_command)
app.command("index")(index_command)
app.command("search")(search_command)
app.command("evaluate")(evaluate_command)
app.command("look")(look_command)
app.command("choose")(choose_command)
app.command("match")(match_command)
app.command("normal")(normal_command)
app.command("scenes")(scenes_command)
app.command("extract")(extract_command)
app.command("view")(view_command)
app.command("anchor")(anchor_command)
app.command("certify")(certify_command)
app.command("export")(export_command)
app.command("watch")(watch_command)
app.command("track")(track_command)
app.command("doctor")(doctor_command)
app.command("models")(models_command)


def main() -> None:
    """Run the command line; errors become one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=IN_A_STREAM)
    answer_interrupts()
    debug = "--debug" in sys.argv[1:]
    sys.argv[1:] = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        with reading_range(FULL):  # a command's own is gone with it
            app()
    except SystemExit as end:  # Typer makes this of Ctrl-C, without a word
        if end.code == INTERRUPTED:
            print("dinoscope: interrupted; nothing half-written is left", file=sys.stderr)
        raise
    except KeyboardInterrupt:
        print("dinoscope: interrupted; nothing half-written is left", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except BaseException as error:  # noqa: BLE001 (whatever else there is, a panic of Lance's Rust included)
        if debug:
            traceback.print_exc()
        print(f"dinoscope: {_words(error)}", file=sys.stderr)
        sys.exit(_exit_code(error))


def _words(error: BaseException) -> str:
    if isinstance(error, DinoscopeError | OSError):
        return "\n".join(told(line) for line in str(error).splitlines())
    said = told(f"{type(error).__name__}: {error}")[:LONGEST]
    return (
        f"a fault of dinoscope's own, not of yours ({said}); please report it, with what --debug shows and "
        "the command"
    )


def _exit_code(error: BaseException) -> int:
    if isinstance(error, OSError):  # a disk that is full, a folder that may not be written to
        return USAGE
    if not isinstance(error, DinoscopeError):
        return OUR_FAULT
    if isinstance(error, NoUsablePhotographError):
        return SOME_FAILED
    if isinstance(error, WeightsError):
        return NO_WEIGHTS
    damaged = isinstance(error, StoreError) and not isinstance(error, MissingFeaturesError | StoreInUseError)
    return STORE_DAMAGED if damaged else USAGE
