"""Does removing background directions help? ``python examples/retrieval_scenes.py WORK DOCS [MODEL]``.

Procedural scenes of 12 classes at a background correlation of 0, 0.5 and 1, embedded with MODEL (``mini``, a
name of the catalog, or a checkpoint) and with the same architecture at random weights. WORK keeps scenes and
stores, so that a second run goes on; DOCS gets ``index.md``, its figures, the numbers, and MODEL's page for
each correlation. about a quarter of an hour of one core for ``mini``.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # many small products: more threads only wait for each other

import numpy as np
from matplotlib.ticker import MaxNLocator
from PIL import Image

import dinoscope as ds
from dinoscope.data.retrieval import RetrievalRow, RetrievalScores
from dinoscope.drawing.canvas import Canvas, quiet_ticks
from dinoscope.drawing.figure_files import png_bytes
from dinoscope.drawing.style import CONTROL_COLOUR, INK, LINE, MODEL_COLOURS, QUIET
from dinoscope.evaluation.background_alone import background_alone, background_case
from dinoscope.evaluation.evaluate import evaluate_retrieval
from dinoscope.evaluation.pictures import retrieval_pictures
from dinoscope.evaluation.pictures_values import CARRIED, CASE_RULE, PARTLY, BackgroundAlone
from dinoscope.evaluation.report.page import write_retrieval
from dinoscope.evaluation.text import CASES, CONTROL_TITLES, RULE, credited, gain_of, interval_words
from dinoscope.maths.intervals import by_chance
from dinoscope.store.reading import each_row, read_dense
from dinoscope.store.store import FeatureStore

CORRELATIONS = (0.0, 0.5, 1.0)
N, CLASSES, GRID, SEED = 240, 12, 16, 0
POOLINGS = ("mean", "cls", "foreground")
KS = (0, 1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Case:
    """One model on the scenes of one correlation."""

    model: str
    correlation: float
    store: FeatureStore
    labels: Path
    scores: RetrievalScores
    alone: BackgroundAlone
    masked: BackgroundAlone


def by_true_masks(store: FeatureStore, scenes: Path) -> BackgroundAlone:
    """`background_alone` with the scenes' own masks: a patch belongs where most of it does."""
    table = store.table()
    label_of = dict(line.split(",")[:2] for line in (scenes / "labels.csv").read_text().splitlines()[1:])
    background, foreground, labels = [], [], []
    for row in each_row(table):
        features = read_dense(table, row.digest)
        name = Path(row.source).name
        with Image.open(scenes / "masks" / "class" / name) as mask:
            behind = Image.fromarray((np.asarray(mask) == 0).astype(np.uint8) * 255)
        grid = (features.grid.w, features.grid.h)
        outside = np.asarray(behind.resize(grid, Image.Resampling.BOX)) >= 128
        if outside.all() or not outside.any():
            continue
        background.append(features.values[outside].mean(axis=0, dtype=np.float64))
        foreground.append(features.values[~outside].mean(axis=0, dtype=np.float64))
        labels.append(label_of[name])
    left_out = len(label_of) - len(labels)
    return background_case(np.stack(background), np.stack(foreground), labels, n_left_out=left_out)


def one_case(work: Path, model: str, correlation: float) -> Case:
    """Scenes, store and scores; scenes and vectors that are there already are not made again."""
    scenes = work / f"correlation-{correlation:g}".replace(".", "_")
    labels = scenes / "labels.csv"
    ds.write_scenes(scenes, N, SEED, background_correlation=correlation, n_classes=CLASSES)
    backbone = ds.load_backbone(model)
    folder = work / f"store-{scenes.name}-{backbone.spec.name}".replace(":", "-")
    store = ds.embed(scenes / "images", backbone, folder, grid=GRID, dense="float16")
    scores = evaluate_retrieval(store, labels=labels, poolings=POOLINGS, ks=KS, seed=SEED)
    alone = background_alone(store, labels=labels, seed=SEED)
    return Case(backbone.spec.name, correlation, store, labels, scores, alone, by_true_masks(store, scenes))


