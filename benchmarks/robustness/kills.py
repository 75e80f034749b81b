"""Does a run that is killed at random moments lose anything, or end with other numbers?

    python -m benchmarks.robustness.kills [--n 13] [--seed 0] [--only embed,anchor]

``embed``, ``measure``, ``compare`` and ``anchor`` in turn, each on a few drawn photographs, by the bundled
model: killed (SIGKILL) at a random moment of the time that a whole run takes, begun again and killed again,
up to four times in one folder; then left to end. What lies there must be what a run that was never killed
makes, byte for byte where it says no times, and nothing half-written may be left. Processes are forked from
one that has everything imported, so that the moments fall into the work. Minutes on 2 CPU cores with nothing
else running.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.robustness.keep import keep

TIMES_IN_ONE = 4
SCENES = 6
PRELOADED = (
    "torch",
    "sklearn.linear_model",
    "matplotlib.figure",
    "dinoscope.shell.embed_command",
    "dinoscope.comparison.compare",
    "dinoscope.comparison.report.report",
    "dinoscope.comparison.tables.files",
    "dinoscope.anchoring.laboratory",
    "dinoscope.anchoring.report.report",
    "dinoscope.pipeline.extract",
)
"""Lance is not among them: it may not be forked."""

LABORATORY = "--dim 16 --depth 1 --heads 2 --crops 32,16 --batch 2 --trunk-steps 6 --steps 2 --seeds 1"
LABORATORY += " --planted-steps 0 --arms continue --snapshot-every 2 --checkpoint-every 2 --measure-every 3"
LABORATORY += " --measured-scenes 8"


@dataclass(frozen=True, slots=True)
class Command:
    """What is killed.

    Attributes:
        words: with ``{photos}`` and ``{out}`` in them.
        made: digests of what must be the same, of its folder.
    """

    words: str
    made: Callable[[Path], Mapping[str, str]]


def digests(*patterns: str) -> Callable[[Path], Mapping[str, str]]:
    """Of all files that fit."""

    def made(out: Path) -> Mapping[str, str]:
        files = sorted(path for pattern in patterns for path in out.glob(pattern))
        return {str(f.relative_to(out)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

    return made


def rows(out: Path) -> Mapping[str, str]:
    """The vectors of a store's photographs, by their digests, and the sum of all patches."""
    from dinoscope.store.reading import each_row, patch_statistics, pooled_vectors
    from dinoscope.store.store import open_store

    table = open_store(out).table()
    vectors = pooled_vectors(table, "mean")
    found = {row.digest: v.tobytes().hex() for row, v in zip(each_row(table), vectors, strict=True)}
    return {**found, "patches": str(patch_statistics(table).n)}


COMMANDS = {
    "embed": Command("embed {photos} {out} --model mini --grid 6", rows),
    "measure": Command("measure {photos} --models mini,mini-gram --grid 6 -o {out}", digests("metrics.csv")),
    "compare": Command("compare {photos} --models mini,mini-gram --grid 6 -o {out}", digests("metrics.csv")),
    "anchor": Command(
        "anchor {photos} -o {out} --no-compile --resume " + LABORATORY,
        digests("**/teacher/model.safetensors", "**/snapshots/*/model.safetensors"),
    ),
}


def forked(work: Callable[[], int]) -> int:
    """The process id of a child that does it and ends, silently."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        code = work()
    finally:
        os._exit(code)


def command_line(words: Sequence[str]) -> Callable[[], int]:
    """What runs ``dinoscope WORDS``."""

    def work() -> int:
        from dinoscope import cli

        sys.argv = ["dinoscope", *words]
        try:
            cli.main()
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return work


def ended(work: Callable[[], int]) -> int:
    """The exit code of a child that was left to end."""
    return os.waitstatus_to_exitcode(os.waitpid(forked(work), 0)[1])


def killed(work: Callable[[], int], after_s: float) -> bool:
    """Whether the kill came before the end."""
    child = forked(work)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def asked(out: Path, made: Callable[[Path], Mapping[str, str]]) -> Mapping[str, str]:
    """What ``made`` finds, in a process of its own."""
    found = out.with_name(f"{out.name}.found")

    def work() -> int:
        found.write_text(json.dumps(dict(made(out))))
        return 0

    return json.loads(found.read_text()) if ended(work) == 0 else {}


def main() -> int:
    """Print what was killed and what it lost; 1 where it lost anything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--n", type=int, default=13, help="kills of each command")
    parser.add_argument("--only", default="", help="commands, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    asked_for = parser.parse_args()
    rng = np.random.default_rng(asked_for.seed)
    for name in PRELOADED:
        importlib.import_module(name)
    lost = 0
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        ended(command_line(["scenes", str(work / "drawn"), "--n", str(SCENES), "--size", "64"]))
        photos = work / "drawn" / "images"
        chosen = [name for name in asked_for.only.split(",") if name] or list(COMMANDS)
        for name, command in ((name, COMMANDS[name]) for name in chosen):
            whole = work / f"{name}-whole"
            begun = time.monotonic()
            code = ended(command_line(command.words.format(photos=photos, out=whole).split()))
            takes_s = time.monotonic() - begun
            wanted = asked(whole, command.made)
            if code or not wanted:
                print(f"{name}: the run that is not killed ended with {code}, and made {len(wanted)} files")
                return 1
            tally = {"kills": 0, "runs": 0, "lost": 0, "seconds": round(takes_s, 2)}
            while tally["kills"] < asked_for.n:
                out = work / f"{name}-killed"
                words = command_line(command.words.format(photos=photos, out=out).split())
                for _ in range(min(TIMES_IN_ONE, int(asked_for.n - tally["kills"]))):
                    tally["kills"] += killed(words, float(rng.uniform(0.0, takes_s)))
                code = ended(words)
                left = [path.name for path in out.rglob(".dinoscope-*")]
                found = asked(out, command.made)
                tally["runs"] += 1
                if code or left or found != wanted:
                    tally["lost"] += 1
                    differ = sorted(k for k in {*found, *wanted} if found.get(k) != wanted.get(k))
                    print(
                        f"  {name}: exit code {code}, left {left}, other than whole: {differ[:4]}", flush=True
                    )
                shutil.rmtree(out)
            lost += int(tally["lost"])
            print(f"{name:8} {tally}", flush=True)
            keep(f"kills-{name}", tally)
    return int(lost > 0)


if __name__ == "__main__":
    raise SystemExit(main())
