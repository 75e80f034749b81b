"""Do damaged inputs of every kind end in our own error? Seeded mutations of small inputs, for every reader.

    python -m benchmarks.fuzz [--until 1000000] [--state fuzz-state] [--only tiff,npz] [--guided N]

Goes on where it was stopped: how often each target was tried stands in the state's folder, with the first
input of every finding. Ends with 1 where there are findings. ``--guided N`` instead tries each reader written
in Python N times more, guided by its coverage, with `atheris` (``pip install atheris``). ``--keep`` puts the
figures where ``python -m benchmarks.robustness`` makes the page of them. A million executions take some ten
minutes of one core, the decoders a fifth of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.fuzz_targets import Target, targets
from dinoscope.errors import DinoscopeError
from dinoscope.io.tiff import BrokenTiffError

SLOW_S = 5.0
"""Processor time of this thread: other work on the machine does not count."""

ROUND = 20_000
"""Executions over all targets until the state is written again."""


@dataclass(slots=True)
class Tally:
    """What came of the inputs of one reader."""

    tried: int = 0
    guided: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    findings: dict[str, int] = field(default_factory=dict)


def mutated(seed: bytes, rng: np.random.Generator) -> bytes:
    """Bits flipped, bytes set, numbers made large, parts cut, doubled, swapped, zeroed: one to six times."""
    data = bytearray(seed)
    for _ in range(int(rng.integers(1, 7))):
        if not data:
            break
        place, length = int(rng.integers(len(data))), int(rng.integers(1, 33))
        how = int(rng.integers(8))
        if how == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif how == 1:
            data[place] = int(rng.integers(256))
        elif how == 2:
            large = rng.choice([0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31, 2**32 - 1])
            data[place : place + 4] = int(large).to_bytes(4, str(rng.choice(["little", "big"])))
        elif how == 3:
            del data[place : place + length]
        elif how == 4:
            data[place:place] = data[place : place + length]
        elif how == 5:
            other = int(rng.integers(len(data)))
            data[place : place + length] = data[other : other + length]
        elif how == 6:
            data[place : place + length] = bytes(min(length, len(data) - place))
        else:
            del data[place:]
    return bytes(data)


def tried(target: Target, data: bytes, path: Path, tally: Tally, keep: Callable[[str, bytes], None]) -> None:
    """One execution; ``keep`` gets the first input of each finding."""
    begun = time.thread_time()
    said = ""
    try:
        if target.suffix is not None:
            path.write_bytes(data)
        target.read(data if target.suffix is None else path)  # type: ignore[arg-type]
    except (DinoscopeError, BrokenTiffError):
        tally.refused += 1
    except Exception as error:  # noqa: BLE001 (a finding)
        said = f"{type(error).__name__}: {str(error)[:120]}"
    passed = time.thread_time() - begun
    if passed > SLOW_S:
        said = said or "slow"
    if said:
        if said not in tally.findings:
            keep(said, data)
        tally.findings[said] = tally.findings.get(said, 0) + 1
    tally.slowest_s = max(tally.slowest_s, passed)
    tally.tried += 1


def fuzz(
    target: Target, n: int, seed: tuple[int, ...], tally: Tally, keep: Callable[[str, bytes], None]
) -> None:
    """Try ``n`` mutations more."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"at{target.suffix}"
        for _ in range(n):
            data = target.mend(mutated(target.seeds[int(rng.integers(len(target.seeds)))], rng))
            tried(target, data, path, tally, keep)


class State:
    """Tallies by target, in a folder.

    Args:
        folder: made where missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "state.json"
        known = json.loads(self._file.read_text()) if self._file.exists() else {}
        self.tallies = {name: Tally(**facts) for name, facts in known.items()}

    def write(self) -> None:
        """Whole or not at all."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({name: asdict(tally) for name, tally in self.tallies.items()}, indent=1))
        fresh.replace(self._file)

    def keep(self, name: str) -> Callable[[str, bytes], None]:
        """What keeps the first input of a finding."""

        def kept(said: str, data: bytes) -> None:
            n = len(list(self.folder.glob(f"{name}-*.bin")))
            (self.folder / f"{name}-{n}.bin").write_bytes(data)
            print(f"  {name}: {said}", flush=True)

        return kept

    @property
    def total(self) -> int:
        """Executions of all targets."""
        return sum(tally.tried for tally in self.tallies.values())

    @property
    def findings(self) -> int:
        """Executions that were findings."""
        return sum(sum(tally.findings.values()) for tally in self.tallies.values())


def main() -> int:
    """Rounds over all targets until so many executions were made; 1 where there are findings."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--until", type=int, default=40_000, help="executions, those in the state included")
    parser.add_argument("--state", type=Path, default=Path("fuzz-state"))
    parser.add_argument("--only", default="", help="targets, separated by commas")
    parser.add_argument("--guided", type=int, default=0, metavar="N", help="with atheris, N times each")
    parser.add_argument("--keep", action="store_true", help="keep the figures for the page")
    words = parser.parse_args()
    known = targets()
    chosen = {name: known[name] for name in words.only.split(",") if name} or known
    state = State(words.state)
    warnings.simplefilter("ignore")
    if words.guided:
        for name in (name for name, target in chosen.items() if target.guided):
            subprocess.run(
                [sys.executable, "-m", "benchmarks.fuzz_guided", name, str(words.guided), str(words.state)],
                check=True,
                stderr=subprocess.DEVNULL,
            )
        state = State(words.state)
    shares = sum(target.share for target in chosen.values())
    while not words.guided and state.total < words.until:
        for name, target in chosen.items():
            tally = state.tallies.setdefault(name, Tally())
            seed = (list(known).index(name), tally.tried)
            fuzz(target, max(1, round(ROUND * target.share / shares)), seed, tally, state.keep(name))
            state.write()
        print(f"tried {state.total:,}, findings {state.findings}", flush=True)
    for name, tally in state.tallies.items():
        print(
            f"{name:18} tried {tally.tried:9,}  guided {tally.guided:8,}  refused {tally.refused:9,}  "
            f"slowest {tally.slowest_s:6.3f} s  findings {sum(tally.findings.values())}",
            flush=True,
        )
    decoded = sum(
        state.tallies[name].tried for name in known if known[name].decodes and name in state.tallies
    )
    print(f"tried {state.total:,}, of them decoders {decoded:,}; findings {state.findings}")
    if words.keep:
        from benchmarks.robustness.keep import keep

        keep("fuzz", {"decoders": decoded, "targets": {n: asdict(t) for n, t in state.tallies.items()}})
    return int(state.findings > 0)


if __name__ == "__main__":
    raise SystemExit(main())
