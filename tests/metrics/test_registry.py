"""Every metric is written in one file, and is found there."""

from __future__ import annotations

import dataclasses
from importlib import import_module
from pathlib import Path

import pytest

from dinoscope import metrics as package
from dinoscope.anchoring import findings as laboratory
from dinoscope.metrics import facts
from dinoscope.metrics.facts import GROUPS, Metric, OfCollection, OfViews
from dinoscope.metrics.registry import AXES, COLLECTION, EVERY, FAMILIES, METRICS
from dinoscope.metrics.subject import Collection

FOUNDATIONS = {"__init__", "facts", "subject", "registry"}
FILES = {path.stem for path in Path(str(package.__file__)).parent.glob("*.py")} - FOUNDATIONS

WITHOUT_FEATURES = {"whole_box_hit"}
"""What looks at masks alone: nothing can be planted that would move it."""


@pytest.mark.parametrize("file", sorted(FILES))
def test_a_file_of_metrics_is_found(file: str) -> None:
    families = import_module(f"dinoscope.metrics.{file}").FAMILIES
    assert families and set(families) <= set(FAMILIES)
    assert all(EVERY[metric.key] is metric for family in families for metric in family.metrics)


def test_a_key_is_one_metric() -> None:
    keys = [metric.key for family in FAMILIES for metric in family.metrics]
    assert len(keys) == len(set(keys)) == len(EVERY)


def test_the_order_is_that_of_groups_and_places() -> None:
    order = [(GROUPS.index(metric.group), metric.place) for metric in EVERY.values()]
    assert order == sorted(set(order))


@pytest.mark.parametrize("metric", EVERY.values(), ids=EVERY)
def test_facts_fit_together(metric: Metric) -> None:
    low, high = metric.range
    assert low < high
    assert metric.chance is None or low <= metric.chance <= high
    assert metric.title and metric.short and metric.sentence.endswith(".")
    assert metric.planted is not None or not metric.reported or metric.key in WITHOUT_FEATURES
    assert metric.planted is None or bool(metric.planted.traps) == bool(metric.warning)


def test_what_is_said_of_families_is_true_of_them() -> None:
    for family in FAMILIES:
        for metric in family.metrics:
            assert metric.collection or not isinstance(family, OfCollection)
            assert isinstance(family, OfViews) or not metric.passes


def test_the_axes_and_the_laboratory_name_metrics() -> None:
    assert {key for keys in AXES.values() for key in keys} <= set(METRICS)
    assert set(laboratory.RESTS) <= set(laboratory.METRICS) <= set(EVERY)


def test_nothing_is_said_of_no_photographs() -> None:
    for family in COLLECTION:
        found = family.measure(Collection(()))
        assert set(found) == {metric.key for metric in family.metrics}
        assert all(value != value for value in found.values())


def test_facts_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        EVERY["neighbour"].title = "another"  # type: ignore[misc]


def test_a_name_within_a_sentence_is_the_title_unless_another_is_said() -> None:
    assert facts.Metric("m", "High-norm share", "tokens", 0, "a share").short == "high-norm share"
    assert facts.Metric("m", "CKA", "tokens", 0, "a share", short="CKA").short == "CKA"
