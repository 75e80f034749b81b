"""Measures the networks of the confirmatory experiment, trunk by trunk, into one file.

    python -m experiments.confirmatory.measure OUT REAL SCORES.jsonl [--development]

OUT is what ``experiments.confirmatory.train`` filled; REAL holds ``bsds`` with the masks of four people,
``camvid`` and ``thumbnails/4.tar``. SCORES gets a line for each network; those that are there are not
measured again, and a trunk whose arms are not all there waits. ``--development`` looks at the first 50
photographs alone, which are not those that the rules speak of. About a minute a network on one CPU core.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from dinoscope.anchoring.folder import RunFolder
from dinoscope.backbones.base import Backbone
from dinoscope.backbones.load import load_backbone
from dinoscope.comparison.content_free import position_basis
from dinoscope.comparison.controls import blurred
from dinoscope.comparison.people import PAIRS, people_labels, people_numbers
from dinoscope.data.annotation import REGIONS, Annotation, MaskKind
from dinoscope.data.features import PatchFeatures
from dinoscope.maths.boundary import boundary_auc, coherence_auc
from dinoscope.maths.channels import channels_of, standardised
from dinoscope.maths.matched import matched_coherence_auc
from dinoscope.maths.position import position_fit, remove_subspace
from dinoscope.maths.spectrum import effective_rank
from dinoscope.metrics.subject import PURE
from dinoscope.pipeline.extract import extract
from experiments import bars
from experiments.confirmatory.labelled import PEOPLE, Labelled, planted, segmented, streets
from experiments.confirmatory.rules import PRIMARY
from experiments.confirmatory.train import EARLY, SEEDS, SNAPSHOTS

GRID, DIRECTIONS, FOLDS = 16, 16, 5
ARMS: Mapping[str, str] = {
    "continue": "continue",
    "gram-x1": "gram-x1",
    "gram-x2": "gram-x2",
    "feature-mse": "feature-mse",
    "gram-x1-blurred": "blurred/gram-x1",
    "gram-x1-random": "random/gram-x1",
}
"""The arms' names in the rules, and their folders."""

TEACHER, LAST, RANDOM = "early teacher", f"trunk at {SNAPSHOTS[-1]}", "random weights"
PIXELS, BLURRED, HUMANS = "pixels", "blur:continue", PAIRS
ANOTHER = "continue of another photograph"
SECONDARY = ("camvid", "scenes")
SEGMENTED = MaskKind(REGIONS, "said by the data set", sure=True)

Map = np.ndarray


def maps_of(backbone: Backbone, labelled: Labelled) -> list[PatchFeatures]:
    """Of every photograph."""
    return list(extract(labelled.photographs, backbone, grid=GRID))


def blurred_maps_of(backbone: Backbone, labelled: Labelled) -> list[PatchFeatures]:
    """Of every photograph, blurred between patches."""
    return [blurred(f) for f in maps_of(backbone, labelled)]


def scores(features: Sequence[PatchFeatures], photographs: Labelled, basis: Map | None) -> dict[str, float]:
    """Every outcome of one network, each a mean over photographs, and over people where masks are asked.

    Args:
        features: of all photographs.
        photographs: they and their masks.
        basis: directions that place alone moves patches in, "n dim"; None for a network without any.
    """
    maps = [np.asarray(f.values, dtype=np.float64) for f in features]
    channels = channels_of(maps)
    found = {
        **_against_people(maps, features, photographs),
        **_prefixed(
            "standardised",
            _against_people([standardised(m, channels) for m in maps], features, photographs),
        ),
        "coherence_floor": of_another(features, photographs)["coherence_auc"],
        "position_r2": position_fit(maps, folds=FOLDS).mean,
        "effective_rank": float(np.mean([effective_rank(m) for m in maps])),
    }
    if basis is not None:
        kept = [remove_subspace(m, basis) for m in maps]
        found |= _prefixed("without_position", _against_people(kept, features, photographs))
    return {**found, "coherence_over_floor": found["coherence_auc"] - found["coherence_floor"]}


def _against_people(
    maps: Sequence[Map], features: Sequence[PatchFeatures], photographs: Labelled
) -> dict[str, float]:
    rows = []
    for place, (values, f) in enumerate(zip(maps, features, strict=True)):
        people = photographs.labels(place, f)
        rows.append(
            [
                np.nanmean([matched_coherence_auc(values, one).auc for one in people]),
                np.nanmean([boundary_auc(values, one, min_purity=PURE).auc for one in people]),
                np.nanmean([coherence_auc(values, one).auc for one in people]),
            ]
        )
    means = np.nanmean(rows, axis=0)
    return dict(zip((*PRIMARY, "coherence_auc"), map(float, means), strict=True))


