"""What held-out scenes say: patches and main subjects have classes, and a frozen teacher may be known."""

from __future__ import annotations

import math

import numpy as np

from dinoscope.maths.class_tokens import cls_accuracy
from dinoscope.maths.gram import gram_distance
from dinoscope.maths.patches import as_rows
from dinoscope.maths.segments import knn_miou
from dinoscope.maths.spectrum import effective_rank
from dinoscope.metrics.facts import Metric, OfScenes, Values
from dinoscope.metrics.subject import Scenes


def _knn(scenes: Scenes) -> Values:
    """The first half of the scenes teaches, the second is scored."""
    half = len(scenes.maps) // 2
    found = knn_miou(
        scenes.maps[:half],
        scenes.classes[:half],
        scenes.maps[half:],
        scenes.classes[half:],
        k=scenes.patch_neighbours,
        max_train=scenes.most_patches,
    )
    return {"scene_knn_miou": found.miou}


def _tokens(scenes: Scenes) -> Values:
    return {"cls_knn": cls_accuracy(scenes.tokens, scenes.labels, k=scenes.image_neighbours)}


def _rank(scenes: Scenes) -> Values:
    rows = np.concatenate([as_rows(f) for f in scenes.maps])
    return {"effective_rank_scenes": effective_rank(rows, centre=True)}


def _teacher(scenes: Scenes) -> Values:
    if scenes.teacher is None:
        return {"gram_distance_teacher": math.nan}
    distances = [gram_distance(f, t) for f, t in zip(scenes.maps, scenes.teacher, strict=True)]
    return {"gram_distance_teacher": float(np.mean(distances))}


KNN = Metric(
    "scene_knn_miou",
    "Patch k-NN mIoU between scenes",
    "scenes",
    0,
    "classes of patches of half of the scenes read off their nearest patches in the other half; mean "
    "intersection over union",
    short="patch kNN mIoU",
    unit="%",
    needs_masks=True,
    collection=True,
    reported=False,
)
TOKENS = Metric(
    "cls_knn",
    "Class-token k-NN",
    "scenes",
    1,
    "class of a scene's main subject read off the nearest class tokens of the other scenes",
    short="class-token kNN",
    unit="%",
    collection=True,
    reported=False,
)
RANK = Metric(
    "effective_rank_scenes",
    "Effective rank over scenes",
    "scenes",
    2,
    "directions that centred patches of all scenes use (RankMe): exponential of the spectrum's entropy",
    short="effective rank",
    range=(1.0, math.inf),
    collection=True,
    reported=False,
)
TEACHER = Metric(
    "gram_distance_teacher",
    "Gram distance to the teacher",
    "scenes",
    3,
    "what the anchor minimises, to the first frozen teacher; it only shows that the loss works",
    short="Gram distance to teacher",
    range=(0.0, 4.0),
    collection=True,
    reported=False,
)

FAMILIES = (
    OfScenes((KNN,), _knn),
    OfScenes((TOKENS,), _tokens),
    OfScenes((RANK,), _rank),
    OfScenes((TEACHER,), _teacher),
)
