"""Measures networks on real photographs: the bars that the bundled pair is held to.

    python -m experiments.bars REAL OUT.jsonl NAME=FOLDER ... [--controls] [--again] [--only thumbnails,bsds]

REAL holds ``thumbnails/4.tar`` (none of it trained on), ``bsds`` and ``camvid``. OUT gets a line for each
network and kind; those that are there already are not measured again without ``--again``. ``--controls`` adds
pixels and random weights of the trunk's architecture. Bars: class-token k-NN >= 0.08, mean average precision
>= 0.035, CamVid mIoU >= 0.06 above the better of pixels and random, boundary AUC >= 0.80, matched coherence
>= 0.76; each network beside random weights and the first pair's `mini` (``first-mini``: ``continue`` of
``experiments/arms/seed-0``), paired by photograph, with an interval.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dinoscope.anchoring.config import Settings
from dinoscope.anchoring.network import write_backbone
from dinoscope.anchoring.state import fresh_state
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.data.features import PatchFeatures
from dinoscope.data.photograph import Photograph
from dinoscope.io.collections.collection import each_item
from dinoscope.io.images import read_photograph
from dinoscope.io.masks import read_labels
from dinoscope.maths.boundary import boundary_auc
from dinoscope.maths.class_tokens import cls_hits
from dinoscope.maths.intervals import paired_difference
from dinoscope.maths.masks import patch_labels
from dinoscope.maths.matched import matched_coherence_auc
from dinoscope.maths.patches import unit
from dinoscope.maths.retrieval_scores import relevant_ranks, score_columns
from dinoscope.maths.segments import knn_miou
from dinoscope.pipeline.extract import extract
from experiments.recipe import TRUNK

Line = Mapping[str, Any]
"""What was measured of one network in one way."""

PER_CLASS, NEIGHBOURS = 10, 10
GRID, THUMBNAIL_GRID = 16, 8
DEVELOPMENT = 50
"""Photographs of BSDS, by name; the others are kept for an experiment whose rules are committed first."""


def held_out(tar: Path) -> Iterator[tuple[str, Photograph]]:
    """Class and photograph: the first ten of each class, as they come in the archive."""
    seen: Counter[str] = Counter()
    for item in each_item(tar):
        label = item.key.split("::")[1].split("/")[0]
        seen[label] += 1
        if seen[label] <= PER_CLASS:
            yield label, item.load()


def thumbnails(real: Path, backbone: Backbone) -> dict[str, object]:
    """Class-token k-NN and mean average precision, each photograph against all others."""
    names, photographs = zip(*held_out(real / "thumbnails" / "4.tar"), strict=True)
    labels = np.unique(names, return_inverse=True)[1]
    found = extract(list(photographs), backbone, grid=THUMBNAIL_GRID, batch_size=16)
    # Where there is no class token (pixels) the whole map stands for the photograph.
    vectors = np.stack([f.values.ravel() if f.cls is None else f.cls for f in found])
    directions = unit(vectors.astype(np.float64))
    same, itself = labels[:, None] == labels, np.eye(len(labels), dtype=bool)
    ranks = relevant_ranks(directions @ directions.T, same, ignored=itself)
    hits = cls_hits(vectors, labels, k=NEIGHBOURS)
    precision = score_columns(ranks, ())["ap"]
    return {
        "cls_knn": float(hits.mean()),
        "map": float(precision.mean()),
        "hits": np.flatnonzero(hits).tolist(),
        "average_precision": precision.round(5).tolist(),
    }


def bsds(real: Path, backbone: Backbone) -> dict[str, object]:
    """Boundary AUC and matched coherence against the median annotator, photograph by photograph."""
    paths = sorted((real / "bsds" / "images").glob("*.jpg"))[:DEVELOPMENT]
    values, matched = [], []
    for path, f in zip(paths, extract(paths, backbone, grid=GRID), strict=True):
        size = read_photograph(path).size
        labels = read_labels(real / "bsds" / "masks-1" / f"{path.stem}.png", size)
        known = patch_labels(labels, f.grid)
        values.append(boundary_auc(f, known).auc)
        matched.append(matched_coherence_auc(f, known).auc)
    return {
        "boundary_auc": float(np.mean(values)),
        "matched_coherence_auc": float(np.nanmean(matched)),
        "each": np.round(values, 5).tolist(),
        "each_matched": np.round(np.nan_to_num(matched, nan=0.5), 5).tolist(),
    }


def camvid(real: Path, backbone: Backbone) -> dict[str, object]:
    """Patch k-NN mIoU: one drive is labelled by its neighbours in the other; both ways, and their mean."""
    drives: dict[str, list[Path]] = {}
    for path in sorted((real / "camvid" / "images").iterdir()):
        drives.setdefault(path.stem.split("_")[0], []).append(path)
    maps: dict[str, list[PatchFeatures]] = {}
    classes: dict[str, list[np.ndarray]] = {}
    for drive, paths in drives.items():
        maps[drive] = list(extract(paths, backbone, grid=GRID))
        classes[drive] = [
            patch_labels(
                read_labels(real / "camvid" / "masks" / f"{p.stem}.png", read_photograph(p).size), f.grid
            ).labels
            for p, f in zip(paths, maps[drive], strict=True)
        ]
    one, other = sorted(drives)
    ways = {
        f"{a} by {b}": knn_miou(maps[b], classes[b], maps[a], classes[a]).miou
        for a, b in ((one, other), (other, one))
    }
    return {"miou": float(np.mean(list(ways.values()))), **ways}


FIRST = ("first-mini", "first-mini-gram")
"""The pair before the bundled one, as it is named here."""
REFERENCES = ("random", FIRST[0])
EACH: Mapping[str, Mapping[str, str]] = {
    "thumbnails": {"hits": "class-token k-NN", "average_precision": "average precision"},
    "bsds": {"each": "boundary AUC", "each_matched": "matched coherence"},
}
"""What there is a value of for each photograph, by kind; CamVid has one score a drive, and no interval."""

KINDS: Mapping[str, Callable[[Path, Backbone], dict[str, object]]] = {
    "thumbnails": thumbnails,
    "bsds": bsds,
    "camvid": camvid,
}


def random_network(folder: Path, settings: Settings | None = None) -> Path:
    """A network before its first step, by default the trunk's."""
    with torch.random.fork_rng():
        state = fresh_state(settings or TRUNK, torch.device("cpu"), None)
        write_backbone(state.teacher.backbone, folder)
    return folder


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet, and print all of it."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.bars",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("real", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("networks", nargs="*", metavar="NAME=FOLDER")
    parser.add_argument("--controls", action="store_true")
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--again", action="store_true", help="measure anew what has lines there already")
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    known = dict(read_bars(asked.out)) if asked.out.exists() else {}
    with tempfile.TemporaryDirectory() as folder, asked.out.open("a", encoding="utf-8") as log:
        networks: dict[str, Callable[[], Backbone]] = {}
        if asked.controls:
            networks["pixels"] = lambda: load_backbone("pixels")
            networks["random"] = lambda: load_backbone(weights=random_network(Path(folder) / "random"))
        for word in asked.networks:
            name, _, path = word.partition("=")
            networks[name] = lambda path=path: load_backbone(weights=Path(path))
        for name, load in networks.items():
            for kind in asked.only.split(","):
                if (name, kind) in known and not asked.again:
                    continue
                line: Line = {"name": name, "kind": kind, **KINDS[kind](asked.real, load())}
                log.write(json.dumps(line) + "\n")
                log.flush()
                known[name, kind] = line
    for line in known.values():
        print(line["name"], line["kind"], *(f"{k} {v:.4f}" for k, v in line.items() if isinstance(v, float)))
    for said in paired(list(known.values())):
        print(said)


def paired(lines: Sequence[Line]) -> Iterator[str]:
    """Each network minus each reference, photograph by photograph, with Student's t interval of the mean."""
    by_name = {(line["name"], line["kind"]): line for line in lines}
    for (name, kind), line in by_name.items():
        for reference in REFERENCES:
            other = by_name.get((reference, kind))
            if other is None or name in ("pixels", *REFERENCES, *FIRST):
                continue
            for key, label in EACH.get(kind, {}).items():
                if key in line and key in other:
                    found = paired_difference(each(line, key), each(other, key)).interval
                    told = f"{found.mean:+.4f} [{found.low:+.4f}, {found.high:+.4f}]"
                    yield f"{name} minus {reference}, {label}: {told}"


def read_bars(file: Path) -> Mapping[tuple[str, str], Line]:
    """By network and kind of measurement; of several the last."""
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    return {(line["name"], line["kind"]): line for line in lines}


def each(line: Line, key: str) -> np.ndarray:
    """One value a photograph; of hits, which lie there as the places of those that were right."""
    if key != "hits":
        return np.asarray(line[key], dtype=np.float64)
    right = np.zeros(len(line["average_precision"]))
    right[line["hits"]] = 1.0
    return right


if __name__ == "__main__":
    main()
