"""Tokens small enough to travel: transform coding of unit-length patch features.

A view needs cosines only, and those survive any rotation. The tokens are scaled to unit length,
turned into their principal axes and rounded, axis by axis, to whole steps; the rotation itself is
left at home. The error of a cosine is close to ``e·y``, with ``e`` one token's rounding error and
``y`` the other token, so an axis that carries much energy needs fine steps and an axis that carries
little can have coarse ones: for a fixed variance of ``e·y`` the fewest bits are spent where every
axis adds the same amount, which makes the step inversely proportional to the axis's root mean
square (reverse water-filling with weights; axes below the water are left out). The steps are
refined until the measured error is within the tolerance: on some patches, on those that rounding
moves furthest, and on those that were worst among all when all were last looked at.

Source: reverse water-filling, Cover and Thomas, Elements of Information Theory, 2nd ed., section
10.3.3, with the distortion of axis k weighted by its mean square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int, Int8, Int32

from dinoscope.errors import InputError

TOLERANCE = 0.01
"""Largest difference allowed between a cosine of the coded tokens and of the original features."""

_EXHAUSTIVE_PATCHES = 16_384
_SAMPLED_PATCHES = 8_192
_SAMPLE_MARGIN = 0.85  # billions of pairs reach further than the tens of millions of a sample
_BLOCK = 512
"""Patches whose errors with as many others are looked at at once: they stay in a processor's cache."""

_FIRST_AIM = 0.92
"""Share of the tolerance that the watched patches' errors are first brought to: all pairs reach further."""

_PILOT_ROUNDS = 7
_ROUNDS = 12
_WORST = 512
"""Patches that join the watched ones, whose pairs alone are looked at while the steps are being chosen: of
those that rounding moves furthest, of all, and of the worst that were found."""


@dataclass(frozen=True, slots=True, eq=False)
class CodedTokens:
    """All patches of one model, as whole steps along principal axes.

    Value of axis k: ``mean[k]`` plus the sum over its planes of ``step * plane``; an axis whose
    values do not fit 8 bits has two planes (steps of 256 and of 1). Decoded tokens are scaled to
    unit length before use; a token whose norm is 0 has cosine 0 with everything.

    Attributes:
        planes: one row for each plane, coarse before fine, axes by falling energy.
        axis: of each plane.
        step: of each plane.
        mean: of each axis.
        norms: Euclidean length of the original features.
        error: bound and measurement.
    """

    planes: Int8[np.ndarray, "planes n"]
    axis: Int32[np.ndarray, " planes"]
    step: Float32[np.ndarray, " planes"]
    mean: Float32[np.ndarray, " rank"]
    norms: Float32[np.ndarray, " n"]
    error: MeasuredError


@dataclass(frozen=True, slots=True)
class MeasuredError:
    """How far cosines of coded tokens are from those of the original features.

    Attributes:
        largest: absolute difference over the pairs looked at.
        pairs: how many pairs of patches were looked at.
        all_pairs: whether these are all there are; otherwise a seeded sample of patches, each
            paired with each other one of the sample.
    """

    largest: float
    pairs: int
    all_pairs: bool


