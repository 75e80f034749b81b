"""A model that is none ends with a code of its own, and says which file it was and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import run
from tests.hostile.checkpoints import Make, cases
from tests.hostile.files import write_photographs

CASES = tuple(cases())


@pytest.mark.parametrize(("message", "make"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_no_model(
    message: str, make: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    model = make(folder)
    photographs = write_photographs(tmp_path / "photographs", ("a.png",))
    capsys.readouterr()
    assert run("extract", photographs, "--model", model, "--grid", 4, "--out", tmp_path / "out") == 3
    told = capsys.readouterr()
    assert told.out == ""
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(told.err)
    assert str(model)[:100] in told.err
    assert "Traceback" not in told.err
    assert "report" not in told.err
    assert not (folder / "mark").exists(), "nothing that a file holds is run"
    assert not (tmp_path / "out").exists()


def test_enough_of_each_kind() -> None:
    kinds = [name.rpartition(" ")[0] for name, _, _ in CASES]
    assert all(kinds.count(kind) >= 5 for kind in set(kinds))
