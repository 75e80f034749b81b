"""What a comparison holds in memory, whether `measure` is flat, and what controls cost that run no model.

    python -m benchmarks.collection [--photographs 24] [--many 2000] [--only held,flat,controls] [--rounds 3]

Each peak is of a process of its own, torch and the weights included: `compare` of files of one megapixel by
two ViT-S with random weights on a 32-patch grid; `measure` of small files by the two bundled models, of 100
and of many. A control's cost is the processor time of its own numbers, of features that are there already,
over the forward passes of the same photographs. Some 10 minutes on 2 CPU
cores. Expected: `compare` at most 1.2 GiB, `measure` equal to 20 MiB (its rows of numbers), a control
2 to 11% of the passes of 8 photographs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.beside import MODELS, photograph
from benchmarks.machine import RESULTS, load_over_cores, processor_seconds, resident_bytes, write_result

MEASURED, FEW = 8, 100
SMALL_PX = 96


def held(count: int, *, controls: bool) -> float:
    """Peak of `compare` in GiB, in this process."""
    import dinoscope as ds

    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{seed}.jpg" for seed in range(count)]
        for seed, path in enumerate(paths):
            Image.fromarray(photograph(seed)).save(path, quality=92)
        ds.compare(paths, list(MODELS), grid=32, controls=controls)
    return resident_bytes("VmHWM") / 2**30


def flat(count: int) -> float:
    """Peak of `measure` in MiB, in this process."""
    import dinoscope as ds

    def pictures() -> Iterator[np.ndarray]:
        for seed in range(count):
            yield np.random.default_rng(seed).integers(0, 256, (SMALL_PX, SMALL_PX, 3), dtype=np.uint8)

    ds.measure(pictures(), ["mini", "mini-gram"], grid=6)
    return resident_bytes("VmHWM") / 2**20


def controls_alone(rounds: int) -> dict[str, object]:
    """Processor time of each control that runs no model, over that of the models' passes.

    All numbers are also measured anew, without those taken over from the first model's.
    """
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    import dinoscope as ds
    from dinoscope.comparison.controls import MOVED, blurred, shuffled
    from dinoscope.comparison.measuring import features_of
    from dinoscope.comparison.numbers import Same, numbers_of
    from dinoscope.comparison.others import ELSEWHERE, other_sample, partners
    from dinoscope.comparison.plan import plan_for
    from dinoscope.comparison.sample import Sample, collection_numbers
    from dinoscope.pipeline.run import Run

    plan = plan_for([ds.load_backbone(name) for name in MODELS], Run(32))
    pictures = [photograph(seed) for seed in range(MEASURED)]
    sample, spent = Sample(), dict[str, list[float]]()

    def timed(name: str, do: Callable[[], object]) -> None:
        spent.setdefault(name, []).append(processor_seconds(do))

    def passes() -> None:
        for seen, features in features_of(pictures, plan, failed=print, on_progress=lambda _: None):
            sample.add(seen, features[:1], None)

    timed("passes", passes)
    own = {digest: numbers_of(f, sample.seen[digest]) for digest, ((f,), _) in sample.rows.items()}
    pairs = partners({digest: f.grid.shape for digest, ((f,), _) in sample.rows.items()})
    others = other_sample(sample, "other", pairs)
    controls = {
        "blur": (sample, lambda several: (blurred(several[0]),), {}, {}),
        "shuffled": (
            sample,
            lambda several: (shuffled(several[0]),),
            {0: MOVED},
            {digest: Same(numbers, MOVED) for digest, numbers in own.items()},
        ),
        "other": (
            others,
            lambda several: several,
            {0: ELSEWHERE},
            {digest: Same(own[partner], ELSEWHERE) for digest, partner in pairs.items()},
        ),
    }

    def rows(name: str, *, anew: bool) -> None:
        its, derive, _, same = controls[name]
        for digest, (several, _) in its.rows.items():
            known = None if anew else same.get(digest)
            numbers_of(derive(several)[0], its.seen[digest], same=known)

    for round_ in range(rounds):
        if round_:
            timed("passes", passes)
        for name, (its, derive, moved, _) in controls.items():
            timed(f"{name} anew", partial(rows, name, anew=True))
            timed(f"{name} of all anew", partial(collection_numbers, its, derive))
            timed(name, partial(rows, name, anew=False))
            timed(f"{name} of all", partial(collection_numbers, its, derive, moved=moved))
    least = {name: min(times) for name, times in spent.items()}
    over = {}
    for name in controls:
        for how in ("", " anew"):
            over[f"{name}{how}"] = (least[f"{name}{how}"] + least[f"{name} of all{how}"]) / least["passes"]
        over[f"{name} of all"] = least[f"{name} of all"] / least["passes"]
    return {"photographs": MEASURED, "seconds": spent, "over_passes": over}


PEAKS = {
    "compare": partial(held, controls=False),
    "compare_with_controls": partial(held, controls=True),
    "measure": flat,
}


def in_child(what: str, count: int) -> float:
    """A peak, of a process of its own."""
    command = [sys.executable, "-m", "benchmarks.collection", "--peak", what, "--photographs", str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, print and keep; parts that were not asked for stay as they were."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=int, default=24)
    parser.add_argument("--many", type=int, default=2000)
    parser.add_argument("--only", default="held,flat,controls")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peak", choices=sorted(PEAKS), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.peak:
        print(json.dumps(PEAKS[asked.peak](asked.photographs)))
        return
    kept = RESULTS / "collection.json"
    result = json.loads(kept.read_text()) if kept.exists() else {}
    result["load_over_cores"] = load_over_cores()
    parts = asked.only.split(",")
    if "held" in parts:
        names = ("compare", "compare_with_controls")
        peaks = {name: in_child(name, asked.photographs) for name in names}
        result["held"] = {"photographs": asked.photographs, **peaks}
    if "flat" in parts:
        few, many = (in_child("measure", count) for count in (FEW, asked.many))
        result["flat"] = {"few": FEW, "many": asked.many, "few_mib": few, "many_mib": many}
    if "controls" in parts:
        result["controls"] = controls_alone(asked.rounds)
    result.pop("machine", None)
    print(json.dumps(result, indent=2))
    write_result("collection", result)


if __name__ == "__main__":
    main()