def encode_tokens(
    features: Float[np.ndarray, "n dim"], *, tolerance: float = TOLERANCE, seed: int = 0
) -> CodedTokens:
    """Codes the patches of one model so that every cosine stays within a tolerance.

    Cost: one eigendecomposition of ``min(n, dim)``, and a few products ``n x n`` (``8,192 x 8,192``
    where there are more than 16,384 patches: then the error is measured on a sample, and has to stay
    within 85% of the tolerance there).

    Raises:
        InputError: the tolerance cannot be met, or is not above 0.
    """
    if not 0 < tolerance < 1:
        raise InputError(f"the tolerance must lie between 0 and 1, got {tolerance}")
    norms = np.sqrt(np.einsum("nd,nd->n", features, features, dtype=np.float64))
    unit = (features / np.where(norms > 0, norms, 1.0).astype(features.dtype)[:, None]).astype(np.float32)
    turned = _principal_axes(unit)
    axes = _Axes.of(turned)
    sample, everything = _measured_patches(len(unit), seed)

    def errors_at(chosen: Int[np.ndarray, " m"], spread: float, allowed: float = math.inf) -> _Errors:
        plan = _plan(axes, spread, tolerance)
        decoded = _decode(plan, _quantise(plan, turned[chosen]), norms[chosen] == 0)
        return _Errors.of(unit[chosen], decoded, allowed)

    target = tolerance * (1 if everything else _SAMPLE_MARGIN)
    allowed = target - 2e-6  # what 32-bit arithmetic may add
    spread = target / 5.5  # the largest of tens of millions of normal errors, in deviations
    sample = sample[np.argsort(-_moved(_plan(axes, spread, tolerance), turned[sample]), kind="stable")]
    watched = np.union1d(sample[:_WORST], sample[:: max(1, len(sample) // _WORST)])
    for attempt in range(_ROUNDS):
        aim = (_FIRST_AIM if attempt == 0 else 0.97 - 0.03 * attempt) * target
        spread = _aimed(partial(errors_at, watched), spread, aim)
        errors = errors_at(sample, spread, allowed)
        if errors.largest <= allowed:
            plan = _plan(axes, spread, tolerance)
            error = MeasuredError(errors.largest, len(sample) ** 2, everything)
            lengths = norms.astype(np.float32)
            return CodedTokens(_quantise(plan, turned), plan.axis, plan.step, plan.mean, lengths, error)
        watched = np.union1d(watched, sample[np.argsort(-errors.beyond)[:_WORST]])
    raise InputError(f"tokens cannot be coded within a cosine error of {tolerance}")


def decode_tokens(tokens: CodedTokens) -> Float64[np.ndarray, "n rank"]:
    """Unit-length tokens, as the browser has them; rows of zeros where the norm is 0."""
    plan = _Plan(np.arange(0), tokens.axis, tokens.step, tokens.mean)
    return _decode(plan, tokens.planes, tokens.norms == 0)


def _aimed(errors_at: Callable[[float], _Errors], spread: float, aim: float) -> float:
    """The spread whose error is about the one aimed at, or the largest tried whose error is not above it.

    Errors grow with the spread, but not evenly: what was within the aim and what was not bound the next try.
    """
    within, beyond = 0.0, math.inf
    for _ in range(_PILOT_ROUNDS):
        seen = errors_at(spread).largest
        if 0.95 * aim <= seen <= 1.05 * aim or seen == 0:
            return spread
        if seen < aim:
            within = max(within, spread)
        else:
            beyond = min(beyond, spread)
        spread *= aim / seen
        if not within < spread < beyond:
            spread = math.sqrt(within * beyond)
    return within or spread


@dataclass(frozen=True, slots=True, eq=False)
class _Axes:
    """What the steps depend on, for each principal axis."""

    mean: Float32[np.ndarray, " rank"]
    energy: Float64[np.ndarray, " rank"]
    variance: Float64[np.ndarray, " rank"]
    largest: Float64[np.ndarray, " rank"]
    reach: Float64[np.ndarray, " rank"]

    @classmethod
    def of(cls, turned: Float32[np.ndarray, "n rank"]) -> _Axes:
        mean = turned.mean(axis=0, dtype=np.float64).astype(np.float32)
        high, low = (extreme(axis=0).astype(np.float64) for extreme in (turned.max, turned.min))
        energy = np.einsum("nk,nk->k", turned, turned, dtype=np.float64) / len(turned)
        return cls(
            mean,
            energy,
            np.maximum(energy - mean.astype(np.float64) ** 2, 0),
            np.maximum(high, -low),
            np.maximum(high - mean, mean - low),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """How tokens become planes: ``kept`` are columns of the turned tokens, the rest as in CodedTokens."""

    kept: Int[np.ndarray, " kept"]
    axis: Int32[np.ndarray, " planes"]
    step: Float32[np.ndarray, " planes"]
    mean: Float32[np.ndarray, " rank"]


def _principal_axes(unit: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n rank"]:
    """Tokens in their principal axes (not centred), largest energy first."""
    n, dim = unit.shape
    if dim <= n:
        _, vectors = np.linalg.eigh((unit.T @ unit).astype(np.float64))
        return np.asarray(unit @ vectors[:, ::-1].astype(np.float32))
    wide = unit.astype(np.float64)
    values, vectors = np.linalg.eigh(wide @ wide.T)
    return (vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0))).astype(np.float32)


def _plan(axes: _Axes, spread: float, tolerance: float) -> _Plan:
    """Steps such that the error of a cosine has about the deviation asked for."""
    distortion = _water_fill(axes.energy, axes.variance, spread**2 / 2)
    kept = (distortion < axes.variance) | (axes.reach * axes.largest > tolerance / 4)
    kept &= axes.variance > 0
    # An axis that few tokens own has a small mean square: its step is held down for their sake.
    step = np.sqrt(12 * distortion[kept])
    step = np.minimum(step, tolerance / 2 / axes.largest[kept]).astype(np.float32)
    wide = axes.reach[kept] / step > 126
    if (axes.reach[kept] / step > 32_000).any():
        raise InputError(f"tokens cannot be coded within a cosine error of {tolerance}")
    repeats = np.where(wide, 2, 1)
    axis = np.repeat(np.arange(len(step), dtype=np.int32), repeats)
    coarse = np.zeros(len(axis), bool)
    coarse[(np.cumsum(repeats) - repeats)[wide]] = True
    # An axis that varies too little for a plane of its own can still have a mean that counts.
    constant = ~kept & (np.abs(axes.mean) > tolerance / 100)
    return _Plan(
        np.flatnonzero(kept),
        axis,
        (step[axis] * np.where(coarse, 256, 1)).astype(np.float32),
        np.concatenate([axes.mean[kept], axes.mean[constant]]),
    )


def _quantise(plan: _Plan, turned: Float32[np.ndarray, "m rank"]) -> Int8[np.ndarray, "planes m"]:
    planes = np.empty((len(plan.axis), len(turned)), np.int8)
    p = 0
    while p < len(planes):
        k = plan.axis[p]
        wide = p + 1 < len(planes) and plan.axis[p + 1] == k
        step = plan.step[p + 1] if wide else plan.step[p]
        whole = np.rint((turned[:, plan.kept[k]] - plan.mean[k]) / step).astype(np.int32)
        if wide:
            fine = (whole + 128) % 256 - 128
            planes[p], planes[p + 1] = (whole - fine) // 256, fine
            p += 2
        else:
            planes[p] = whole
            p += 1
    return planes


def _moved(plan: _Plan, turned: Float32[np.ndarray, "m rank"]) -> Float64[np.ndarray, " m"]:
    """How far rounding moves each token: the worst cosines are nearly all between tokens moved far."""
    decoded = _decode(plan, _quantise(plan, turned), np.zeros(len(turned), bool))
    shared = np.einsum("nk,nk->n", decoded[:, : len(plan.kept)], turned[:, plan.kept])
    return np.sqrt(np.maximum(2 - 2 * shared, 0.0))


def _water_fill(
    energy: Float64[np.ndarray, " rank"], variance: Float64[np.ndarray, " rank"], budget: float
) -> Float64[np.ndarray, " rank"]:
    """Distortion of each axis, ``min(level / energy, variance)``, with ``Σ distortion·energy`` = budget."""
    safe = np.maximum(energy, 1e-30)
    ceiling = np.sort(variance * safe)
    if ceiling.sum() <= budget:
        return variance.copy()
    below = np.concatenate([[0.0], np.cumsum(ceiling)[:-1]])
    levels = (budget - below) / (len(ceiling) - np.arange(len(ceiling)))
    level = levels[np.argmax(levels <= ceiling)]
    return np.minimum(level / safe, variance)


def _decode(
    plan: _Plan, planes: Int8[np.ndarray, "planes m"], zero: Bool[np.ndarray, " m"]
) -> Float64[np.ndarray, "m rank"]:
    tokens = np.repeat(plan.mean[:, None].astype(np.float64), planes.shape[1], axis=1)
    for k, step, plane in zip(plan.axis, plan.step.astype(np.float64), planes, strict=True):
        tokens[k] += step * plane
    tokens[:, zero] = 0
    lengths = np.sqrt(np.einsum("kn,kn->n", tokens, tokens))
    tokens /= np.where(lengths > 0, lengths, 1.0)
    return tokens.T


def _measured_patches(n: int, seed: int) -> tuple[Int[np.ndarray, " m"], bool]:
    if n <= _EXHAUSTIVE_PATCHES:
        return np.arange(n), True
    return np.sort(np.random.default_rng(seed).choice(n, _SAMPLED_PATCHES, replace=False)), False


@dataclass(frozen=True, slots=True, eq=False)
class _Errors:
    """Differences of cosines of some patches with each other; 32-bit products, good to about 1e-6.

    Attributes:
        largest: of all pairs looked at.
        beyond: patch by patch the largest of those above what is allowed; 0 where there are none.
    """

    largest: float
    beyond: Float32[np.ndarray, " n"]

    @classmethod
    def of(
        cls, unit: Float32[np.ndarray, "n dim"], decoded: Float64[np.ndarray, "n rank"], allowed: float
    ) -> _Errors:
        """All pairs are looked at, but for those of further patches once one is above what is allowed.

        Args:
            unit: the tokens, of unit length.
            decoded: what their planes say.
            allowed: difference.
        """
        right = np.concatenate([decoded, unit], axis=1, dtype=np.float32, casting="same_kind")
        largest, beyond = 0.0, np.zeros(len(right), np.float32)
        held = np.empty(_BLOCK**2, np.float32)
        for start in range(0, len(right), _BLOCK):
            left = right[start : start + _BLOCK].copy()
            left[:, decoded.shape[1] :] *= -1
            for other in range(start, len(right), _BLOCK):
                beside = right[other : other + _BLOCK]
                block = held[: len(left) * len(beside)].reshape(len(left), len(beside))
                np.matmul(left, beside.T, out=block)
                most = max(float(block.max()), -float(block.min()))
                largest = max(largest, most)
                if most <= allowed:
                    continue
                for place, axis in ((start, 1), (other, 0)):
                    part = beyond[place : place + _BLOCK]
                    np.maximum(part, np.abs(block).max(axis=axis), out=part)
            if largest > allowed:
                break
        return cls(largest, beyond)