def plot_cases(cases: list[Case]) -> Canvas:
    """Gains of mean vectors, a column for each correlation; the first model in colour, the second in grey."""
    names = list(dict.fromkeys(case.model for case in cases))
    rows = [r for r in cases[0].scores.rows if r.pooling == "mean" and (r.suppression != "none" or r.control)]
    left, side, gap, top, step = 2.35, 2.0, 0.3, 0.78, 0.21
    height = top + step * len(rows)
    canvas = Canvas(left + 3 * (side + gap), height + 0.75)
    canvas.words(0.1, 0.24, "Gain in mAP over the plain mean (mean vectors)", size=9.5, weight="bold")
    for i, row in enumerate(rows):
        name = CONTROL_TITLES[row.control] if row.control else row.suppression
        y, x = top + step * (i + 0.68), 0.25 if row.control else 0.1
        canvas.words(x, y, name, size=7, colour=QUIET if row.control else INK)
    for column, correlation in enumerate(CORRELATIONS):
        x = left + column * (side + gap)
        axes = canvas.axes(x, top, side, step * len(rows))
        canvas.words(x, top - 0.12, f"background correlation {correlation:g}", size=7.5, weight="bold")
        axes.axvline(0, color=INK, linewidth=0.7)
        for case in (case for case in cases if case.correlation == correlation):
            place = names.index(case.model)
            colour = MODEL_COLOURS[0] if place == 0 else CONTROL_COLOUR
            for i, row in enumerate(rows):
                gain = case.scores.row("mean", row.suppression, row.control).gains["ap"].interval
                y = i + 0.36 + 0.28 * place
                thick, size = (1.0, 2.5) if row.control else (1.9, 4.0)
                axes.plot([gain.low, gain.high], [y, y], color=colour, linewidth=thick)
                axes.plot([gain.mean], [y], "o", color=colour, markersize=size)
        axes.set_ylim(len(rows), 0)
        axes.set_yticks([])
        axes.xaxis.set_major_locator(MaxNLocator(4))
        quiet_ticks(axes)
        axes.tick_params(axis="x", labelsize=6)
        axes.grid(axis="x", color=LINE, linewidth=0.4)
        axes.set_axisbelow(True)
        for edge, spine in axes.spines.items():
            spine.set_visible(edge == "bottom")
    note = (
        f"Blue: {names[0]}; grey: {names[-1]}. Bars: 95% intervals over {N} queries. The three scales differ."
    )
    canvas.paragraph(0.1, height + 0.42, note, width=canvas.width - 0.2)
    return canvas


def gain_cell(scores: RetrievalScores, row: RetrievalRow, *, digits: int = 3) -> str:
    """A gain and its interval: bold where that lies on one side of 0, a star where controls are behind."""
    gain = gain_of(row).interval
    starred = " *" if gain.low > 0 and credited(scores, row) else ""
    bold = "**" if gain.low > 0 or gain.high < 0 else ""
    return f"{bold}{interval_words(gain, sign='+', digits=digits)}{bold}{starred}"


def gains_json(scores: RetrievalScores) -> dict[str, object]:
    """Every gain with its interval, by pooling, suppression and control."""
    return {
        f"{row.pooling} {row.suppression} {row.control}".strip(): asdict(gain_of(row).interval)
        for row in scores.rows
    }


def gains_table(cases: list[Case]) -> list[str]:
    """Mean average precision of the plain mean, and every gain of every pooling and suppression."""
    lines = [
        "| vectors | suppression | " + " | ".join(f"correlation {c.correlation:g}" for c in cases) + " |"
    ]
    lines.append("|---|---|" + "---|" * len(cases))
    base = " | ".join(interval_words(c.scores.row("mean", "none").summaries["ap"]) for c in cases)
    lines.append(f"| mean | none (mAP itself; chance {cases[0].scores.chance:.3f}) | {base} |")
    for row in cases[0].scores.rows:
        if row.control or (row.pooling, row.suppression) == ("mean", "none"):
            continue
        cells = [gain_cell(c.scores, c.scores.row(row.pooling, row.suppression)) for c in cases]
        what = row.suppression if row.suppression != "none" else "none, over the plain mean"
        lines.append(f"| {row.pooling} | {what} | " + " | ".join(cells) + " |")
    return lines


def said_of_background(case: Case) -> str:
    """What the suppression ``background`` did to mean vectors, by `RULE`."""
    row, plain = case.scores.row("mean", "background"), case.scores.row("mean", "none").summaries["ap"].mean
    gain = row.gains["ap"].interval
    words = f"{interval_words(gain, sign='+')} on a plain mean of {plain:.3f}"
    margins = {
        title: case.scores.row("mean", "background", control).margins["ap"].interval
        for control, title in CONTROL_TITLES.items()
    }
    if gain.low > 0:
        level = [title for title, margin in margins.items() if not margin.low > 0]
        least, margin = min(margins.items(), key=lambda item: item[1].mean)
        tail = (
            f"but it is not ahead of {' and of '.join(level)}, so that it is not put down to the background"
            if level
            else f"ahead of every control, least of {least} ({interval_words(margin, sign='+')})"
        )
        said = f"mAP rose ({words}), {tail}"
    elif gain.high < 0:
        said = f"mAP fell ({words})"
    else:
        said = f"no difference that can be told ({words})"
    chosen = ", ".join(map(str, row.chosen))
    return f"- correlation {case.correlation:g}: {said}; directions chosen: {chosen}."


