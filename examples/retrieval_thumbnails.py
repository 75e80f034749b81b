"""On photographs: ``python examples/retrieval_thumbnails.py WORK DOCS THUMBNAILS.tar [MODEL ...]``.

The first ten of each class of a tar file whose folders are classes (Tiny ImageNet: 200 classes, 64 px; none
of them learnt from by the bundled pair), embedded with each MODEL (``mini`` and ``mini-gram`` by default) and
with random weights of the first. WORK keeps photographs and stores, so that a second run goes on; DOCS gets
``photographs.md`` and the numbers. About ten minutes of one core.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small products: more threads only wait for each other

from retrieval_scenes import gain_cell, gains_json

import dinoscope as ds
from dinoscope.data.retrieval import RetrievalScores
from dinoscope.evaluation.background_alone import background_alone
from dinoscope.evaluation.evaluate import evaluate_retrieval
from dinoscope.evaluation.pictures_values import CASE_RULE, BackgroundAlone
from dinoscope.evaluation.text import CONTROL_TITLES, RULE, gain_of, interval_words
from dinoscope.maths.intervals import by_chance

PER_CLASS, GRID, SEED = 10, 8, 0
POOLINGS = ("mean", "cls", "gem", "foreground")


@dataclass(frozen=True)
class Case:
    """One model on the photographs."""

    model: str
    scores: RetrievalScores
    alone: BackgroundAlone


def unpacked(tar: Path, folder: Path) -> Path:
    """The first photographs of each class, a folder a class; what is there already stays."""
    if not folder.exists():
        seen: Counter[str] = Counter()
        with tarfile.open(tar) as archive:
            for member in archive:
                place = PurePosixPath(member.name)
                file = archive.extractfile(member)
                if file is None or len(place.parts) < 2:
                    continue
                label = place.parts[-2]
                seen[label] += 1
                if seen[label] <= PER_CLASS:
                    (folder / label).mkdir(parents=True, exist_ok=True)
                    (folder / label / place.name).write_bytes(file.read())
    return folder


def one_case(work: Path, photographs: Path, model: str) -> Case:
    """Store and scores; vectors that are there already are not made again."""
    backbone = ds.load_backbone(model)
    store = ds.embed(photographs, backbone, work / f"store-{backbone.spec.name.replace(':', '-')}", grid=GRID)
    scores = evaluate_retrieval(store, labels="folders", poolings=POOLINGS, seed=SEED)
    return Case(backbone.spec.name, scores, background_alone(store, labels="folders", seed=SEED))


def rows(cases: list[Case]) -> list[str]:
    """Every pooling and suppression, a column for each model."""
    lines = ["| vectors | suppression | " + " | ".join(case.model for case in cases) + " |"]
    lines.append("|---|---|" + "---|" * len(cases))
    for row in cases[0].scores.rows:
        if row.control:
            continue
        plain = (row.pooling, row.suppression) == ("mean", "none")
        cells = []
        for case in cases:
            own = case.scores.row(row.pooling, row.suppression)
            if plain:
                cells.append(interval_words(own.summaries["ap"], digits=4))
                continue
            cells.append(gain_cell(case.scores, own, digits=4))
        what = f"none (mAP itself; chance {cases[0].scores.chance:.4f})" if plain else row.suppression
        if row.suppression == "none" and not plain:
            what = "none, over the plain mean"
        lines.append(f"| {row.pooling} | {what} | {' | '.join(cells)} |")
    return lines


def said_of_background(case: Case) -> str:
    """What ``background`` did to mean vectors."""
    row, plain = case.scores.row("mean", "background"), case.scores.row("mean", "none").summaries["ap"].mean
    gain = gain_of(row).interval
    words = f"{interval_words(gain, sign='+', digits=4)} on a plain mean of {plain:.4f}"
    if gain.low <= 0 <= gain.high:
        return f"- {case.model}: no difference that can be told ({words})."
    if gain.high < 0:
        return f"- {case.model}: mAP fell ({words})."
    level = [title for name, title in CONTROL_TITLES.items() if not _ahead(case, name)]
    tail = f"but it is not ahead of {' and of '.join(level)}" if level else "ahead of every control"
    return f"- {case.model}: mAP rose ({words}), {tail}."


def _ahead(case: Case, control: str) -> bool:
    return case.scores.row("mean", "background", control).margins["ap"].interval.low > 0


def page(cases: list[Case], n: int, n_classes: int) -> str:
    """The page, every number and verdict taken from the scores."""
    tried = sum(not row.control for row in cases[0].scores.rows) - 1
    lines = [
        "# The same question on photographs",
        "",
        f"Made by `examples/retrieval_thumbnails.py`: {n:,} thumbnails of 64 px in {n_classes} classes "
        f"(Tiny ImageNet), {PER_CLASS} of each, that no bundled network learnt from; grid {GRID}. Every "
        "photograph searches for its class among the others; what is removed, and how much of it, is fitted "
        "without the queries it is scored on. The models are toys: see their cards. [Scenes with a planted "
        "background](index.md) are the other half of this page.",
        "",
        "Removing background directions from mean vectors:",
        "",
        *(said_of_background(case) for case in cases),
        "",
        "Gains in mAP with 95% intervals: of a suppression over the same vectors without it; of a pooling "
        "over the plain mean, both without suppression.",
        "",
        *rows(cases),
        "",
        f"Bold: the whole interval lies on one side of 0. Star: also ahead of every control. {RULE} In each "
        f"column, {by_chance(tried)}. Intervals leave out each photograph in turn, as a query and from the "
        "collection; not classes: they are too narrow for other classes.",
        "",
        "## Which case this collection resembles",
        "",
        CASE_RULE,
        "",
        "| model | excess of the background alone | case |",
        "|---|---|---|",
        *(f"| {c.model} | {interval_words(c.alone.excess)} | {c.alone.case} |" for c in cases),
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Photographs, stores and scores in WORK; the page in DOCS."""
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    work, docs, tar = map(Path, sys.argv[1:4])
    models = sys.argv[4:] or ["mini", "mini-gram"]
    started = time.process_time()
    photographs = unpacked(tar, work / "photographs")
    cases = [one_case(work, photographs, model) for model in (*models, f"random:{models[0]}")]
    n, classes = len(list(photographs.glob("*/*"))), len(list(photographs.iterdir()))
    (docs / "photographs.md").write_text(page(cases, n, classes), encoding="utf-8")
    facts = [
        {
            "model": case.model,
            "backgrounds": asdict(case.alone),
            "gains": gains_json(case.scores),
        }
        for case in cases
    ]
    (docs / "photographs.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    print(f"{docs / 'photographs.md'}: {time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
