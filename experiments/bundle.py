"""Puts two finished arms into the package as `mini` and `mini-gram`.

    python experiments/bundle.py ARMS EVALUATION [--seed 0]

ARMS holds ``seed-0/continue``, ``seed-0/gram-x2`` and so on, as `dinoscope anchor` leaves them; EVALUATION
is the ``evaluation.jsonl`` that they were measured into. Weights are rounded to float16; each folder gets a
model card whose figures are read off the evaluation. Takes a second.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from dinoscope.anchoring.evaluate import read_evaluation

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "dinoscope" / "weights"
BUNDLED = {"mini": "continue", "mini-gram": "gram-x2"}
REAL = ROOT / "docs" / "validation" / "real.json"
ON_PHOTOGRAPHS = {
    "boundary_auc": "sharpness (boundary AUC)",
    "matched_coherence_auc": "coherence at equal distance",
    "coherence_auc": "coherence (region AUC)",
}
MOST_BYTES = 8_000_000
SHOWN = {
    "scene_knn_miou": "patch k-NN mIoU",
    "cls_knn": "CLS k-NN accuracy",
    "boundary_auc": "sharpness (boundary AUC)",
    "coherence_auc": "coherence (region AUC)",
    "effective_rank_scenes": "effective rank",
    "neighbour": "neighbour cosine",
    "random_pair": "random-pair cosine",
    "position_r2": "position R²",
    "gram_distance_teacher": "Gram distance to the step-400 teacher",
}


def scores_of(file: Path, run: str, step: int) -> dict[int, Mapping[str, float]]:
    """The measured values of one run at one step, by seed."""
    _, scores = read_evaluation(file)
    return {score.seed: score.values for score in scores if (score.run, score.step) == (run, step)}


def round_weights(source: Path, target: Path) -> int:
    """A Hugging Face folder in float16; returns the bytes of its weights."""
    target.mkdir(parents=True, exist_ok=True)
    tensors = load_file(source / "model.safetensors")
    save_file({k: v.to(torch.float16).contiguous() for k, v in tensors.items()}, target / "model.safetensors")
    config = json.loads((source / "config.json").read_text())
    (target / "config.json").write_text(json.dumps({**config, "dtype": "float16"}, indent=2) + "\n")
    size = (target / "model.safetensors").stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{target.name}: {size:,} bytes of weights, at most {MOST_BYTES:,} are shipped")
    return size


def table(scores: Mapping[str, Mapping[int, Mapping[str, float]]], seed: int) -> str:
    """Figures of the bundled seed, with the range over the other seeds where there are any."""
    rows = ["| on held-out scenes | " + " | ".join(scores) + " |", "|:--|" + "--:|" * len(scores)]
    for key, title in SHOWN.items():
        cells = []
        for by_seed in scores.values():
            others = [values[key] for other, values in by_seed.items() if other != seed]
            spread = f" ({min(others):.3f} to {max(others):.3f})" if others else ""
            cells.append(f"{by_seed[seed][key]:.3f}{spread}" if seed in by_seed else "–")
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def on_photographs(file: Path) -> str:
    """What people's contours say, with 95% intervals over photographs; `validation.real` measured it."""
    numbers = json.loads(file.read_text())["bsds"]["numbers"]
    columns = {
        "random weights": numbers["controls"]["summary"]["random:mini"],
        **{name: numbers["summary"][name] for name in BUNDLED},
        "another person": numbers["people"]["summary"]["person:2"],
    }
    rows = ["| on 50 photographs that people segmented | " + " | ".join(columns) + " |"]
    rows.append("|:--|" + "--:|" * len(columns))
    for key, title in ON_PHOTOGRAPHS.items():
        known = [column[key] for column in columns.values()]
        cells = [f"{i['mean']:.3f} [{i['low']:.3f}, {i['high']:.3f}]" for i in known]
        rows.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def card(name: str, arm: str, run: Mapping[str, object], figures: str, n_others: int) -> str:
    """What the model is, how it came about, what was measured, and what it is not."""
    settings = run["settings"]
    assert isinstance(settings, dict)
    stage = settings["second_stage"]
    anchored = arm != "continue"
    last = (
        f"{settings['steps'] - stage['start']} steps with the Gram loss (weight {stage['weight']:g}) to the\n"
        f"  network of step {stage['teacher_step']}, that teacher seeing each crop at twice the resolution"
        if anchored
        else f"{settings['steps'] - stage['start']} further steps of the same training, without an anchor"
    )
    spread = (
        f"In brackets: the range over {n_others} other seeds of the fork."
        if n_others
        else "One seed of the fork: nothing here says how much another seed would differ."
    )
    return f"""---
license: apache-2.0
library_name: transformers
---
# {name}

A very small vision transformer (DINOv3 architecture as in `transformers`: width 128, depth 6, 4 heads, patch
8, 4 registers; 1.2 million parameters) that comes with dinoscope, so that its pages, demo and tests have
*trained* features without a download. Its partner is `{next(other for other in BUNDLED if other != name)}`:
both share the same trunk and differ in the last steps alone.

- **Data**: 1,000 photographs, one for each ImageNet-1k class, short side 176 px (the public collection
  EliSchwartz/imagenet-sample-images). Neither the demo's photographs nor scenes were trained on.
- **Training**: self-distillation (DINO, iBOT, KoLeo) of a trunk of {stage["start"]:,} steps with seed
  {settings["seed"]}, batch {settings["batch"]}, two global crops of {settings["crops"]["global_px"]} px and
  {settings["crops"]["n_local"]} local ones of {settings["crops"]["local_px"]} px; then {last}.
- **Command**: `experiments/README.md`; every setting is in `training.json` beside this card.
- **Machine**: 2 CPU cores, about an hour for the trunk and less for the last steps.
- **Weights**: the averaged (teacher) network, rounded to float16.

{figures}

{spread}
Scenes are procedural: see `dinoscope scenes`. Fork is the network both branch off from; random weights are
the same architecture before training, which knows no object: a score they reach too was not learned.

{on_photographs(REAL)}

Photographs: the first 50 of BSDS500 (test) by name, 16 patches on the short side; 95% intervals over
photographs.

**What it is not**: a model for any use beside demonstration and tests. It has seen a thousand small
photographs, and its quality is far below that of any published backbone. It is not a small DINOv3, and a
difference between `mini` and `mini-gram` says nothing about differences between DINOv2 and DINOv3.
"""


