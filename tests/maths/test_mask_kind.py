"""Folders of label images as they are found in the world, told apart by the labels they hold."""

import numpy as np
import pytest

from dinoscope.maths.mask_kind import FEW, kind_of


def numbered(sizes, *, first=1):
    return [set(range(first, n + 1)) for n in sizes]


STREET = [{1, 2, 3, 4, 5, 6, 7, 9}, {1, 2, 3, 4, 5, 9, 10}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 4, 5, 9}]
HIDDEN = [{0, 1, 2, 3, 4, 5}, {0, 1, 2, 3, 5, 6, 7, 8, 9}, {0, 1, 2, 3, 4, 5, 6}, {0, 1, 3, 4}, {0, 1, 2, 3}]
"""Objects of which some are hidden behind others."""

FOLDERS = {
    "segmentations of people, 1 to n": (numbered([8, 11, 6, 16, 12, 37]), "regions"),
    "classes without a background": (STREET, "classes"),
    "classes with a background": ([{0, 15}, {0, 1}, {0, 8, 15}, {0, 12, 20}, {0, 15, 18}], "classes"),
    "a few of many classes": (
        [{0, 1, 4, 5, 13, 21, 87}, {1, 2, 3, 5, 7, 150}, {0, 1, 3, 6, 12, 20}, {1, 4, 6, 8, 19, 111}] * 2,
        "classes",
    ),
    "three parts in every photograph": ([{1, 2, 3}] * 6, "classes"),
    "objects and a background": (numbered([1, 2, 5, 3, 1, 2], first=0), "instances"),
    "objects that fill some photographs": (numbered([1, 2, 5, 3], first=0) + numbered([4]), "instances"),
    "one of many classes at a time": ([{0, 1 + k % 20} for k in range(32)], "classes"),
    "one object in each photograph": ([{0, 1}] * 5, "instances"),
    "class x 1000 + instance": (
        [{7, 8, 11, 24000, 26001}, {7, 8, 24000}, {7, 8, 26000, 26003}, {7, 8, 11}],
        "regions",
    ),
    "identifiers drawn at random": (
        [set(np.random.default_rng(k).choice(999, 12).tolist()) for k in range(16)],
        "regions",
    ),
    "the same, and a background": (
        [{0, *np.random.default_rng(k).choice(999, 12).tolist()} for k in range(16)],
        "instances",
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_of_the_world(name: str) -> None:
    sets, kind = FOLDERS[name]
    found = kind_of(sets)
    assert found.name == kind and found.sure, found
    assert kind_of(sets[::-1]).name == kind
    assert found.has_background == (kind != "regions" and any(0 in labels for labels in sets))
    unknown = [{*labels, -1} for labels in sets]
    assert kind_of(unknown) == found  # what is unknown says nothing


def test_one_photograph_does_not_decide() -> None:
    assert kind_of(numbered([7])).name == "regions"
    assert kind_of([*numbered([7]), *STREET]).name == "classes"


def test_a_guess_says_so() -> None:
    few = numbered([3, 5, 9])
    assert len(few) < FEW and not kind_of(few).sure
    for sets in (
        [],
        [{-1}] * 5,
        [{0}] * 5,
        [{1}] * 5,
        numbered([3, 4, 5], first=0) + numbered([3, 7, 5]),  # a background in half of them
        [*numbered([1, 2, 5, 3, 4, 6, 2, 3], first=0), {0, 2, 3}],  # one number is missing
        HIDDEN,
        [{0, 15}, {0, 1}, {0, 8, 15}, {0, 20}],  # hardly a number recurs
        [{0, 1, 2, 3}] * 5,  # classes, or always three objects
    ):
        assert not kind_of(sets).sure, sets


@pytest.mark.parametrize(
    ("sets", "kind"),
    [
        ([{-1}, set()], "regions"),
        ([{1}, {1}], "regions"),
        ([{0}, {0}], "regions"),
        ([{0, 9}, {0}], "instances"),
        (HIDDEN, "instances"),
    ],
)
def test_hardly_anything_to_go_by(sets: list[set[int]], kind: str) -> None:
    assert kind_of(sets).name == kind
