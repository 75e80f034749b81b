"""The command line; everything heavy is imported when a command runs.

Exit codes: 0 done, 1 some inputs failed (they are listed, the rest is done), 2 usage, 3 weights not
available, 4 store damaged, 70 a fault of dinoscope's own, 130 interrupted, 141 nobody reads what it prints.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
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
from dinoscope.shell.commands import Commands, UsageError, listed
from dinoscope.shell.interrupts import INTERRUPTED, answer_interrupts

SOME_FAILED, USAGE, NO_WEIGHTS, STORE_DAMAGED, OUR_FAULT, UNREAD = 1, 2, 3, 4, 70, 141

LOOK = {
    "compare": ("comparison.compare_command", "Compare models on photographs: a report and its numbers."),
    "combine": ("comparison.recipe.command", "Combine several people's comparisons on the same terms."),
    "measure": ("comparison.measure_command", "Measure models on photographs: numbers without pictures."),
    "view": ("view.command", "Open a live page of photographs, or of a store."),
    "look": ("looking.command", "Look at one photograph in every way."),
    "choose": ("choice.command", "Choose a backbone, layer, grid and facet by masks."),
    "match": ("matching.command", "Find the places of one photograph in another."),
    "normal": ("normality.command", "Find what is not like normal photographs."),
}
SEARCH = {
    "embed": ("shell.embed_command", "Fill a store with the vectors of a collection."),
    "search": ("retrieval.command", "Find the photographs of a store that are like this one."),
    "evaluate": ("evaluation.command", "Score the searches of a store by labels."),
    "index": ("shell.index_command", "Build the approximate index of a large store."),
    "compress": ("compression.command", "Make the vectors of a store smaller, with a stated loss."),
}
PREPARE = {
    "extract": ("shell.extract_command", "Write the patch features of photographs as files."),
    "scenes": ("shell.scenes_command", "Draw procedural photographs with exact masks."),
    "anchor": ("anchoring.command", "Train a small ViT with the Gram anchor, or refine a model."),
    "watch": ("monitoring.command", "Write the page of a training that is monitored."),
    "track": ("monitoring.command", "Look at dense features over a series of checkpoints."),
    "export": ("exports.command", "Write a DINO ViT as ONNX or OpenVINO, and certify it."),
    "certify": ("exports.command", "Say whether an export gives the features of its model."),
}
HERE = {
    "models": ("shell.models_command", "List the models: size, licence, gate, cached or not."),
    "doctor": ("doctor.command", "Say what works here, what is damaged, why features differ."),
}
COMMANDS = listed(
    {"Compare and look": LOOK, "Search a collection": SEARCH, "Make and check": PREPARE, "What is here": HERE}
)


ELSEWHERE = {
    "refine": "`dinoscope anchor --from MODEL PHOTOS --out DIR` refines a model",
    "segment": "masks by clicks are in the menu of `dinoscope view`, and `ds.segment` in Python",
    "attention": "`dinoscope look` shows it, and the menu of `dinoscope view`",
}
"""What people look for as a command, and where it is."""


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
    warnings.filterwarnings("ignore", module=r"PIL\.")  # what matters of a file is said by its own line
    debug = "--debug" in sys.argv[1:]
    words = [word for word in sys.argv[1:] if word != "--debug"]
    sys.argv[1:] = words or ["--help"]
    try:
        # in a context of its own: what a command sets for itself is gone with it
        code = copy_context().run(app, standalone_mode=False) or (0 if words else USAGE)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # as after `| head`; Typer's own context exits so
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        code = UNREAD
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
        asked = said.removeprefix("No such command ").strip("'.")
        if asked in ELSEWHERE:
            return f"no command is called {asked}: {ELSEWHERE[asked]}"
        missed = said.startswith(("Missing option '--models'", "Missing option '--model'"))
        try_it = "; to try it, mini and mini-gram are bundled toys; `dinoscope models` lists every name"
        return f"{told(said).rstrip('.') + try_it if missed else told(said)} (-h shows what there is)"
    if isinstance(error, DinoscopeError | OSError):
        return "\n".join(told(line) for line in str(error).splitlines())
    said = told(f"{type(error).__name__}: {error}")[:LONGEST]
    if _lacks_memory(error):
        return (
            f"there is not enough memory for this ({said}): free some, or ask for less: fewer or smaller "
            "photographs, a smaller grid or model"
        )
    return (
        f"a fault of dinoscope's own, not of yours ({said}); please report it, with what --debug shows and "
        "the command"
    )


def _exit_code(error: BaseException) -> int:
    if isinstance(error, OSError | UsageError):  # a disk that is full, a folder that may not be written to
        return USAGE
    if _lacks_memory(error):
        return USAGE
    if not isinstance(error, DinoscopeError):
        return OUR_FAULT
    if isinstance(error, NoUsablePhotographError):
        return SOME_FAILED
    if isinstance(error, WeightsError):
        return NO_WEIGHTS
    damaged = isinstance(error, StoreError) and not isinstance(error, MissingFeaturesError | StoreInUseError)
    return STORE_DAMAGED if damaged else USAGE


def _lacks_memory(error: BaseException) -> bool:
    if "torch" not in sys.modules:
        return isinstance(error, MemoryError)
    from dinoscope.backbones.memory import out_of_memory

    return out_of_memory(error)
