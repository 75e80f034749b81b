"""Constants and flags that decide published numbers: each is held by what the metrics' words say of it."""

from __future__ import annotations

import numpy as np
import pytest

from dinoscope.comparison.collected import Collected
from dinoscope.comparison.row import Job, row_of
from dinoscope.data.annotation import INSTANCES, MaskKind
from dinoscope.data.features import PatchFeatures
from dinoscope.io.images import photograph_from_array
from dinoscope.maths.boundary import boundary_auc, coherence_auc
from dinoscope.maths.dispersion import dispersion
from dinoscope.maths.masks import UNKNOWN, PatchLabels
from dinoscope.metrics.facts import OfPhotograph
from dinoscope.metrics.registry import COLLECTION, EVERY, PHOTOGRAPH
from dinoscope.metrics.subject import Collection, Regions, Seen, Subject

RNG = np.random.default_rng(0)
SIDE = 12


def labelled() -> PatchLabels:
    """Four quarters whose patches lie just below, at and above three quarters of purity."""
    labels = np.kron(np.array([[0, 1], [2, 3]]), np.ones((SIDE // 2, SIDE // 2), np.int64))
    return PatchLabels(labels, RNG.choice([0.74, 0.7499, 0.75, 0.76, 1.0], (SIDE, SIDE)))


def family_of(key: str) -> OfPhotograph:
    return next(f for f in PHOTOGRAPH if any(metric.key == key for metric in f.metrics))


def test_a_pure_patch_has_three_quarters_of_its_pixels_in_one_label() -> None:
    labels, f = labelled(), RNG.normal(size=(SIDE, SIDE, 4))
    kept = PatchLabels(np.where(labels.purity >= 3 / 4, labels.labels, UNKNOWN), labels.purity)
    subject = Subject(f, Seen((SIDE, SIDE), regions=Regions(labels, labels, ())))
    for key, measure in (("boundary_auc_pure", boundary_auc), ("coherence_auc_pure", coherence_auc)):
        found = family_of(key).measure(subject)[key]
        assert found == measure(f, kept).auc != measure(f, labels).auc
        assert "at least three quarters of their pixels in one label" in EVERY[key].meaning


def test_dse_is_of_sixteen_photographs() -> None:
    maps = [RNG.normal(size=(5, 6, 5)) for _ in range(20)]
    family = next(f for f in COLLECTION if f.metrics[0].key == "dse")
    found = family.measure(Collection(maps))["dse"]
    assert found == dispersion(maps[:16]).dse
    assert found != dispersion(maps[:15]).dse and found != dispersion(maps[:17]).dse


@pytest.mark.parametrize("family", PHOTOGRAPH, ids=lambda family: family.metrics[0].key)
def test_flags_say_what_a_metric_is_undefined_without(family: OfPhotograph) -> None:
    labels, f = labelled(), RNG.normal(size=(SIDE, SIDE, 4))
    pixels = RNG.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    regions, token = Regions(labels, labels, ((0.0, 0.0, 0.5, 0.5),)), RNG.normal(size=4)
    basis = np.eye(4)[:2]
    seen = Seen((SIDE, SIDE), pixels, regions)
    alone = family.measure(Subject(f, seen, token, None, basis))
    unmasked = family.measure(Subject(f, Seen((SIDE, SIDE), pixels), token, f + 1.0, basis))
    for metric in family.metrics:
        assert np.isnan(alone[metric.key]) == metric.reference
        assert np.isnan(unmasked[metric.key]) == metric.needs_masks


def test_what_the_first_model_has_not_is_not_called_undefined() -> None:
    pixels = RNG.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    photograph = photograph_from_array(pixels, name="noise")
    features = PatchFeatures.from_array(RNG.normal(size=(12, 12, 4)), image_size=(48, 48))
    collected = Collected(("alone",))
    collected.add(row_of(Job(photograph, [features])))
    told = [line for line in collected.measurements(seed=0).warnings if line.startswith("undefined")]
    assert told == ["undefined for every photograph: CLS-patch cosine"]
    masked = Collected(("alone",), kind=MaskKind(INSTANCES, "as asked for"))
    masked.add(row_of(Job(photograph, [features]), masked=True))
    (line,) = (w for w in masked.measurements(seed=0).warnings if w.startswith("undefined"))
    assert all((m.title in line) == m.needs_masks for m in EVERY.values() if m.key.endswith("_auc"))
