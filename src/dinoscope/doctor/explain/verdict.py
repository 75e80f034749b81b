"""By which rules does a change count as the explanation, and how is that said?"""

from __future__ import annotations

from collections.abc import Sequence

from dinoscope.doctor.diagnosis import Diagnosis, Effect, Measure, Outcome

SAME = 1e-6
"""Features are the same where their agreement is short of 1 by at most this: float32 rounding."""

ROUNDING = 1e-4
"""A difference up to this that nothing explains is put down to another order of the same arithmetic."""

EXPLAINED = 0.999
"""A change explains where it brings the agreement to this at least, ..."""

CLOSED = 0.9
"""... and takes away this share of the difference."""

PARTLY = 0.5
"""A change explains partly where it takes away this share of the difference."""


def closed(before: float, after: float) -> float:
    """Share of the difference that a change takes away: 1 all of it, below 0 where it adds to it.

    >>> round(closed(0.5, 0.75), 3)
    0.5
    """
    return (after - before) / (1.0 - before) if before < 1.0 else 0.0


def explains(before: float, after: float) -> bool:
    """Whether a change counts as the explanation."""
    return after >= EXPLAINED and closed(before, after) >= CLOSED


def wants_pairs(before: float, singles: Sequence[Effect]) -> bool:
    """Whether one change leaves enough for two to be tried."""
    best = max((effect.to_new for effect in singles), default=before)
    return 1.0 - before > SAME and 1.0 - best > 10 * SAME


def chosen(
    before: float, singles: Sequence[Effect], pairs: Sequence[Effect]
) -> tuple[Outcome, Effect | None]:
    """The outcome, and the change that stands for it.

    A single change goes before a pair, unless the pair takes `CLOSED` of what the single one leaves.

    Args:
        before: agreement of OLD with NEW.
        singles, pairs: nearest to NEW first.
    """
    if 1.0 - before <= SAME:
        return "same", None
    single = singles[0] if singles else None
    pair = pairs[0] if pairs else None
    best = single
    if pair is not None and (single is None or closed(single.to_new, pair.to_new) >= CLOSED):
        best = pair
    if best is not None and explains(before, best.to_new):
        return "explained", best
    if pair is not None and explains(before, pair.to_new):
        return "explained", pair
    if 1.0 - before <= ROUNDING:
        return "same", None
    nearest = max((e for e in (single, pair) if e is not None), key=lambda e: e.to_new, default=None)
    if nearest is not None and closed(before, nearest.to_new) >= PARTLY:
        return "partly", nearest
    return "unexplained", nearest


def verdict(
    outcome: Outcome,
    best: Effect | None,
    before: float,
    tried: Sequence[Effect],
    *,
    measure: str,
    base: str,
    target: str,
) -> str:
    """The outcome in one or two sentences.

    Args:
        outcome, best: as `chosen` returns them.
        before: agreement without any change.
        tried: all changes of the kind that ``best`` is of, nearest first.
        measure: what the numbers are.
        base, target: what the two sides are called.
    """
    if outcome == "same":
        if 1.0 - before <= SAME:
            return f"nothing moves: {target} equals {base} ({measure} {shown(before)})."
        return (
            f"{target} equals {base} but for rounding ({measure} {shown(before)}); no change that was tried "
            "explains so small a difference."
        )
    if best is None:
        return f"no change could be tried ({measure} {shown(before)})."
    moved = f"{measure} {shown(before)} -> {shown(best.to_new)}"
    if outcome == "explained":
        said = f"the closest explanation: {target} was made with {best.change} ({best.meaning}); {moved}."
        rivals = [e.change for e in tried if e is not best and best.to_new - e.to_new <= 1e-8]
        if rivals:
            said += f" On this photograph {', '.join(rivals[:3])} cannot be told apart from it."
        return said
    if outcome == "partly":
        return (
            f"part of the difference is explained by {best.change} ({best.meaning}): {moved}. "
            "Something else differs too."
        )
    return (
        f"none of the {len(tried)} changes tried explains the difference; the nearest, {best.change}, "
        f"gives {moved}. It may be another model, other weights or another photograph."
    )


def concluded(
    before: float,
    singles: Sequence[Effect],
    pairs: Sequence[Effect],
    *,
    measure: Measure,
    names: tuple[str, str],
) -> Diagnosis:
    """A diagnosis by the rules; photograph, sides, linear CKA and notes are left for the caller to fill in.

    Args:
        before: agreement without any change.
        singles, pairs: nearest to NEW first.
        measure: what the numbers are.
        names: what the two sides are called.
    """
    outcome, best = chosen(before, singles, pairs)
    named = best if outcome in ("explained", "partly") else None
    tried = pairs if best in pairs else singles
    return Diagnosis(
        old="",
        new="",
        photo="",
        measure=measure,
        before=before,
        cka=float("nan"),
        after=before if named is None else named.to_new,
        outcome=outcome,
        explanation="" if named is None else named.change,
        verdict=verdict(outcome, best, before, tried, measure=measure, base=names[0], target=names[1]),
        effects=tuple(singles),
        pairs=tuple(pairs),
    )


def shown(value: float) -> str:
    """Four decimals, or more where they would hide how far from 1 it is."""
    return f"{value:.4f}" if value < 0.999 else f"{value:.7f}"
