"""Twenty kills at random moments of one embedding, and the finished store beside an uninterrupted one.

    python -m tests.pipeline.long_kills [--kills 20] [--photographs 400] [--seed 0]

The process dies by SIGKILL, half the times at any moment since its start, half since its first commit of
that life. Rows (every column but the number of the commit), errors and statistics must then be those of an
uninterrupted run, value for value. About a minute; the ordinary tests do the same with five kills.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from dinoscope.pipeline.embed import embed
from dinoscope.store.store import open_store
from tests.fakes import FakeBackbone
from tests.pipeline.killed_embed import processes, run
from tests.pipeline.test_embed import SMALL, killed, same_store, write_photographs

SECONDS = 0.02
"""A photograph takes this long, so that a life has many moments."""


def killed_since_start(photos: Path, store: Path, after_s: float) -> bool:
    """Whether the process was still at work when it was killed, some time after it was started."""
    process = processes().Process(
        target=run, args=(str(photos), str(store)), kwargs=SMALL | {"seconds": SECONDS}
    )
    process.start()
    time.sleep(after_s)
    was_alive = process.is_alive()
    process.kill()
    process.join(30)
    return was_alive


def committed(store: Path) -> int:
    """Rows in the store, which may not exist yet."""
    if not list(store.glob("tables/*/settings.json")):
        return 0
    return len(open_store(store).table())


def main() -> int:
    """Kill, compare, say what was found; 0 where nothing differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--photographs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    moments = random.Random(asked.seed)
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        photos, store = Path(name) / "photos", Path(name) / "store"
        first, *_ = write_photographs(photos, asked.photographs)
        (photos / "b" / "copy.png").write_bytes(first.read_bytes())
        (photos / "c" / "broken.png").write_bytes(first.read_bytes()[:200])
        whole = embed(photos, FakeBackbone(), Path(name) / "whole", **SMALL).table()
        rows = [0]
        while len(rows) <= asked.kills and rows[-1] < asked.photographs:
            if len(rows) % 2:
                was_alive = killed(photos, store, moments.uniform(0.0, 0.4), seconds=SECONDS)
            else:
                was_alive = killed_since_start(photos, store, moments.uniform(0.0, 1.2))
            if was_alive:
                rows.append(committed(store))
                print(f"kill {len(rows) - 1}: {rows[-1]} rows committed", flush=True)
        if len(rows) <= asked.kills or rows != sorted(rows):
            print(f"FAILED: {len(rows) - 1} kills, committed rows {rows}; ask for more photographs")
            return 1
        last = FakeBackbone()
        table = embed(photos, last, store, **SMALL).table()
        if sum(last.batches) != asked.photographs - rows[-1]:
            print(f"FAILED: the last run computed {sum(last.batches)} photographs again or too few")
            return 1
        same_store(table, whole)  # an AssertionError shows the first difference
    print(
        f"{asked.kills} kills: {asked.photographs} rows, the errors and the statistics equal those of an "
        f"uninterrupted run; {time.monotonic() - start:.0f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
