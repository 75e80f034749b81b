"""Which mean and standard deviation does a model's folder state?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from dinoscope.backbones.hub import PREPROCESSOR
from dinoscope.data.spec import Statistics

TOLERANCE = 1e-3
"""Statistics that differ by no more are the same, rounded."""

Triple = tuple[float, float, float]


class UnusableError(ValueError):
    """A ``preprocessor_config.json`` that states no mean and std of colours in [0, 1]; says why."""


class Normalisation(NamedTuple):
    """Mean and std of colours in [0, 1], where they come from, and what a reader must know of that."""

    mean: Triple
    std: Triple
    statistics: Statistics
    notes: tuple[str, ...] = ()


def stated(preprocessor: Mapping[str, object]) -> tuple[Triple, Triple]:
    """``image_mean`` and ``image_std``; 0 and 1 where nothing is to be normalised.

    Raises:
        UnusableError: it scales colours otherwise than to [0, 1], or lacks the two.
    """
    plain: Mapping[str, Any] = preprocessor
    try:
        if not plain.get("do_rescale", True) or abs(plain.get("rescale_factor", 1 / 255) * 255 - 1) > 1e-6:
            raise UnusableError(f"{PREPROCESSOR} does not scale colours to [0, 1]")
        if not plain.get("do_normalize", True):
            return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        (m0, m1, m2), (s0, s1, s2) = plain["image_mean"], plain["image_std"]
        return (float(m0), float(m1), float(m2)), (float(s0), float(s1), float(s2))
    except UnusableError:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise UnusableError(f"{PREPROCESSOR} states no usable image_mean and image_std") from error


def published(mean: Triple, std: Triple, preprocessor: Mapping[str, object] | None) -> Normalisation:
    """The authors' statistics, which stay; told where the folder of the weights states others."""
    used = Normalisation(mean, std, "published")
    if preprocessor is None:
        return used
    try:
        theirs = stated(preprocessor)
    except UnusableError as error:
        return used._replace(statistics="contradicted", notes=(f"published mean and std used: {error}",))
    pairs = zip((*mean, *std), (*theirs[0], *theirs[1]), strict=True)
    if all(abs(mine - other) <= TOLERANCE for mine, other in pairs):
        return used
    note = (
        f"published mean and std used, though its {PREPROCESSOR} states mean {_numbers(theirs[0])}, "
        f"std {_numbers(theirs[1])}"
    )
    return used._replace(statistics="contradicted", notes=(note,))


def assumed(mean: Triple, std: Triple, note: str, preprocessor: Mapping[str, object] | None) -> Normalisation:
    """What the folder of the weights states; a guess, with its note, where it states nothing usable."""
    guess = Normalisation(mean, std, "assumed", (note,))
    if preprocessor is None:
        return guess
    try:
        mean, std = stated(preprocessor)
    except UnusableError as error:
        return guess._replace(notes=(note, str(error)))
    return Normalisation(mean, std, "stated", (f"mean and std as its {PREPROCESSOR} states them",))


def _numbers(values: Triple) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
