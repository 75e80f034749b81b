"""Puts two finished arms into the package as `mini` and `mini-gram`.

    python -m experiments.bundle OUT PHOTOGRAPHS... [--seed 0]

OUT is the folder of `experiments.pair`, PHOTOGRAPHS what it learnt from. Weights are rounded to float16; each
folder gets a model card whose figures are read off ``experiments/bars.jsonl``, where `experiments.bars` must
have measured both under their names first; the photographs' fingerprints go beside them. Takes two minutes.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from dinoscope.maths.intervals import mean_interval, paired_difference
from experiments.bars import FIRST, Line, each, read_bars
from experiments.fingerprints import write_fingerprints

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "src" / "dinoscope" / "weights"
BARS = ROOT / "experiments" / "bars.jsonl"
BUNDLED = {"mini": "continue", "mini-gram": "gram-x2"}
MOST_BYTES = 8_000_000
MACHINE = """one core of an Intel Xeon, shared with other work: 2 h 10 min for the trunk, half an hour for
  `continue` (`mini`), 55 min for `gram-x2` (`mini-gram`)"""
COLUMNS = ("pixels", "random", *FIRST, *BUNDLED)
SHOWN = {
    ("thumbnails", "hits", "cls_knn"): "class-token k-NN, 200 classes (chance 0.005)",
    ("thumbnails", "average_precision", "map"): "mean average precision",
    ("bsds", "each", "boundary_auc"): "sharpness (boundary AUC)",
    ("bsds", "each_matched", "matched_coherence_auc"): "coherence at equal distance",
    ("camvid", "", "miou"): "patch k-NN mIoU, one drive by the other",
}
"""Rows of a card: kind of measurement, its values photograph by photograph, and their mean."""


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


def table(bars: Mapping[tuple[str, str], Line]) -> Iterator[str]:
    """Each network's means, with 95% intervals over photographs where there is a value for each."""
    yield "| | " + " | ".join(COLUMNS) + " |"
    yield "|:--|" + "--:|" * len(COLUMNS)
    for (kind, key, mean), title in SHOWN.items():
        cells = []
        for name in COLUMNS:
            line = bars[name, kind]
            around = mean_interval(each(line, key)) if key else None
            told = "" if around is None else f" [{around.low:.3f}, {around.high:.3f}]"
            cells.append(f"{line[mean]:.3f}{told}")
        yield f"| {title} | " + " | ".join(cells) + " |"


def differences(bars: Mapping[tuple[str, str], Line], name: str) -> Iterator[str]:
    """One network minus what it is to beat, photograph by photograph."""
    for (kind, key, _), title in SHOWN.items():
        if not key:
            continue
        told = []
        for other in ("pixels", "random", FIRST[0]):
            found = paired_difference(each(bars[name, kind], key), each(bars[other, kind], key)).interval
            told.append(f"minus {other} {found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]")
        yield f"- {title}: {', '.join(told)}"


def card(name: str, settings: Mapping[str, Any], bars: Mapping[tuple[str, str], Line]) -> str:
    """What the model is, how it came about, what was measured, and what it is not."""
    stage, network, crops = settings["second_stage"], settings["network"], settings["crops"]
    last = settings["steps"] - stage["start"]
    what = (
        f"{last:,} steps with the Gram loss (weight {stage['weight']:g}) to the network of step "
        f"{stage['teacher_step']:,},\n  which sees each crop at twice the resolution"
        if BUNDLED[name] != "continue"
        else f"{last:,} further steps of the same training, without an anchor"
    )
    return f"""---
license: apache-2.0
library_name: transformers
---
# {name}

A toy vision transformer (DINOv3 architecture as in `transformers`: width {network["dim"]}, depth
{network["depth"]}, {network["heads"]} heads, patch {network["patch_size"]}, {network["registers"]} registers)
that comes with dinoscope, so that its pages, demo and tests have *trained* features without a download. For
demonstration and tests, nothing else. Its partner is `{next(other for other in BUNDLED if other != name)}`:
both share the same trunk and differ in the last steps alone.

- **Data**: 40,000 thumbnails of 64 x 64 px, 200 in each of 200 classes (Tiny ImageNet, Stanford CS231n, from
  ImageNet; ImageNet's terms: research and education, no commercial use). Their classes were not used.
- **Training**: self-distillation (DINO, iBOT, KoLeo) and telling class tokens of a batch apart (InfoNCE,
  weight {settings["objective"]["contrast"]:g}): a trunk of {stage["start"]:,} steps with seed
  {settings["seed"]}, batch {settings["batch"]}, two global crops of {crops["global_px"]} px and
  {crops["n_local"]} local ones of {crops["local_px"]} px; then {what}.
  The learning rate falls over the last {settings["cooldown_steps"]:,} steps of both alike.
- **Command**: `experiments/README.md`; every setting is in `training.json` beside this card.
- **Machine**: {MACHINE}.
- **Weights**: the averaged (teacher) network, rounded to float16.

{chr(10).join(table(bars))}

{name} itself, photograph by photograph:

{chr(10).join(differences(bars, name))}

Class tokens: 2,000 thumbnails not trained on, 10 of each class, each voted on by its 10 nearest others (of
pixels the whole map stands for it). Sharpness and coherence: the first 50 photographs of
BSDS500 (test) by name, one person's contours, 16 patches on the short side. mIoU: CamVid (test), both ways.
95% intervals over photographs. Random weights are the same architecture before training, which knows no
object: a score they reach too was not learned. {" and ".join(FIRST)}: the pair before this one, 2,400
steps on a thousand photographs (`experiments/arms/seed-0`).

**What it is not**: a model for any use beside demonstration and tests. It has seen 40,000 small photographs,
and its quality is far below that of any published backbone. It is not a small DINOv3, and a difference
between `mini` and `mini-gram` says nothing about differences between DINOv2 and DINOv3.
"""


def main(words: Sequence[str] | None = None) -> None:
    """Both models, and what was put where."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bundle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("photographs", nargs="+")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(words)
    bars = read_bars(BARS)
    for name, arm in BUNDLED.items():
        folder, target = asked.out / "arms" / f"seed-{asked.seed}" / arm, WEIGHTS / name
        settings = json.loads((folder / "run.json").read_text())["settings"]
        shutil.rmtree(target, ignore_errors=True)
        size = round_weights(folder / "teacher", target)
        (target / "training.json").write_text(json.dumps(settings, indent=2) + "\n")
        (target / "README.md").write_text(card(name, settings, bars))
        print(f"{target}: {size:,} bytes")
    print(write_fingerprints(asked.photographs))


if __name__ == "__main__":
    main()
