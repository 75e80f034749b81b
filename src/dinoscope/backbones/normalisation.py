"""Which mean and standard deviation does a model's folder state?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dinoscope.backbones.hub import CONFIG, PREPROCESSOR
from dinoscope.data.spec import Statistics

TOLERANCE = 1e-3
"""Statistics that differ by no more are the same, rounded."""

Triple = tuple[float, float, float]


class UnusableError(ValueError):
    """A description that states no mean and std of colours in [0, 1]; says why."""


class Described(NamedTuple):
    """What a folder says of how its model wants colours, and in which of its files."""

    facts: Mapping[str, Any]
    file: str = PREPROCESSOR


class Normalisation(NamedTuple):
    """Mean and std of colours in [0, 1], where they come from, and what a reader must know of that."""

    mean: Triple
    std: Triple
    statistics: Statistics
    notes: tuple[str, ...] = ()


def described(config: Mapping[str, Any] | None, preprocessor: Mapping[str, Any] | None) -> Described | None:
    """``preprocessor_config.json``, or else what timm's ``config.json`` states; None for neither.

    timm's lies under ``pretrained_cfg``, in old files at the top.
    """
    if preprocessor is not None:
        return Described(preprocessor)
    if config is None or "architecture" not in config:
        return None
    inner = config.get("pretrained_cfg", config)
    if not isinstance(inner, Mapping) or not {"mean", "std"} & set(inner):
        return None
    return Described({"image_mean": inner.get("mean"), "image_std": inner.get("std")}, CONFIG)


def stated(beside: Described) -> tuple[Triple, Triple]:
    """``image_mean`` and ``image_std``; 0 and 1 where nothing is to be normalised.

    Raises:
        UnusableError: it scales colours otherwise than to [0, 1], or lacks the two, or they are no numbers
            that colours can be shifted and divided by.
    """
    plain, file = beside
    try:
        if not plain.get("do_rescale", True) or abs(plain.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
            raise UnusableError(f"{file} does not scale colours to [0, 1]")
        if not plain.get("do_normalize", True):
            return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        (m0, m1, m2), (s0, s1, s2) = plain["image_mean"], plain["image_std"]
        mean, std = (float(m0), float(m1), float(m2)), (float(s0), float(s1), float(s2))
    except UnusableError:
        raise
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise UnusableError(f"{file} states no usable image_mean and image_std") from error
    if not all(abs(value) < 1e3 for value in (*mean, *std)) or not all(value > 1e-6 for value in std):
        raise UnusableError(f"{file} states no usable image_mean and image_std: {mean}, {std}")
    return mean, std


def published(mean: Triple, std: Triple, beside: Described | None) -> Normalisation:
    """The authors' statistics, which stay; told where the folder of the weights states others."""
    used = Normalisation(mean, std, "published")
    if beside is None:
        return used
    try:
        theirs = stated(beside)
    except UnusableError as error:
        return used._replace(statistics="contradicted", notes=(f"published mean and std used: {error}",))
    pairs = zip((*mean, *std), (*theirs[0], *theirs[1]), strict=True)
    if all(abs(mine - other) <= TOLERANCE for mine, other in pairs):
        return used
    note = (
        f"published mean and std used, though its {beside.file} states mean {_numbers(theirs[0])}, "
        f"std {_numbers(theirs[1])}"
    )
    return used._replace(statistics="contradicted", notes=(note,))


def assumed(mean: Triple, std: Triple, note: str, beside: Described | None) -> Normalisation:
    """What the folder of the weights states; a guess, with its note, where it states nothing usable."""
    guess = Normalisation(mean, std, "assumed", (note,))
    if beside is None:
        return guess
    try:
        mean, std = stated(beside)
    except UnusableError as error:
        return guess._replace(notes=(note, str(error)))
    return Normalisation(mean, std, "stated", (f"mean and std as its {beside.file} states them",))


def _numbers(values: Triple) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
