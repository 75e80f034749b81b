"""Can the classes of new photographs be read off their patches? kNN and linear mIoU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from dinoscope.errors import GridMismatchError, InputError, ShapeError
from dinoscope.maths.logistic import fit_logistic
from dinoscope.maths.masks import UNKNOWN
from dinoscope.maths.patches import PatchMap, as_map, unit

NEIGHBOURS = 20
TEMPERATURE = 0.07
MAX_TRAIN = 20_000
BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """Intersection over union of patch classes on photographs that were not trained on.

    Attributes:
        miou: mean of ``iou`` over the classes that the test labels hold, in [0, 1]; NaN without any.
        classes: every class of training or test labels, ascending.
        iou: for each; NaN for a class neither predicted nor present in the test.
        n_train, n_test: labelled patches used.
        converged: false where the linear readout stopped before it had converged.
    """

    miou: float
    classes: Int64[np.ndarray, " c"]
    iou: Float64[np.ndarray, " c"]
    n_train: int
    n_test: int
    converged: bool = True


def knn_miou(
    train: Sequence[PatchMap],
    train_labels: Sequence[Int[np.ndarray, "_ _"]],
    test: Sequence[PatchMap],
    test_labels: Sequence[Int[np.ndarray, "_ _"]],
    *,
    k: int = NEIGHBOURS,
    max_train: int = MAX_TRAIN,
    seed: int = 0,
) -> Segmentation:
    """Each test patch takes the class that its nearest training patches vote for.

    Votes of the ``k`` largest cosines, weighted ``exp(cosine / 0.07)``; of equal votes the smallest class
    wins. Source: Wu et al. (arXiv 1805.01978, section 3.4), as in DINO's kNN evaluation.

    Args:
        train, test: maps of different photographs: keeping them apart is the caller's part.
        train_labels, test_labels: class of each patch; -1 is ignored.
        k: neighbours; all training patches where there are fewer.
        max_train: with more labelled training patches, this many are drawn without replacement.
        seed: of the draw.

    Cost: O(train·test·dim) time, blocks of 1,024 test patches in memory.

    Raises:
        InputError: no labelled patches to train on, ``k`` below 1, NaN or infinite values, or lists of
            different lengths.
        GridMismatchError: labels on another grid.
        ShapeError: different channels.
    """
    if k < 1:
        raise InputError(f"k must be at least 1, got {k}")
    x, y = _labelled(train, train_labels, "train")
    x, y = _drawn(x, y, max_train, seed)
    z, truth = _labelled(test, test_labels, "test", dim=x.shape[1])
    return _score(knn_labels(unit(x), y, unit(z), k), truth, y)


def knn_labels(
    x: Float[np.ndarray, "n dim"],
    y: Int64[np.ndarray, " n"],
    z: Float[np.ndarray, "m dim"],
    k: int = NEIGHBOURS,
) -> Int64[np.ndarray, " m"]:
    """The classes of ``z`` by the votes of `knn_miou`; all vectors of unit length."""
    classes, index = np.unique(y, return_inverse=True)
    k = min(k, len(x))
    predicted = np.empty(len(z), np.int64)
    for start in range(0, len(z), BLOCK):
        cosines = z[start : start + BLOCK] @ x.T
        nearest = np.argpartition(cosines, -k, axis=1)[:, -k:]
        weights = np.exp((np.take_along_axis(cosines, nearest, axis=1) - 1.0) / TEMPERATURE)
        votes = np.zeros((len(cosines), len(classes)))
        np.add.at(votes, (np.arange(len(cosines))[:, None], index[nearest]), weights)
        predicted[start : start + BLOCK] = classes[votes.argmax(axis=1)]
    return predicted


def linear_miou(
    train: Sequence[PatchMap],
    train_labels: Sequence[Int[np.ndarray, "_ _"]],
    test: Sequence[PatchMap],
    test_labels: Sequence[Int[np.ndarray, "_ _"]],
    *,
    c: float = 1.0,
    max_train: int = MAX_TRAIN,
    seed: int = 0,
) -> Segmentation:
    """Each test patch takes the class of a multinomial logistic regression on the training patches.

    Channels are centred on the training patches and divided by one common standard deviation, so that a
    rotation or a scale of the features changes nothing; the penalty is that of `fit_logistic`.
    Arguments and errors as `knn_miou`; with a single training class, that class is predicted.
    """
    if not c > 0:
        raise InputError(f"c must be above 0, got {c}")
    x, y = _labelled(train, train_labels, "train")
    x, y = _drawn(x, y, max_train, seed)
    z, truth = _labelled(test, test_labels, "test", dim=x.shape[1])
    predicted, converged = linear_labels(x, y, z, c)
    return _score(predicted, truth, y, converged=converged)


def linear_labels(
    x: Float[np.ndarray, "n dim"], y: Int64[np.ndarray, " n"], z: Float[np.ndarray, "m dim"], c: float = 1.0
) -> tuple[Int64[np.ndarray, " m"], bool]:
    """The classes of ``z`` by the regression of `linear_miou`, and whether it converged."""
    if len(np.unique(y)) == 1:
        return np.full(len(z), y[0]), True
    mean = x.mean(axis=0)
    deviation = float(np.sqrt(x.var(axis=0).mean())) or 1.0
    model = fit_logistic((x - mean) / deviation, y, c)
    return model.predict((z - mean) / deviation), model.converged


def class_iou(
    predicted: Int[np.ndarray, " n"], truth: Int[np.ndarray, " n"], classes: Int[np.ndarray, " c"]
) -> Float64[np.ndarray, " c"]:
    """Intersection over union of each class; NaN for one that neither side holds.

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge (2015), section 3.4.
    """
    hits = np.array([((predicted == k) & (truth == k)).sum() for k in classes], dtype=np.float64)
    union = np.array([((predicted == k) | (truth == k)).sum() for k in classes], dtype=np.float64)
    return np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)


def _labelled(
    maps: Sequence[PatchMap], labels: Sequence[Int[np.ndarray, "_ _"]], what: str, dim: int | None = None
) -> tuple[Float64[np.ndarray, "n dim"], Int64[np.ndarray, " n"]]:
    if len(maps) != len(labels) or not maps:
        raise InputError(f"{what}: {len(maps)} feature maps with {len(labels)} label maps")
    rows, ids = [], []
    for i, (features, known) in enumerate(zip(maps, labels, strict=True)):
        values = as_map(features, f"{what} map {i}")
        dim = values.shape[2] if dim is None else dim
        if values.shape[2] != dim:
            raise ShapeError(f"{what} map {i}", expected=f"h w dim={dim}", actual=values.shape)
        if known.shape != values.shape[:2]:
            raise GridMismatchError(
                (values.shape[0], values.shape[1]),
                (known.shape[0], known.shape[1]),
                "label the features' own grid",
            )
        rows.append(values[known != UNKNOWN])
        ids.append(known[known != UNKNOWN].astype(np.int64))
    return np.concatenate(rows), np.concatenate(ids)


def _drawn(
    x: Float64[np.ndarray, "n dim"], y: Int64[np.ndarray, " n"], most: int, seed: int
) -> tuple[Float64[np.ndarray, "m dim"], Int64[np.ndarray, " m"]]:
    if not len(y) or most < 1:
        raise InputError("there are no labelled patches to train on")
    if len(y) <= most:
        return x, y
    keep = np.sort(np.random.default_rng(seed).choice(len(y), most, replace=False))
    return x[keep], y[keep]


def _score(
    predicted: Int64[np.ndarray, " n"],
    truth: Int64[np.ndarray, " n"],
    y: Int64[np.ndarray, " m"],
    *,
    converged: bool = True,
) -> Segmentation:
    classes = np.union1d(y, truth)
    iou = class_iou(predicted, truth, classes)
    present = np.isin(classes, truth)
    miou = float(iou[present].mean()) if present.any() else float("nan")
    return Segmentation(miou, classes, iou, len(y), len(truth), converged)
