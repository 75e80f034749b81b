"""Measuring with an inexact way is refused, and by name let through and labelled."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dinoscope.comparison.compare import compare
from dinoscope.comparison.exactness import exact_enough
from dinoscope.comparison.measure import measure
from dinoscope.comparison.session import Session
from dinoscope.data.results import Failure
from dinoscope.errors import InputError
from dinoscope.io.images import photograph_from_array
from dinoscope.pipeline.fast import autocast_backbone
from dinoscope.pipeline.run import AS_LOADED, Arithmetic, Run
from tests.fakes import FakeBackbone


class Rough(FakeBackbone):
    """In 16 bits it turns one row of patches in eight around."""

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Rough:
        return Rough(self.name, dtype=dtype or self.dtype)

    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        outputs = super().forward(pixels, layers, final_norm=final_norm)
        if self.dtype != torch.float32:
            for patches in outputs.patches.values():
                patches[:, 0] *= -1
        return outputs


def photos(n: int = 3) -> list[np.ndarray]:
    return [np.random.default_rng(i).integers(0, 256, (64, 64, 3), dtype=np.uint8) for i in range(n)]


@pytest.mark.parametrize("analysis", [measure, compare])
def test_an_inexact_way_is_refused_before_any_row(analysis, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"fake, float16.*0\.75.*allow_inexact=True"):
        analysis(photos(), Rough(), 8, dtype="float16", controls=False)
    with pytest.raises(InputError, match="dtype"):
        analysis(photos(), Rough(), 8, dtype="int8", controls=False)


def test_by_name_it_measures_and_says_so() -> None:
    words = "fake, float16: cosine to float32 eager 0.750000 mean"
    exact = measure(photos(), Rough(), 8, controls=False)
    assert not any("eager" in warning for warning in exact.warnings)
    found = measure(photos(), Rough(), 8, dtype="float16", allow_inexact=True, controls=False)
    assert words in found.warnings[0] and "inexact, allowed by name" in found.warnings[0]
    assert found.values["neighbour"][0, 0] != exact.values["neighbour"][0, 0]

    result = compare(photos(), Rough(), 8, dtype=torch.float16, allow_inexact=True, controls=False)
    assert words in result.measurements.warnings[0]
    assert words in result.settings["arithmetic"][0]  # type: ignore[index]
    assert "arithmetic" not in compare(photos(), Rough(), 8, controls=False).settings


def test_an_exact_way_measures_with_its_certificate() -> None:
    found = measure(photos(), FakeBackbone(), 8, dtype="float16", controls=False)
    assert "1.000000 mean" in found.warnings[0] and "inexact" not in found.warnings[0]


def test_controls_stay_in_float32() -> None:
    exact = measure(photos(), Rough(), 8).controls
    fast = measure(photos(), Rough(), 8, dtype="float16", allow_inexact=True).controls
    assert exact is not None and fast is not None
    pixels = exact.models.index("pixels")
    np.testing.assert_array_equal(exact.values["neighbour"][:, pixels], fast.values["neighbour"][:, pixels])


def test_each_model_has_its_own_verdict() -> None:
    with pytest.raises(InputError, match="b, float16"):
        measure(photos(), [FakeBackbone("a"), Rough("b")], 8, dtype="float16", controls=False)


def test_weights_in_16_bits_cannot_be_certified() -> None:
    with pytest.raises(InputError, match=r"loaded in float16.*allow_inexact=True"):
        measure(photos(), Rough(dtype=torch.float16), 8, controls=False)
    found = measure(photos(), Rough(dtype=torch.float16), 8, allow_inexact=True, controls=False)
    assert "loaded in float16" in found.warnings[0] and "allowed by name" in found.warnings[0]


class Products(FakeBackbone):
    """Rough where its products are in 16 bits."""

    def forward(self, pixels, layers=None, *, final_norm=True):  # type: ignore[no-untyped-def]
        outputs = super().forward(pixels, layers, final_norm=final_norm)
        if torch.is_autocast_enabled("cpu"):
            for patches in outputs.patches.values():
                patches[:, 0] *= -1
        return outputs


def test_a_model_that_autocasts_already_is_held_against_its_own_weights() -> None:
    with pytest.raises(InputError, match=r"bfloat16 autocast.*0\.7"):
        measure(photos(), autocast_backbone(Products(), torch.bfloat16), 8, controls=False)
    with pytest.raises(InputError, match=r"bfloat16 autocast.*0\.7"):
        measure(photos(), Products(), 8, dtype="bfloat16", autocast=True, controls=False)
    found = measure(
        photos(), Products(), 8, dtype="bfloat16", autocast=True, allow_inexact=True, controls=False
    )
    assert "bfloat16 autocast" in found.warnings[0]


def test_every_photograph_is_still_measured_and_bad_ones_cost_themselves(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photograph")
    failures: list[Failure] = []
    given = iter([bad, *photos(4)])
    found = measure(given, FakeBackbone(), 8, dtype="float16", controls=False, on_failure=failures.append)
    assert len(found.images) == 4 and [Path(failure.source).name for failure in failures] == ["bad.jpg"]


def test_nothing_is_read_where_nothing_needs_a_proof() -> None:
    def never():  # type: ignore[no-untyped-def]
        raise AssertionError("read")
        yield

    _, _, notes = exact_enough([FakeBackbone()], never(), AS_LOADED, Run(8), [None])
    assert notes == ()


def test_a_journal_of_another_way_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "rows.jsonl"
    measure(photos(), FakeBackbone(), 8, journal=journal, controls=False)
    assert json.loads(journal.read_text().splitlines()[0])
    with pytest.raises(InputError, match=r"journal|settings"):
        measure(photos(), FakeBackbone(), 8, journal=journal, dtype="bfloat16", autocast=True, controls=False)


def test_a_session_refuses_and_says_so_as_compare_does() -> None:
    shown = [photograph_from_array(pixels, name="0.png") for pixels in photos()]
    refusing = Session(Rough(), arithmetic=Arithmetic(torch.float16))
    with pytest.raises(InputError, match=r"fake, float16.*0\.75.*allow_inexact=True"):
        refusing.add(shown[0], 8)
    assert not refusing.has(shown[0].digest, 8)

    session = Session(Rough(), arithmetic=Arithmetic(torch.float16, allow_inexact=True))
    for photograph in shown:
        session.add(photograph, 8)
    result = session.comparison([photograph.digest for photograph in shown], 8)
    words = "fake, float16: cosine to float32 eager 0.750000 mean"
    assert words in result.measurements.warnings[0]
    assert words in result.settings["arithmetic"][0]  # type: ignore[index]
    assert [features.provenance.dtype for row in result.features for features in row] == ["float16"] * 3