def main(words: Sequence[str] | None = None) -> None:
    """Both models, and what was put where."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arms", type=Path)
    parser.add_argument("evaluation", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(words)
    folders = {name: asked.arms / f"seed-{asked.seed}" / arm for name, arm in BUNDLED.items()}
    runs = {name: json.loads((folder / "run.json").read_text()) for name, folder in folders.items()}
    steps = {name: run["settings"]["steps"] for name, run in runs.items()}
    start = runs["mini"]["settings"]["second_stage"]["start"]
    scores = {"random weights": scores_of(asked.evaluation, "random weights", 0)}
    scores |= {"fork": scores_of(asked.evaluation, "trunk", start)}
    scores |= {name: scores_of(asked.evaluation, arm, steps[name]) for name, arm in BUNDLED.items()}
    figures = table(scores, asked.seed)
    for name, arm in BUNDLED.items():
        target = WEIGHTS / name
        shutil.rmtree(target, ignore_errors=True)
        size = round_weights(folders[name] / "teacher", target)
        (target / "training.json").write_text(json.dumps(runs[name]["settings"], indent=2) + "\n")
        n_others = len(set(scores[name]) - {asked.seed})
        (target / "README.md").write_text(card(name, arm, runs[name], figures, n_others))
        print(f"{target}: {size:,} bytes")


if __name__ == "__main__":
    main()
