"""One target of the fuzzing, guided by the coverage of our own code; `benchmarks.fuzz --guided` calls it.

    python -m benchmarks.fuzz_guided TARGET N STATE

Needs ``pip install atheris``. The inputs that reached something new stay in STATE/corpus-TARGET, and the next
run begins with them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dinoscope.io", "dinoscope.names", "dinoscope.data.grid"]):
    from benchmarks.fuzz import State, Tally, tried
    from benchmarks.fuzz_targets import targets


def main() -> None:
    """Try one target N times more, and end the process: libFuzzer does not return."""
    name, n, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    target, state = targets()[name], State(folder)
    tally = state.tallies.setdefault(name, Tally())
    last = tally.tried + n
    corpus = folder / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(target.seeds):
        (corpus / f"seed-{i}").write_bytes(seed)
    path = Path(tempfile.mkdtemp()) / f"at{target.suffix}"
    keep = state.keep(name)
    warnings.simplefilter("ignore")

    def once(data: bytes) -> None:
        tried(target, data, path, tally, keep)
        tally.guided += 1
        if tally.tried >= last:
            state.write()
            path.unlink(missing_ok=True)
            path.parent.rmdir()
            os._exit(0)

    atheris.Setup([sys.argv[0], str(corpus), "-max_len=4096", "-timeout=60"], once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
