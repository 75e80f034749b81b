"""Tables of an earlier version lack when, with what and where; the columns come with the next rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from dinoscope.data.shot import UNKNOWN, Shot
from dinoscope.store import schema
from dinoscope.store.reading import each_row, rows_at, rows_of
from dinoscope.store.shots import has_shots, shot_facts
from dinoscope.store.store import FeatureTable
from tests.store.small_stores import fill

SHOT = Shot("2024-05-31T18:20:05", "Leica M8", 48.2, -16.4)


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureTable:
    """A table without these columns."""
    with monkeypatch.context() as earlier:
        earlier.setattr(schema, "shot_fields", list)
        table = fill(tmp_path / "store", range(3))
    assert not has_shots(table)
    return table


def test_an_older_table_is_read_as_it_is(older: FeatureTable) -> None:
    assert [row.shot for row in each_row(older)] == [UNKNOWN] * 3
    assert rows_at(older, [1])[0].shot == UNKNOWN and shot_facts(older).n_placed == 0


def test_an_older_table_is_written_on_with_what_is_known_of_new_rows(older: FeatureTable) -> None:
    fill(older.folder.parents[1], range(4), shots={3: SHOT})
    assert [row.shot for row in each_row(older)] == [UNKNOWN] * 3 + [SHOT]
    last = rows_at(older, [3])[0]
    assert rows_of(older, [last.digest])[last.digest].shot == SHOT
