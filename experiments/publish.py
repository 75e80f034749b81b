"""Measures finished arms, and writes the report and the page docs/gram-experiment from it.

    python -m experiments.publish TRUNK ARMS LAB [--planted PLANTED] [--seeds 3]

TRUNK, ARMS and PLANTED are folders as `dinoscope anchor` leaves them. LAB keeps what was measured, so that
only new networks are measured again, and gets report.html. Minutes on 2 CPU cores.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from dinoscope.anchoring.arms import Recipe
from dinoscope.anchoring.findings import DENSE, IMAGE, RANDOM, RANK, TEACHER, TRUNK, Laboratory
from dinoscope.anchoring.folder import RunFolder
from dinoscope.anchoring.laboratory import examine
from dinoscope.anchoring.plan import Plan, Planting
from dinoscope.anchoring.report.report import write_laboratory
from dinoscope.anchoring.report.words import CONTROL_RULES, NOT_SHOWN, RULES
from dinoscope.io.images import read_photograph
from dinoscope.metrics.registry import EVERY
from examples.demo import demo_photographs

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gram-experiment"
RECIPE = Recipe(steps=400, weight=20.0, update_every=0)
MEASURE_EVERY = 200
SHOWN = 4
WIDEST = 1700
REAL = ROOT / "docs" / "validation" / "real.json"
ON_PHOTOGRAPHS = ("boundary_auc", "matched_coherence_auc", "coherence_auc")
COLUMNS = (
    DENSE,
    IMAGE,
    "boundary_auc",
    "coherence_auc",
    RANK,
    "locality",
    "position_r2",
    "cls_patch",
    TEACHER,
)
HEAD = """# What the anchor did to a small model

<!-- Written by `python -m experiments.publish`: do not edit. -->

A ViT of width {dim} and depth {depth} with patches of {patch} px was trained by self-distillation (DINO,
iBOT, KoLeo) on 1,000 small photographs for {fork:,} steps of {batch}. From that one checkpoint, with the
same data order and the same random state, five arms went on for {steps} steps each, over {seeds} fork
seeds: **continue** as before; **local-half**, with half the weight of the local loss, which the published
recipe changes at the same time as it anchors; **gram-x1** and **gram-x2**, held to the Gram matrices of
the average at step {teacher}, the latter seen at twice the resolution; **feature-mse**, held to the same
teacher's features instead of their Gram matrices. Nothing else differs. [What Gram anchoring
is](../concepts/gram-anchoring.md).

This is one small trunk, and exploratory: [the confirmatory experiment](confirmatory.md) asked again, six
trunks on photographs that people segmented. It says nothing about a released model: DINOv3's S, S+, B, L
and H+ were distilled, not anchored.

## What was found

