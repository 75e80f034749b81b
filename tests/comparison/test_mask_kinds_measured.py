"""What masks do not say is not scored, and the reason is told."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dinoscope.comparison.compare import compare
from dinoscope.comparison.measure import measure
from dinoscope.comparison.tables.files import comparison_json, measurements_json, measurements_text
from dinoscope.comparison.tables.paper import metrics_latex, metrics_markdown
from dinoscope.data.results import Measurements
from dinoscope.errors import InputError
from dinoscope.metrics.registry import METRICS
from tests.fakes import FakeBackbone

CLASS = {"knn_miou", "linear_miou"}
OBJECT = {"tokencut_hit", "lost_hit", "whole_box_hit"}
GROUND = {"foreground_auc", "foreground_auc_null"}
N, SIDE = 6, 48


def disc(k: int, radius: float = 14) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.asarray((x - 18 - 2 * k) ** 2 + (y - 24) ** 2 < radius**2)


def photographs() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        (rng.normal(0, 12, (SIDE, SIDE, 3)) + np.where(disc(k)[..., None], (200, 60, 50), (60, 80, 90)))
        .clip(0, 255)
        .astype(np.uint8)
        for k in range(N)
    ]


def write(folder: Path, masks: list[np.ndarray]) -> tuple[list[Path], Path]:
    for part in ("images", "theirs"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for k, (pixels, labels) in enumerate(zip(photographs(), masks, strict=True)):
        Image.fromarray(pixels).save(folder / "images" / f"{k}.png")
        Image.fromarray(labels.astype(np.uint8)).save(folder / "theirs" / f"{k}.png")
    return sorted((folder / "images").iterdir()), folder / "theirs"


def regions(k: int) -> np.ndarray:
    """1 … k + 2: bands, and a disc."""
    return np.where(disc(k), 1, 2 + np.arange(SIDE)[:, None] * (k + 1) // SIDE)


def things(k: int) -> np.ndarray:
    """A disc, and up to two bands at the foot, on a background."""
    labels = disc(k).astype(int)
    for thing in range(k % 3):
        labels[SIDE - 4 - 4 * thing : SIDE - 4 * thing] = 2 + thing
    return labels


KINDS = {
    "regions": [regions(k) for k in range(N)],
    "instances": [things(k) for k in range(N)],
    "classes": [np.where(disc(k), 5, 2) for k in range(N)],
}
UNDEFINED = {
    "regions": CLASS | OBJECT | GROUND,
    "instances": CLASS,
    "classes": OBJECT | GROUND,  # no label is 0
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_masks_do_not_say_is_undefined_with_its_reason(kind: str, tmp_path: Path) -> None:
    paths, masks = write(tmp_path, KINDS[kind])
    m = measure(paths, FakeBackbone("a"), grid=8, masks=masks)
    assert m.mask_kind is not None and m.mask_kind.name == kind and m.mask_kind.sure
    assert set(m.undefined) == UNDEFINED[kind]
    for key in CLASS | OBJECT | GROUND:
        value = m.collection[key][0] if key in CLASS else m.summaries[key][0].mean
        assert math.isfinite(value) == (key not in UNDEFINED[kind]), key
    data = json.loads(measurements_json(m))
    assert data["mask_kind"] == kind and data["undefined"] == dict(m.undefined)
    for key in UNDEFINED[kind]:
        assert (data["collection"]["a"][key] if key in CLASS else data["summary"]["a"][key]["mean"]) is None
    said = " ".join(measurements_text(m).split())
    assert f"masks: theirs, which are {kind} ({m.mask_kind.reason})" in said
    for key, reason in m.undefined.items():
        assert f"undefined, since {reason}: " in said and METRICS[key].title in said
        assert f"Undefined: {reason}." in metrics_markdown(m) and reason in metrics_latex(m)
    assert not any("undefined for every photograph" in w and "k-NN" in w for w in m.warnings)
    for told in (metrics_markdown(m), metrics_latex(m), said, measurements_json(m)):
        assert str(tmp_path) not in told


def test_photographs_whose_mask_has_one_label_are_named(tmp_path: Path) -> None:
    paths, masks = write(tmp_path, [things(k) * (k not in (1, 4)) for k in range(N)])
    m = measure(paths, FakeBackbone("a"), grid=8, masks=masks, controls=False)
    said = "no scores against masks for 2 of 6 photographs, which have none or one label alone on this grid: "
    for told in (measurements_text(m), metrics_markdown(m), metrics_latex(m)):
        assert f"{said}1.png, 4.png" in " ".join(told.split()).replace("No scores", "no scores")
    assert said[:22] not in measurements_text(measure(paths[:1], FakeBackbone("a"), grid=8, masks=masks))


def test_the_box_of_the_whole_photograph_is_the_floor_of_discovery(tmp_path: Path) -> None:
    large = [np.ones((SIDE, SIDE), int) * np.pad(np.ones((40, 40), int), 4) for _ in range(N)]
    small = [disc(k, 6).astype(int) for k in range(N)]
    for name, masks, hit in (("large", large, 1.0), ("small", small, 0.0)):
        paths, folder = write(tmp_path / name, masks)
        m = measure(paths, FakeBackbone("a"), grid=8, masks=folder)
        assert m.summaries["whole_box_hit"][0].mean == hit  # 40² of 48² is 0.69
        assert m.controls is not None
        assert {s.mean for s in m.controls.summaries["whole_box_hit"]} == {hit}


def test_the_kind_can_be_said_and_decides(tmp_path: Path) -> None:
    paths, masks = write(tmp_path, KINDS["regions"])
    as_classes = measure(paths, FakeBackbone("a"), grid=8, masks=masks, mask_kind="classes", controls=False)
    assert as_classes.mask_kind is not None and as_classes.mask_kind.reason == "as asked for"
    assert (
        math.isfinite(as_classes.collection["knn_miou"][0]) and set(as_classes.undefined) == OBJECT | GROUND
    )
    for wrong, words in (("things", "not 'things'"), ("", "not ''")):
        with pytest.raises(InputError, match=words):
            measure(paths, FakeBackbone("a"), grid=8, masks=masks, mask_kind=wrong)
    with pytest.raises(InputError, match="no masks given"):
        measure(paths, FakeBackbone("a"), grid=8, mask_kind="classes")


def test_a_guess_is_told_and_flagged_in_the_ledger(tmp_path: Path) -> None:
    paths, masks = write(tmp_path, KINDS["regions"])
    for n, sure in ((2, False), (N, True)):
        held = {path.name: KINDS["regions"][k] for k, path in enumerate(paths[:n])}
        c = compare(paths[:n], FakeBackbone("a"), grid=8, masks=held, controls=False)
        (entry,) = [entry for entry in c.ledger if "masks" in entry.rule]
        assert entry.met is sure and "regions" in entry.detail
        said = " ".join(measurements_text(c.measurements).split())
        assert ("a guess, which" in said) is not sure
        assert (json.loads(comparison_json(c))["mask_kind_because"].startswith("a guess")) is not sure
    alone = compare(paths[:2], FakeBackbone("a"), grid=8, controls=False)
    assert not [entry for entry in alone.ledger if "masks" in entry.rule]
    assert masks.is_dir()


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([np.full((SIDE, SIDE), 3)] * N, "a single class"),
        ([np.full((SIDE, SIDE), 255)] * N, "no class"),
    ],
)
def test_one_class_or_none_is_no_score(labels: list[np.ndarray], reason: str, tmp_path: Path) -> None:
    paths, masks = write(tmp_path, labels)
    m = measure(paths, FakeBackbone("a"), grid=8, masks=masks, mask_kind="classes", controls=False)
    assert all(math.isnan(m.collection[key][0]) for key in CLASS)
    assert reason in m.undefined["knn_miou"]
    assert all(math.isnan(m.summaries[key][0].mean) for key in ("boundary_auc", "coherence_auc"))
    found = measure(paths, FakeBackbone("a"), grid=8, masks=masks, controls=False)
    assert found.mask_kind is not None and found.mask_kind.name == "regions" and not found.mask_kind.sure


def test_a_journal_of_other_masks_is_refused(tmp_path: Path) -> None:
    paths, masks = write(tmp_path, KINDS["regions"])
    journal = tmp_path / "rows.jsonl"

    def run(**more: object) -> Measurements:
        return measure(paths[:2], FakeBackbone("a"), grid=8, controls=False, journal=journal, **more)  # type: ignore[arg-type]

    run(masks=masks)
    run(masks=masks)
    for other in ({}, {"masks": masks, "mask_kind": "classes"}, {"masks": [masks, tmp_path / "images"]}):
        with pytest.raises(InputError, match="masks: "):
            run(**other)
    (masks / "0.png").unlink()
    with pytest.raises(InputError, match="masks: "):
        run(masks=masks)


def test_a_journal_of_another_resize_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "rows.jsonl"
    run = partial(measure, photographs()[0], FakeBackbone("a"), grid=8, controls=False, journal=journal)
    run()
    with pytest.raises(InputError, match="resize: bilinear there, bicubic now"):
        run(resize="bicubic")
