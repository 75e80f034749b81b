"""One estimate for the whole of a long command, and few lines of it."""

from __future__ import annotations

import pytest

from dinoscope.shell import stages as module
from dinoscope.shell.stages import LATE, Course, Stage, spoken, stages


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


def course(clock: Clock, *planned: Stage) -> Course:
    return Course(planned, clock)


PLAN = (Stage("features", 6, total=3), Stage("controls", 2), Stage("writing", 2))


def test_the_estimate_is_of_all_stages_together(clock: Clock) -> None:
    c = course(clock, *PLAN)
    assert c.left_s is None and c.words == "features 0 of 3 (then controls, writing)"
    clock.at = 100.0  # until the first item: no pace yet
    c.advance(1)
    assert c.left_s is None
    clock.at = 120.0
    c.advance(2)  # 20 s for 2 units of 10, and 6 are left
    assert c.left_s == pytest.approx(60.0)
    assert c.words == "features 2 of 3 (then controls, writing), about 60 s left"
    clock.at = 140.0
    c.advance(3)
    assert c.stage.name == "controls" and c.left_s == pytest.approx(40.0)
    assert c.words == "controls (then writing), about 40 s left"


def test_a_stage_without_items_counts_down_and_never_ends_in_0_s(clock: Clock) -> None:
    c = course(clock, *PLAN)
    c.advance(1)
    clock.at = 20.0
    c.advance(2)
    clock.at = 40.0
    c.advance(3)
    clock.at = 60.0
    assert c.left_s == pytest.approx(20.0)
    clock.at = 200.0
    assert c.left_s is None and c.words == f"controls (then writing), {LATE}"
    c.next()
    assert c.words == f"writing, about {spoken((200 / 6) * 2)} left" or "left" in c.words
    c.next()
    assert c.is_done and c.share == 1.0


def test_shares_grow_to_one_whatever_they_are_given_in(clock: Clock) -> None:
    c = course(clock, *PLAN)
    seen = []
    for done in (1, 2, 3):
        c.advance(done)
        seen.append(c.share)
    c.next()
    seen.append(c.share)
    c.next()
    assert [*seen, c.share] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_work_whose_amount_grows_has_no_end_of_its_own(clock: Clock) -> None:
    c = course(clock, Stage("changes"))
    for done, total in ((5, 10), (10, 10), (3, 40)):
        c.so_far(done, total)
        assert not c.is_done and f"{done} of" in c.words


def test_off_a_terminal_there_is_at_most_a_line_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Clock
) -> None:
    monkeypatch.setattr(module.time, "monotonic", clock)
    with stages(Stage("photographs", total=1000)) as c:
        c._now = clock
        for second in range(1, 181):
            clock.at = float(second)
            c.advance(second)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("photographs 60 of 1000") and "left" in lines[0]
    clock.at = 0.0
    with stages(Stage("photographs", total=3)) as c:
        for done in (1, 2, 3):
            c.advance(done)
    assert capsys.readouterr().err == ""


def test_times_are_spoken_of_as_people_do() -> None:
    assert [spoken(s) for s in (0.2, 1.2, 89, 150, 3600, 7000)] == [
        "1 s",
        "1 s",
        "89 s",
        "2 min",
        "60 min",
        "1.9 h",
    ]