The sentences are generated from the numbers by [the rules below](#rules), of which the first was written
down before anything had been measured.
"""


def main() -> None:
    """Measure, conclude, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("trunk", type=Path)
    parser.add_argument("arms", type=Path)
    parser.add_argument("laboratory", type=Path)
    parser.add_argument("--planted", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    plan = Plan(
        trunk=RunFolder(asked.trunk).settings(),
        recipe=RECIPE,
        seeds=tuple(range(asked.seeds)),
        measure_every=MEASURE_EVERY,
        planted=None if asked.planted is None else Planting(),
    )
    found = examine(
        asked.laboratory,
        plan,
        trunk=asked.trunk,
        arms=asked.arms,
        planted=asked.planted,
        shown=[read_photograph(path) for path in demo_photographs()[:SHOWN]],
        on_progress=lambda *told: print(*told, flush=True),
    )
    print(write_laboratory(found, asked.laboratory))
    print(write_page(found, plan, asked.laboratory / "figures"))


def write_page(laboratory: Laboratory, plan: Plan, figures: Path) -> Path:
    """The page and its pictures, in 256 colours."""
    shutil.rmtree(PAGE, ignore_errors=True)
    PAGE.mkdir()
    for path in sorted(figures.glob("*.png")):
        (PAGE / path.name).write_bytes(_smaller(path))
    (PAGE / "index.md").write_text(page(laboratory, plan), encoding="utf-8")
    return PAGE / "index.md"


def page(laboratory: Laboratory, plan: Plan) -> str:
    """Markdown."""
    network = plan.trunk.network
    head = HEAD.format(
        dim=network.dim,
        depth=network.depth,
        patch=network.patch_size,
        batch=plan.trunk.batch,
        fork=laboratory.fork_step,
        teacher=laboratory.teacher_step,
        steps=plan.recipe.steps,
        seeds=len(plan.seeds),
    )
    parts = [
        head,
        *(f"- {sentence}" for sentence in laboratory.conclusion.sentences),
        "\n## Scores\n",
        *_table(laboratory),
        "",
        "Of several seeds, the lowest and the highest. All on procedural scenes that nobody trained on; they "
        "rank snapshots of one network and are no benchmark. " + _explained(),
        "\n![Every metric against training steps, trunk and arms; bands over the fork seeds](scores.png)\n",
        *on_photographs(REAL),
        "## Maps\n",
        "One basis for all rows: a colour is the same direction of feature space in every row. The "
        "photographs were not trained on. Reference patch and cosine scale are the same throughout.\n",
        "![Maps of the same photographs by every network shown](strip.png)\n",
        "## Gram matrices\n",
        "A small difference only shows that the anchor's loss works. No conclusion rests on it.\n",
        "![Gram matrices of each arm and of the teacher, and their difference](grams.png)\n",
        *_control(laboratory),
        "## Losses\n",
        "![Losses of trunk and arms](losses.png)\n",
        "## Rules\n",
        *(f"- {rule}" for rule in RULES),
        "\n## What is not shown\n",
        *(f"- {limit}" for limit in NOT_SHOWN),
        "\n## Again\n",
        f"`dinoscope anchor my-photos/ --out laboratory --trunk-steps {laboratory.fork_step} "
        f"--steps {plan.recipe.steps} --seeds {len(plan.seeds)} --weight {plan.recipe.weight:g} "
        f"--update-every {plan.recipe.update_every}` runs the whole of it on photographs of one's own. The "
        "settings, losses and kept networks of this run "
        "are in `experiments/`; `mini` and `mini-gram` in the package are another, later pair.\n",
    ]
    return "\n".join(parts)


def on_photographs(file: Path) -> Iterator[str]:
    """What people's contours say of the same networks: the figures that `validation.real` left behind."""
    teacher, last, anchored = json.loads(file.read_text())["networks"]
    yield "## On photographs that people segmented\n"
    yield (
        "The same networks of seed 0 on 50 photographs of BSDS500, at 16 patches on the short side, against "
        "one person's regions ([the page](../validation/real.md)). Measured after the fact: exploratory. The "
        "intervals are over photographs, and say nothing of other trunks.\n"
    )
    yield "| network | boundary AUC | coherence AUC at equal distance | coherence AUC |"
    yield "|:--|--:|--:|--:|"
    for row in (teacher, last, anchored):
        yield f"| {row['name']} | " + " | ".join(row[key] for key in ON_PHOTOGRAPHS) + " |"
    yield ""
    for row, told in (
        (last, "From the early teacher to the end of training without an anchor"),
        (anchored, "With the anchor (gram-x2) instead of without"),
    ):
        values = [row[f"{key} minus"] for key in ON_PHOTOGRAPHS]
        yield (
            f"- {told}: boundary AUC {values[0]}, coherence AUC at equal distance {values[1]}, coherence AUC "
            f"{values[2]}."
        )
    yield ""


def _table(laboratory: Laboratory) -> Iterator[str]:
    yield "| | " + " | ".join(_title(key) for key in COLUMNS) + " |"
    yield "|:--|" + "--:|" * len(COLUMNS)
    steps = {
        RANDOM: [0],
        TRUNK: sorted({laboratory.teacher_step or 0, laboratory.fork_step or 0} - {0}),
    }
    for run in dict.fromkeys(score.run for score in laboratory.scores):
        of_run = [score for score in laboratory.scores if score.run == run]
        for step in steps.get(run, [max(score.step for score in of_run)]):
            rows = [score.values for score in of_run if score.step == step]
            cells = [_range([row[key] for row in rows if key in row], EVERY[key].unit) for key in COLUMNS]
            seeds = "" if len(rows) == 1 else f", {len(rows)} seeds"
            teacher = ", the frozen teacher" if (run, step) == (TRUNK, laboratory.teacher_step) else ""
            yield f"| {run}, step {step:,}{teacher}{seeds} | " + " | ".join(cells) + " |"


def _title(key: str) -> str:
    metric = EVERY[key]
    return metric.short + (f", {metric.unit}" if metric.unit else "")


def _range(values: list[float], unit: str) -> str:
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return "–"
    scale, digits = (100, 1) if unit == "%" else (1, 1 if max(known) > 10 else 3)
    low, high = (f"{value * scale:.{digits}f}" for value in (min(known), max(known)))
    return low if low == high else f"{low} to {high}"


def _explained() -> str:
    return " ".join(f"*{EVERY[key].short}*: {EVERY[key].sentence}" for key in COLUMNS)


def _control(laboratory: Laboratory) -> Iterator[str]:
    control = laboratory.control
    if control is None:
        return
    yield "## Positive control: damage planted on purpose\n"
    yield from (f"- {sentence}" for sentence in control.sentences)
    yield f"\n{CONTROL_RULES}\n"
    yield "![Every metric during and after planted damage](planted-scores.png)\n"
    yield "![Maps before planted damage, damaged, and after](planted-strip.png)\n"


def _smaller(path: Path) -> bytes:
    image = Image.open(path).convert("RGB")
    if image.width > WIDEST:
        image = image.resize((WIDEST, round(image.height * WIDEST / image.width)), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    image.quantize(256, dither=Image.Dither.NONE).save(written, "png", optimize=True)
    return written.getvalue()


if __name__ == "__main__":
    main()
