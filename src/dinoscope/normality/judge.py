"""Judge photographs by several models: banks of what is normal, thresholds, scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64
from scipy.ndimage import label

from dinoscope.backbones.base import Backbone
from dinoscope.comparison.plan import unique_labels
from dinoscope.data.features import PatchFeatures
from dinoscope.data.grid import PatchGrid
from dinoscope.data.photograph import Photograph
from dinoscope.data.results import Failure
from dinoscope.errors import DinoscopeError, ImageError, NoUsablePhotographError
from dinoscope.io.defect_folders import DefectFolders, Query, defect_folders, read_defects
from dinoscope.io.images import PREVIEW_PX, preview
from dinoscope.io.sources import photograph_paths
from dinoscope.maths.detection import PRO_LIMIT, jackknife, left_out_areas
from dinoscope.maths.masks import label_counts
from dinoscope.normality.judged import Judged, JudgedModel
from dinoscope.normality.normal import Normal, fit_normal, photograph_score
from dinoscope.pipeline.extract import extract, failure_of, load_photograph

SHOWN = 8
"""Queries kept for pictures, evenly over all."""

_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class NormalSettings:
    """How photographs are judged.

    Attributes:
        grid: patches on the short side, the same for all models.
        layer: of every model; None for the last.
        resize: as for `extract`.
        coverage: as for `fit_normal`.
        rate: of false alarms; as for `Normal.threshold`.
        exact: as for `fit_normal`.
    """

    grid: int = 32
    layer: int | None = None
    resize: str = "bilinear"
    coverage: float | None = None
    rate: float | None = None
    exact: bool | None = None


@dataclass(slots=True)
class _Gathered:
    """One model's numbers of the queries so far: of photographs, and of patches with their weights."""

    scores: list[float] = field(default_factory=list)
    maps: dict[int, Float64[np.ndarray, "_ _"]] = field(default_factory=dict)
    patches: list[Float64[np.ndarray, "n 5"]] = field(default_factory=list)


def judge(
    good: str | Path,
    queries: Sequence[str | Path],
    backbones: Sequence[Backbone],
    *,
    masks: str | Path | None = None,
    grid: int = 32,
    coverage: float | None = None,
    rate: float | None = None,
    controls: Sequence[Backbone] = (),
) -> Judged:
    """How far photographs are from what is normal, by every model, with thresholds and, with masks, scores.

    A photograph that is judged and among the normal ones, too, lies at 0 whatever it shows: no score counts
    it.

    Args:
        good: folder of normal photographs, or a category in MVTec AD's layout.
        queries: photographs to judge, or folders of them; of a category may be empty.
        backbones: the first is the reference of differences.
        masks: folder of masks of known defects, ``KIND/NAME_mask.png``.
        grid: patches on the short side.
        coverage: as for `fit_normal`.
        rate: of false alarms; as for `Normal.threshold`.
        controls: run beside.

    Raises:
        InputError: nothing to judge, too few normal photographs, or for the rate.
        NoUsablePhotographError: no query can be used.
    """
    folders = defect_folders(
        Path(good), [Path(query) for query in queries], None if masks is None else Path(masks)
    )
    return judge_queries(
        folders, backbones, NormalSettings(grid, coverage=coverage, rate=rate), controls=controls
    )


