from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from dinoscope.anchoring.config import Crops, Machine, Network, Objective, SecondStage, Settings
from dinoscope.errors import InputError


def test_settings_survive_json() -> None:
    settings = Settings(
        seed=7,
        learning_rate=1 / 3,
        network=Network(rope_rescale=None, rope_jitter=1.1),
        crops=Crops(local_area=(0.05, 1 / 7), mask_side=(2, 3)),
        second_stage=SecondStage(start=10, anchor="gram", scale=2),
        machine=Machine(device="cpu", workers=3),
    )
    assert Settings.from_json(settings.as_json()) == settings
    assert Settings.from_json("{}") == Settings()


def test_half_a_cosine_from_the_fork_to_the_end_of_the_ramp() -> None:
    stage = SecondStage(start=100, ramp=10)
    assert [stage.share(step) for step in (1, 100, 110, 500)] == [0.0, 0.0, 1.0, 1.0]
    assert stage.share(105) == pytest.approx(0.5)
    assert 0.0 < stage.share(101) < stage.share(102) < 0.1
    assert replace(stage, ramp=0).share(101) == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", "must be an object"),
        ('{"stepps": 3}', "no setting stepps"),
        ('{"network": {"width": 3}}', "Network has no setting width"),
        ('{"second_stage": {"ramp": 3}}', "start"),
        ('{"crops": 3}', "Crops must be an object"),
    ],
)
def test_settings_that_cannot_be_read_say_why(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Settings.from_json(text)


@pytest.mark.parametrize(
    "values",
    [
        {"batch": 1},
        {"steps": 0},
        {"seed": -1},
        {"ema": 1.5},
        {"learning_rate": 0.0},
        {"memory_px": 32},
        {"crops": {"global_px": 60}},
        {"crops": {"global_px": 32}},
        {"crops": {"local_area": [0.3, 0.1]}},
        {"crops": {"mask_side": [0, 3]}},
        {"network": {"dim": 100}},
        {"network": {"rope_rescale": 0.5}},
        {"network": {"prototypes": 1}},
        {"objective": {"koleo": -0.1}},
        {"objective": {"teacher_temperature": 0.0}},
        {"second_stage": {"start": 3, "anchor": "gramm"}},
        {"second_stage": {"start": 3, "scale": 0}},
        {"machine": {"precision": "float16"}},
        {"machine": {"workers": 0}},
    ],
)
def test_a_value_out_of_range_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        Settings.from_json(json.dumps(values))


def test_defaults_are_the_small_run() -> None:
    settings = Settings()
    assert (settings.network.dim, settings.network.depth, settings.network.patch_size) == (128, 6, 8)
    assert (settings.grid, settings.batch, settings.network.prototypes) == (8, 64, 256)
    assert settings.objective == Objective(0.033, 0.0133, 0.0133, 0, 3, 1.0, 1.0, 0.1, 1.0)
