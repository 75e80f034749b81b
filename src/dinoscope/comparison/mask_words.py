"""What is said of masks: whose they are, what their numbers mean, and what can therefore not be scored."""

from __future__ import annotations

import numpy as np

from dinoscope.comparison.people import CEILING
from dinoscope.data.results import Measurements
from dinoscope.metrics.registry import METRICS


def masks_told(measured: Measurements) -> tuple[str, ...]:
    """Sentences without their full stops; none where nothing was scored against masks."""
    return (*_kind(measured), *_unscored(measured), *_people(measured), *undefined_told(measured))


def undefined_told(measured: Measurements) -> tuple[str, ...]:
    """One sentence for each reason why metrics are undefined."""
    by_reason: dict[str, list[str]] = {}
    for key, reason in measured.undefined.items():
        if key in measured.values or key in measured.collection:
            by_reason.setdefault(reason, []).append(METRICS[key].title)
    return tuple(f"undefined, since {reason}: {'; '.join(titles)}" for reason, titles in by_reason.items())


def others_told(measured: Measurements) -> tuple[str, ...]:
    """What the control of other photographs' features is, and of how many photographs."""
    controls = measured.controls
    if controls is None or not controls.borrowed:
        return ()
    label = controls.borrowed
    j = controls.models.index(label)
    n = max((summaries[j].n for summaries in controls.summaries.values()), default=0)
    if not n:
        return (f"{label} is undefined: no photograph has another one of its grid shape",)
    what = f"{label}: features of another photograph of the same grid shape"
    return (f"{what}, for {n} of {len(controls.images)} photographs",)


def _kind(measured: Measurements) -> tuple[str, ...]:
    kind = measured.mask_kind
    if kind is None:
        return (f"masks: {measured.masks}",) if measured.masks else ()
    if kind.sure:
        return (f"masks: {measured.masks}, which are {kind.name} ({kind.reason})",)
    return (
        f"masks: {measured.masks}, taken for {kind.name} ({kind.reason}): a guess, which mask_kind or "
        "--mask-kind overrules",
    )


def _unscored(measured: Measurements) -> tuple[str, ...]:
    """Photographs that no metric of which patches belong together has a number for."""
    asked = [measured.values[key] for key in CEILING if key in measured.values]
    if measured.mask_kind is None or not asked:
        return ()
    unscored = np.isnan(np.concatenate(asked, axis=1)).all(axis=1)
    if not unscored.any():
        return ()
    named = [name for name, alone in zip(measured.images, unscored, strict=True) if alone]
    return (
        f"no scores against masks for {len(named)} of {len(unscored)} photographs, which have none or one "
        f"label alone on this grid: {', '.join(named[:3])}{', …' if len(named) > 3 else ''}",
    )


def _people(measured: Measurements) -> tuple[str, ...]:
    people = measured.people
    if people is None:
        return ()
    counts = [max((s[j].n for s in people.summaries.values()), default=0) for j in range(len(people.models))]
    n = ", ".join(str(count) for count in counts)
    several = "" if len(counts) == 1 else "; people: each against each other, mean of the ordered pairs"
    return (
        f"{people.masks}: a person's segmentation scored as features against {measured.masks}{several}: the "
        f"ceiling that people reach, on {n} of {len(people.images)} photographs",
    )