def judge_queries(
    folders: DefectFolders,
    backbones: Sequence[Backbone],
    settings: NormalSettings,
    *,
    controls: Sequence[Backbone] = (),
    on_failure: Callable[[Failure], None] = lambda _: None,
    on_progress: Callable[[int], None] = lambda _: None,
) -> Judged:
    """Fit every model's bank and judge every query by it; see `judge`.

    Args:
        folders: what is normal and what is to be judged.
        backbones: the first is the reference of differences.
        settings: grid, coverage, rate.
        controls: run beside.
        on_failure: called with each photograph left out, and with each whose truth is not known.
        on_progress: called with how many queries are done with.

    Raises:
        InputError: too few normal photographs, or for the rate.
        NoUsablePhotographError: no query can be used.
    """
    failures: list[Failure] = []

    def failed(failure: Failure) -> None:
        if failure not in failures:
            failures.append(failure)
            on_failure(failure)

    every = [*backbones, *controls]
    paths, missing = photograph_paths(folders.good)
    for failure in missing:
        failed(failure)
    banks = [_bank(paths, backbone, settings, failed) for backbone in every]
    thresholds = [bank.threshold(settings.rate) for bank in banks]
    gathered = [_Gathered() for _ in every]
    kept = set(np.linspace(0, len(folders.queries) - 1, min(SHOWN, len(folders.queries))).round().astype(int))
    names: list[str] = []
    kinds: list[str] = []
    digests: list[str] = []
    defective: list[bool | None] = []
    scored: list[bool | None] = []
    shown = {}
    for place, query in enumerate(folders.queries):
        try:
            photograph = load_photograph(query.path)
            found = [_features(photograph, backbone, settings) for backbone in every]
            maps = [bank.score(f) for bank, f in zip(banks, found, strict=True)]
        except DinoscopeError as error:
            failed(failure_of(query.path, error))
            continue
        truth = _truth(query, folders.masks, photograph.size, failed)
        in_bank = photograph.digest in banks[0].digests
        at = len(names)
        for one, f, distances in zip(gathered, found, maps, strict=True):
            one.scores.append(photograph_score(distances))
            if place in kept:
                one.maps[at] = distances
            if truth is not None and not in_bank:
                one.patches.append(_weighed(distances, truth, f.grid, at))
        if place in kept:
            shown[at] = preview(photograph, longest_px=PREVIEW_PX), truth
        names.append(photograph.name)
        kinds.append(query.kind)
        digests.append(photograph.digest)
        defective.append(None if truth is None else bool(truth.any()))
        scored.append(None if in_bank else defective[-1])
        on_progress(place + 1)
    if not names:
        raise NoUsablePhotographError("none of the photographs to judge could be used")
    areas = [_areas(one, scored) for one in gathered]
    models = [
        JudgedModel(
            label_,
            "control" if j >= len(backbones) else backbone.spec.kind,
            backbone.origin,
            bank,
            threshold,
            np.array(one.scores),
            one.maps,
            {key: jackknife(row) for key, row in areas[j].items()},
            {key: jackknife(row - areas[0][key], difference=True) for key, row in areas[j].items()}
            if j
            else {},
        )
        for j, (label_, backbone, bank, threshold, one) in enumerate(
            zip(unique_labels(every), every, banks, thresholds, gathered, strict=True)
        )
    ]
    return Judged(
        tuple(models),
        tuple(names),
        tuple(kinds),
        tuple(digests),
        tuple(defective),
        shown,
        asdict(settings),
        tuple(failures),
    )


def _bank(
    paths: Sequence[Path],
    backbone: Backbone,
    settings: NormalSettings,
    failed: Callable[[Failure], None],
) -> Normal:
    return fit_normal(
        extract(
            paths,
            backbone,
            grid=settings.grid,
            layer=settings.layer,
            resize=settings.resize,
            on_failure=failed,
        ),
        coverage=settings.coverage,
        exact=settings.exact,
    )


def _features(photograph: Photograph, backbone: Backbone, settings: NormalSettings) -> PatchFeatures:
    return next(
        extract([photograph], backbone, grid=settings.grid, layer=settings.layer, resize=settings.resize)
    )


def _truth(
    query: Query, masks: Path | None, size: tuple[int, int], failed: Callable[[Failure], None]
) -> Bool[np.ndarray, "H W"] | None:
    if masks is None:
        return None
    try:
        return read_defects(query, masks, size)
    except ImageError as error:
        failed(Failure(error.source, f"judged, but not scored: {error.reason}"))
        return None


def _weighed(
    distances: Float64[np.ndarray, "h w"], truth: Bool[np.ndarray, "H W"], grid: PatchGrid, at: int
) -> Float64[np.ndarray, "n 5"]:
    """For each patch its distance, its defective and its sound pixels, and its shares of whole regions."""
    regions, _ = label(truth, _EIGHT)
    known, counts = label_counts(regions.astype(np.int64), grid)
    inside = counts[:, known > 0]
    shares = (inside / inside.sum(axis=0)).sum(axis=1) if inside.shape[1] else np.zeros(grid.n)
    sound = counts[:, known == 0].sum(axis=1)
    return np.column_stack(
        [distances.ravel(), inside.sum(axis=1), sound, shares, np.full(grid.n, at)]
    ).astype(np.float64)


def _areas(one: _Gathered, defective: Sequence[bool | None]) -> dict[str, Float64[np.ndarray, " owners"]]:
    """By the keys of `judged.SCORES`, over the photographs that have a truth; none where none has."""
    known = [i for i, d in enumerate(defective) if d is not None]
    if not known:
        return {}
    bad = np.array([bool(defective[i]) for i in known], np.float64)
    scores, owner = np.array(one.scores)[known], np.arange(len(known))
    rows = np.concatenate(one.patches)
    _, owner_of = np.unique(rows[:, 4], return_inverse=True)
    distances, inside, sound, shares = rows[:, :4].T
    return {
        "image_auroc": left_out_areas(scores, bad, 1 - bad, owner),
        "pixel_auroc": left_out_areas(distances, inside, sound, owner_of),
        "pro": left_out_areas(distances, shares, sound, owner_of, limit=PRO_LIMIT),
    }
