"""The search page's filters against a slow reference, on rows with times, cameras and places."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from dinoscope.data.shot import Shot
from dinoscope.retrieval.page.filters import condition_of
from dinoscope.store.lance import batches
from dinoscope.store.shots import shot_facts
from dinoscope.store.store import FeatureTable
from tests.store.small_stores import fill

SHOTS = [
    Shot(),
    Shot("2019-12-31T23:59:59", "Canon EOS 5D"),
    Shot("2020-02-29T00:00:00", "it's mine", 48.2082, 16.3738),
    Shot("2020-03-01T12:00:00", "Canon EOS 5D", 48.1351, 11.5820),
    Shot("2021-01-01T00:00:00", "", -33.8688, 151.2093),
    Shot("", "", 0.05, 179.95),
    Shot("", "", -0.05, -179.95),
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> FeatureTable:
    path = tmp_path_factory.mktemp("s") / "store"
    rows = range(len(SHOTS))
    return fill(path, rows, shots=dict(enumerate(SHOTS)), source="/Photos/Holiday's {}%.jpg")


def fitting(table: FeatureTable, words: dict[str, str]) -> list[int]:
    where = condition_of(words)
    rows = [
        row for batch in batches(table.vectors_path, ["source"], where=where) for row in batch.to_pylist()
    ]
    return [int(row["source"].rpartition(" ")[2].partition("%")[0]) for row in rows]


def metres_apart(a: Shot, latitude: float, longitude: float) -> float:
    """By the angle between two directions, in float64."""

    def direction(north: float, east: float) -> np.ndarray:
        n, e = math.radians(north), math.radians(east)
        return np.array([math.cos(n) * math.cos(e), math.cos(n) * math.sin(e), math.sin(n)])

    assert a.latitude is not None and a.longitude is not None
    cosine = float(direction(a.latitude, a.longitude) @ direction(latitude, longitude))
    return 6371.0088 * math.acos(max(-1.0, min(1.0, cosine)))


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ({"since": "2020"}, lambda s: s.taken >= "2020"),
        ({"until": "2019"}, lambda s: "" < s.taken < "2020"),
        ({"since": "2020-02-29", "until": "2020-02-29"}, lambda s: s.taken.startswith("2020-02-29")),
        ({"until": "2020-02"}, lambda s: "" < s.taken < "2020-03"),
        ({"camera": "it's mine"}, lambda s: s.camera == "it's mine"),
        (
            {"camera": "Canon EOS 5D", "since": "2020"},
            lambda s: s.camera == "Canon EOS 5D" and s.taken > "2020",
        ),
        ({"where": "camera IS NULL OR latitude < 0"}, lambda s: not s.camera or (s.latitude or 0) < 0),
    ],
)
def test_filters_leave_what_fits(
    table: FeatureTable, words: dict[str, str], fits: Callable[[Shot], bool]
) -> None:
    assert fitting(table, words) == [i for i, shot in enumerate(SHOTS) if fits(shot)]


@pytest.mark.parametrize("place", [(48.2082, 16.3738), (0.0, 180.0), (-33.0, 151.0), (90.0, 0.0)])
@pytest.mark.parametrize("km", [0.001, 20.0, 400.0, 5000.0, 20000.0])
def test_near_is_by_the_great_circle(table: FeatureTable, place: tuple[float, float], km: float) -> None:
    want = [i for i, s in enumerate(SHOTS) if s.latitude is not None and metres_apart(s, *place) <= km]
    assert fitting(table, {"near": f"{place[0]}, {place[1]}, {km}"}) == want


def test_a_part_of_the_path_is_found_whatever_its_case_and_signs(table: FeatureTable) -> None:
    assert fitting(table, {"path": "holiday's 3%"}) == [3]
    assert fitting(table, {"path": "%"}) == list(range(len(SHOTS)))
    assert fitting(table, {"path": "_"}) == []


def test_what_is_known_of_a_table_is_told(table: FeatureTable) -> None:
    facts = shot_facts(table)
    assert (facts.first, facts.last) == ("2019-12-31T23:59:59", "2021-01-01T00:00:00")
    assert (facts.cameras, facts.n_placed) == (("Canon EOS 5D", "it's mine"), 5)
