import sys

import pytest

from dinoscope.drawing.text_table import WIDTH, text_table, text_width, wrapped

HEADER = ("name", "number", "words")
ROWS = [("a", "1.5", "[red]no markup[/red] :smile:"), ("bb", "-10.25", "x\x1b[31my")]


def test_cells_stand_in_columns_as_they_are() -> None:
    lines = text_table(ROWS, HEADER, right=(1,)).splitlines()
    assert lines == [
        "name  number  words",
        "a        1.5  [red]no markup[/red] :smile:",
        "bb    -10.25  x\\x1b[31my",
    ]


def test_the_flexible_column_gives_way_first_and_loses_nothing() -> None:
    name, cell = "a-name-" * 12, "0.123 [0.111, 0.222]"
    text = text_table([(name, cell, cell), ("  " + "word " * 12, cell, cell)], ("name", "one", "two"))
    lines = text.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert sum(cell in line for line in lines) == 2
    width = lines[0].index("one")
    assert "".join(line[:width].strip() for line in lines[1:3]) == name
    assert all(line.startswith("  word") for line in lines[3:])  # the indent goes on


def test_the_flexible_column_gives_way_even_where_others_are_wider() -> None:
    cell = "+10.123 [+10.111, +10.222]"
    lines = text_table([("second-model minus it", cell, cell, cell)], ("", "a", "b", "c")).splitlines()
    assert max(map(len, lines)) <= WIDTH and sum(line.count(cell) for line in lines) == 3


def test_where_that_is_not_enough_others_wrap_too() -> None:
    cells = ["0.123 [0.111, 0.222]"] * 7
    lines = text_table([("name", *cells)], ["name"] * 8).splitlines()
    assert max(map(len, lines)) <= WIDTH and len(lines) > 2
    assert " ".join(lines).count("0.123") == " ".join(lines).count("0.222]") == 7


def test_unbroken_rows_stay_on_one_line() -> None:
    path = "/photographs/" + "x" * 200 + ".jpg"
    assert text_table([("1", path)], ("rank", "photograph"), unbroken=True).splitlines()[1] == f"1     {path}"


def test_only_a_terminal_decides_the_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "62")
    assert text_width() == WIDTH
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert text_width() == 62
    assert max(map(len, wrapped("word " * 40).splitlines())) <= 62
    table = text_table([("word " * 40, "1")], ("words", "n"))
    assert max(map(len, table.splitlines())) <= 62 and "\x1b" not in table
    monkeypatch.setenv("COLUMNS", "300")
    assert text_width() == WIDTH


def test_nothing_around_it_changes_what_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = text_table(ROWS, HEADER)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert text_table(ROWS, HEADER) == plain
