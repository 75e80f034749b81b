"""The command line; everything heavy is imported when a command runs.

Exit codes: 0 done, 1 some inputs failed (they are listed, the rest is done), 2 usage, 3 weights not
available, 4 store damaged, 70 a fault of dinoscope's own, 130 interrupted.
"""

from __future__ import annotations

import io
import sys
import traceback
from contextvars import copy_context
from typing import Annotated

import typer

from dinoscope import __version__
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
from dinoscope.names import IN_A_STREAM
from dinoscope.shell.commands import Commands, Listed, UsageError
from dinoscope.shell.interrupts import INTERRUPTED, answer_interrupts

SOME_FAILED, USAGE, NO_WEIGHTS, STORE_DAMAGED, OUR_FAULT = 1, 2, 3, 4, 70

LOOK, SEARCH, PREPARE, HERE = "Compare and look", "Search a collection", "Make and check", "What is here"
COMMANDS = {
    "compare": Listed(
        "dinoscope.comparison.compare_command:compare_command",
        LOOK,
        "Compare models on photographs: a report and its numbers.",
    ),
    "measure": Listed(
        "dinoscope.comparison.measure_command:measure_command",
        LOOK,
        "Measure models on photographs: numbers without pictures.",
    ),
    "view": Listed(
        "dinoscope.view.command:view_command",
        LOOK,
        "Open a live page of photographs, or of a store.",
    ),
    "look": Listed(
        "dinoscope.looking.command:look_command",
        LOOK,
        "Look at one photograph in every way.",
    ),
    "choose": Listed(
        "dinoscope.choice.command:choose_command",
        LOOK,
        "Choose a backbone, layer, grid and facet by masks.",
    ),
    "match": Listed(
        "dinoscope.matching.command:match_command",
        LOOK,
        "Find the places of one photograph in another.",
    ),
    "normal": Listed(
        "dinoscope.normality.command:normal_command",
        LOOK,
        "Find what is not like normal photographs.",
    ),
    "embed": Listed(
        "dinoscope.shell.embed_command:embed_command",
        SEARCH,
        "Fill a store with the vectors of a collection.",
    ),
    "search": Listed(
        "dinoscope.retrieval.command:search_command",
        SEARCH,
        "Find the photographs of a store that are like this one.",
    ),
    "evaluate": Listed(
        "dinoscope.evaluation.command:evaluate_command",
        SEARCH,
        "Score the searches of a store by labels.",
    ),
    "index": Listed(
        "dinoscope.shell.index_command:index_command",
        SEARCH,
        "Build the approximate index of a large store.",
    ),
    "extract": Listed(
        "dinoscope.shell.extract_command:extract_command",
        PREPARE,
        "Write the patch features of photographs as files.",
    ),
    "scenes": Listed(
        "dinoscope.shell.scenes_command:scenes_command",
        PREPARE,
        "Draw procedural photographs with exact masks.",
    ),
    "anchor": Listed(
        "dinoscope.anchoring.command:anchor_command",
        PREPARE,
        "Train a small ViT with and without the Gram anchor.",
    ),
    "watch": Listed(
        "dinoscope.monitoring.command:watch_command",
        PREPARE,
        "Write the page of a training that is monitored.",
    ),
    "track": Listed(
        "dinoscope.monitoring.command:track_command",
        PREPARE,
        "Look at dense features over a series of checkpoints.",
    ),
    "export": Listed(
        "dinoscope.exports.command:export_command",
        PREPARE,
        "Write a DINO ViT as ONNX, and certify it.",
    ),
    "certify": Listed(
        "dinoscope.exports.command:certify_command",
        PREPARE,
        "Say whether an export gives the features of its model.",
    ),
    "models": Listed(
        "dinoscope.shell.models_command:models_command",
        HERE,
        "List the models: size, licence, gate, cached or not.",
    ),
    "doctor": Listed(
        "dinoscope.doctor.command:doctor_command",
        HERE,
        "Say what works here, what is damaged, why features differ.",
    ),
}


class _Dinoscope(Commands):
    listed = COMMANDS


app = typer.Typer(
    cls=_Dinoscope,
    help="Compare how vision backbones organise a photograph: dense features, side by side, on fair terms.",
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback(invoke_without_command=True)
def options(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the full traceback of an error.")] = False,
) -> None:
    """Options of every command; `main` reads --debug off the command line."""
    if version:
        print(f"dinoscope {__version__}")


def main() -> None:
    """Run the command line; errors become one line and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=IN_A_STREAM)
    answer_interrupts()
    debug = "--debug" in sys.argv[1:]
    words = [word for word in sys.argv[1:] if word != "--debug"]
    sys.argv[1:] = words or ["--help"]
    try:
        # in a context of its own: what a command sets for itself is gone with it
        code = copy_context().run(app, standalone_mode=False) or (0 if words else USAGE)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException as error:  # noqa: BLE001 (whatever else there is, a panic of Lance's Rust included)
        if debug:
            traceback.print_exc()
        print(f"dinoscope: {_words(error)}", file=sys.stderr)
        code = _exit_code(error)
    if code == INTERRUPTED:
        print("dinoscope: interrupted; nothing half-written is left", file=sys.stderr)
    if code:
        sys.exit(code)


def _words(error: BaseException) -> str:
    if isinstance(error, UsageError):
        said = " ".join(error.format_message().replace("Value error, ", "").split())  # Typer's own prefix
        return f"{told(said)} (-h shows what there is)"
    if isinstance(error, DinoscopeError | OSError):
        return "\n".join(told(line) for line in str(error).splitlines())
    said = told(f"{type(error).__name__}: {error}")[:LONGEST]
    return (
        f"a fault of dinoscope's own, not of yours ({said}); please report it, with what --debug shows and "
        "the command"
    )


def _exit_code(error: BaseException) -> int:
    if isinstance(error, OSError | UsageError):  # a disk that is full, a folder that may not be written to
        return USAGE
    if not isinstance(error, DinoscopeError):
        return OUR_FAULT
    if isinstance(error, NoUsablePhotographError):
        return SOME_FAILED
    if isinstance(error, WeightsError):
        return NO_WEIGHTS
    damaged = isinstance(error, StoreError) and not isinstance(error, MissingFeaturesError | StoreInUseError)
    return STORE_DAMAGED if damaged else USAGE
