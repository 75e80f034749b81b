"""What do the numbers in label images mean? A rule over many label images at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from dinoscope.data.annotation import CLASSES, INSTANCES, REGIONS, MaskKind

FEW = 4
"""With fewer label images than this, any answer is a guess."""

IDS_FROM = 1000
"""Labels this large number single things: no list of classes is as long."""

RECURS = 0.25
"""A class recurs: some label is in at least this share of the label images …"""

RECURRENCE = 1.5
"""… or labels are in at least so many label images each, on average."""

LEFT_OUT = 0.25
"""Who numbers what there is leaves (nearly) nothing out: in classes more than this share of the numbers below
a label image's largest is missing …"""

OVERTAKEN = 0.25
"""… or some number is in so much larger a share of the label images than one below it."""

ALIKE = 0.8
"""And classes it is, too, where this share of the label images holds the very same labels."""

BACKGROUND = 0.5
"""Instances have a background: 0 is in at least this share of the label images."""

UNSURE = (0.2, 0.8)
"""Between these shares of label images with a 0, the last step is a guess."""


def kind_of(label_sets: Sequence[Collection[int]]) -> MaskKind:
    """The kind of masks whose label images hold these labels, of which those below 0 are unknown.

    In this order:

    1. one label besides 0, and a 0 somewhere: ``instances``, one object a photograph;
    2. labels of `IDS_FROM` and above, or labels that recur neither by `RECURS` (two label images at least)
       nor by `RECURRENCE`: they number single things; ``instances`` where 0 is in `BACKGROUND` of the label
       images, else ``regions``;
    3. numbers missing by `LEFT_OUT` or `OVERTAKEN`, or the very same labels in `ALIKE` of the label images:
       ``classes``;
    4. numbered 1 to n in each: ``instances`` where 0 is in `BACKGROUND` of the label images, else
       ``regions``.

    >>> kind_of([{1, 2, 3}, {1, 2}, {1, 2, 3, 4, 5}, {1}]).name
    'regions'
    >>> kind_of([{0, 15}, {0, 7, 15}, {0, 1}, {0, 15, 20}]).name
    'classes'
    """
    known = [frozenset(label for label in labels if label >= 0) for labels in label_sets]
    known = [labels for labels in known if labels]
    n, things = len(known), [labels - {0} for labels in known]
    named = set().union(*things)
    with_zero = sum(0 in labels for labels in known)
    if not named:
        return MaskKind(REGIONS, "no label but the background and the unknown was found", sure=False)
    if len(named) == 1:
        return _of_one_label(with_zero, n)
    counts = Counter(label for labels in things for label in labels)
    recurs, total = max(counts.values()), sum(counts.values())
    if max(named) >= IDS_FROM or (
        n >= FEW and recurs < max(2, RECURS * n) and total < RECURRENCE * len(counts)
    ):
        return _numbered("labels that number single things", with_zero, n)
    largest = sum(max(labels, default=0) for labels in things)
    if largest - total > LEFT_OUT * largest:
        how = f"numbers recur, and {(largest - total) / largest:.0%} of those below the largest are left out"
        often = recurs > 2 or total >= RECURRENCE * len(counts)
        return MaskKind(CLASSES, how, sure=n >= FEW and often, zero=with_zero > 0)
    rare, common = _overtaken(counts)
    if counts[common] - counts[rare] > OVERTAKEN * n:
        how = f"numbers recur, and {common} is in {_of(counts[common], n)}, where {rare} is in {counts[rare]}"
        return MaskKind(CLASSES, how, sure=n >= FEW, zero=with_zero > 0)
    alike = max(Counter(labels for labels in things if len(labels) > 1).values(), default=0)
    if n >= FEW and alike >= ALIKE * n:
        how = f"the very same labels in {_of(alike, n)}"
        return MaskKind(CLASSES, how, sure=not with_zero, zero=with_zero > 0)
    sizes = sorted(len(labels) for labels in things)
    how = f"numbered 1 to n in each, n from {sizes[0]} to {sizes[-1]}"
    gaps = sum(labels != frozenset(range(1, len(labels) + 1)) for labels in things)
    if gaps:
        how += f", but for gaps in {gaps}"
    return _numbered(how, with_zero, n, sure=not gaps and alike < n / 2)


def _of_one_label(with_zero: int, n: int) -> MaskKind:
    if with_zero:
        return MaskKind(INSTANCES, "one label besides the background 0: one object a photograph")
    return MaskKind(REGIONS, f"one label, and no background, in all of {n}", sure=False)


def _overtaken(counts: Mapping[int, int]) -> tuple[int, int]:
    """The two numbers, the smaller first, of which the larger is in most label images more."""
    rare, worst = 1, (1, 1)
    for label in range(1, max(counts) + 1):
        if counts.get(label, 0) < counts.get(rare, 0):
            rare = label
        if counts.get(label, 0) - counts.get(rare, 0) > counts.get(worst[1], 0) - counts.get(worst[0], 0):
            worst = rare, label
    return worst


def _numbered(how: str, with_zero: int, n: int, *, sure: bool = True) -> MaskKind:
    share = with_zero / n
    name = INSTANCES if share >= BACKGROUND else REGIONS
    zero = f"a background 0 in {_of(with_zero, n)}" if with_zero else "no background 0"
    clear = n >= FEW and not UNSURE[0] < share < UNSURE[1]
    return MaskKind(name, f"{zero}, {how}", sure=sure and clear)


def _of(count: int, n: int) -> str:
    return f"{count} of {n} label image{'' if n == 1 else 's'}"