def page(cases: list[Case]) -> str:
    """The page, every number and verdict taken from the scores."""
    names = list(dict.fromkeys(case.model for case in cases))
    lines = [
        "# Does removing background directions help retrieval?",
        "",
        f"Made by `examples/retrieval_scenes.py`: {N} procedural scenes of {CLASSES} classes (256 px, grid "
        f"{GRID}) for each background correlation. At 0 the background is drawn without looking at the "
        "class, at 1 every photograph has the background that its class is at home in (some classes share "
        "one), at 0.5 half of them have it for that reason. Every photograph searches for its class among "
        "the others. What is removed, and how much of it, is fitted without the queries it is scored on.",
        "",
        f"These are a toy model, **{names[0]}**, and the same architecture with random weights "
        f"(**{names[-1]}**). Nothing here says what a large model does on photographs: measure yours with "
        "`dinoscope evaluate`. The same on small photographs: [thumbnails of 200 classes](photographs.md).",
        "",
        "![Gains](gains.png)",
        "",
    ]
    for model in names:
        own = [case for case in cases if case.model == model]
        lines += [f"## {model}", "", "Removing background directions from mean vectors:", ""]
        lines += [said_of_background(case) for case in own]
        lines += [
            "",
            "Gains in mAP with 95% intervals: of a suppression over the same vectors without it; of a "
            "pooling over the plain mean, both without suppression.",
            "",
        ]
        lines += [*gains_table(own), ""]
        if model == names[0]:
            links = ", ".join(f"[{c.correlation:g}](correlation-{c.correlation:g}.html)" for c in own)
            lines += [f"Every score, curve, and hits before and after, at correlation {links}.", ""]
    tried = sum(not row.control for row in cases[0].scores.rows) - 1
    lines += [
        f"Bold: the whole interval lies on one side of 0. Star: also ahead of every control. {RULE} In each "
        f"column, {by_chance(tried)}. Intervals leave out each photograph in turn, as a query and from the "
        "collection; not classes: they are too narrow for other classes.",
        "",
        "## Which case is my collection?",
        "",
        CASE_RULE,
        "",
        "| model | correlation | excess, mask from the features | case | excess, true masks | "
        "foreground's excess, true masks |",
        "|---|---|---|---|---|---|",
    ]
    for case in cases:
        cells = (
            case.model,
            f"{case.correlation:g}",
            interval_words(case.alone.excess),
            case.alone.case,
            interval_words(case.masked.excess),
            interval_words(case.masked.foreground_excess),
        )
        lines.append(f"| {' | '.join(cells)} |")
    right = sum(
        case.alone.case == dict(zip(CORRELATIONS, CASES, strict=False))[case.correlation] for case in cases
    )
    lines += [
        "",
        f"The rule names the case that the scenes were made with in {right} of {len(cases)} rows. Its "
        f"limits, {PARTLY} and {CARRIED}, were set between such numbers, so that this is no test of it. "
        "`dinoscope evaluate STORE --labels folders --out DIR` prints the same excess for your collection.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    """Scenes, stores and scores in WORK; the page in DOCS."""
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    work, docs = Path(sys.argv[1]), Path(sys.argv[2])
    model = sys.argv[3] if len(sys.argv) == 4 else "mini"
    started = time.process_time()
    cases = [one_case(work, name, c) for name in (model, f"random:{model}") for c in CORRELATIONS]
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "gains.png").write_bytes(png_bytes(plot_cases(cases).figure))
    (docs / "index.md").write_text(page(cases), encoding="utf-8")
    facts = [
        {
            "model": case.model,
            "correlation": case.correlation,
            "backgrounds": asdict(case.alone),
            "backgrounds_true_masks": asdict(case.masked),
            "gains": gains_json(case.scores),
        }
        for case in cases
    ]
    (docs / "scores.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    for case in (case for case in cases if case.model == cases[0].model):
        backbone = ds.load_backbone(model)
        pictures = retrieval_pictures(
            case.store, case.scores, labels=case.labels, backbone=backbone, n_queries=3
        )
        written = write_retrieval(case.scores, work / f"page-{case.correlation:g}", pictures, case.alone)
        shutil.copyfile(written, docs / f"correlation-{case.correlation:g}.html")
    print(f"{docs / 'index.md'}: {time.process_time() - started:.0f} s of processor time")


if __name__ == "__main__":
    main()