def _prefixed(prefix: str, found: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": found[name] for name in PRIMARY}


def elsewhere(features: Sequence[PatchFeatures]) -> list[int]:
    """For every photograph the place of another: of the next one of the same shape.

    Raises:
        ValueError: a photograph is the only one of its shape.
    """
    by_shape: dict[tuple[int, int], list[int]] = {}
    for place, f in enumerate(features):
        by_shape.setdefault(f.grid.shape, []).append(place)
    nexts = {}
    for shape, places in by_shape.items():
        if len(places) < 2:
            raise ValueError(f"one photograph alone has {shape} patches; another of that shape is needed")
        nexts |= dict(zip(places, [*places[1:], places[0]], strict=True))
    return [nexts[place] for place in range(len(features))]


def of_another(features: Sequence[PatchFeatures], photographs: Labelled) -> dict[str, float]:
    """What the features of another photograph score, which know nothing of this one."""
    maps = [np.asarray(features[other].values, dtype=np.float64) for other in elsewhere(features)]
    return _against_people(maps, features, photographs)


def humans(photographs: Labelled, features: Sequence[PatchFeatures]) -> dict[str, float]:
    """What people score against one another, over all ordered pairs."""
    column = people_labels(len(PEOPLE)).index(PAIRS)
    rows = [
        people_numbers([Annotation(labels, None, SEGMENTED) for labels in annotation], f.grid)
        for annotation, f in zip(photographs.annotations, features, strict=True)
    ]
    return {name: float(np.nanmean([row[name][column] for row in rows])) for name in PRIMARY}


def networks(trunk: Path) -> dict[str, Path]:
    """Name and folder of every network of a trunk, those that are not there included."""
    run = RunFolder(trunk / "trunk")
    return {
        **{TEACHER if s == EARLY else f"trunk at {s}": run.snapshot(s) for s in SNAPSHOTS},
        RANDOM: RunFolder(trunk / "random").snapshot(0),
        **{name: RunFolder(trunk / "arms" / folder).teacher for name, folder in ARMS.items()},
    }


def beside(
    secondary: Mapping[str, Labelled], of: Callable[[Labelled], Sequence[PatchFeatures]]
) -> dict[str, float]:
    """The primary outcomes on the secondary photographs, ``camvid_…`` and ``scenes_…``."""
    found: dict[str, float] = {}
    for name, photographs in secondary.items():
        features = of(photographs)
        maps = [np.asarray(f.values, dtype=np.float64) for f in features]
        found |= _prefixed(name, _against_people(maps, features, photographs))
    return found


def measured(
    trunk: Path, photographs: Labelled, secondary: Mapping[str, Labelled], real: Path, known: set[str]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Name and outcomes of every network of a trunk that is not known yet."""
    for name, folder in networks(trunk).items():
        also = {BLURRED, ANOTHER} - known if name == "continue" else set()
        if name in known and not also:
            continue
        backbone = load_backbone(weights=folder)
        of = partial(maps_of, backbone)
        features, basis = of(photographs), position_basis(backbone, GRID, rank=DIRECTIONS)
        if name not in known:
            token = bars.thumbnails(real, backbone)["cls_knn"]
            found = {**scores(features, photographs, basis), **beside(secondary, of)}
            yield name, {**found, "cls_knn": float(str(token))}
        if ANOTHER in also:
            yield ANOTHER, of_another(features, photographs)
        if BLURRED in also:
            found = scores([blurred(f) for f in features], photographs, basis)
            yield BLURRED, {**found, **beside(secondary, partial(blurred_maps_of, backbone))}


def main(words: Sequence[str] | None = None) -> None:
    """Measure what is not measured yet."""
    parser = argparse.ArgumentParser(
        prog="python -m experiments.confirmatory.measure",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("out", type=Path)
    parser.add_argument("real", type=Path)
    parser.add_argument("scores", type=Path)
    parser.add_argument("--development", action="store_true")
    parser.add_argument("--trunks", default=",".join(map(str, SEEDS)))
    asked = parser.parse_args(words)
    torch.set_num_threads(1)
    lines = asked.scores.read_text().splitlines() if asked.scores.exists() else []
    known = {(line["trunk"], line["network"]) for line in map(json.loads, lines)}
    photographs = segmented(asked.real, development=asked.development)
    secondary = dict(zip(SECONDARY, (streets(asked.real), planted()), strict=True))
    with asked.scores.open("a", encoding="utf-8") as log:

        def write(trunk: int, network: str, found: Mapping[str, float]) -> None:
            log.write(json.dumps({"trunk": trunk, "network": network, **found}, allow_nan=False) + "\n")
            log.flush()

        if (0, PIXELS) not in known:
            of = partial(maps_of, load_backbone("pixels"))
            features = of(photographs)
            others = beside(secondary, of)
            write(0, PIXELS, {**scores(features, photographs, None), **others})
            write(0, HUMANS, humans(photographs, features))
        for seed in map(int, asked.trunks.split(",")):
            trunk = asked.out / f"trunk-{seed}"
            missing = [name for name, folder in networks(trunk).items() if not folder.exists()]
            if missing:
                print(f"trunk {seed} waits for {', '.join(missing)}")
                continue
            mine = {network for trunk_seed, network in known if trunk_seed == seed}
            for name, found in measured(trunk, photographs, secondary, asked.real, mine):
                write(seed, name, found)
                print(f"trunk {seed}: {name}", flush=True)


if __name__ == "__main__":
    main()
