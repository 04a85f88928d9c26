"""Accepted differences: by row, reason and day; what is wrong in the file is one clear error."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from harness.bump.accepted import accepted, read
from harness.bump.compare import Row, Verdict
from harness.errors import OptionError

ROW = Row("virt", "boot file system", Verdict.WORSE, "82.1 MiB, was 57.0")
FILE = """
[[accepted]]
what = "boot file system"
board = "virt"
contains = "82.1"
reason = "two more drivers"
until = 2027-01-31
"""
LAST, AFTER = datetime.date(2027, 1, 31), datetime.date(2027, 2, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accepted.toml"
    path.write_text(FILE)
    return path


def test_it_is_accepted_until_its_day(file: Path) -> None:
    known = read(file)
    (row,) = accepted([ROW], known, today=LAST)
    assert not row.is_regression
    assert row.accepted == "two more drivers, until 2027-01-31"
    assert accepted([ROW], known, today=AFTER)[0].is_regression


@pytest.mark.parametrize(
    "row",
    [
        Row("pc-bios", ROW.what, ROW.verdict, ROW.why),
        Row("virt", "root file system", ROW.verdict, ROW.why),
        Row("virt", ROW.what, ROW.verdict, "91.0 MiB, was 57.0"),
    ],
)
def test_another_difference_is_not(file: Path, row: Row) -> None:
    assert accepted([row], read(file), today=LAST)[0].is_regression


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[accepted]]\nwhat = 'x'\nreason = 'y'", "entry 1 lacks until"),
        (FILE.replace("2027-01-31", "'2027-01-31'"), "entry 1: until is a day"),
        (FILE.replace("board", "bord"), "entry 1 has bord; known are"),
        (FILE.replace("[[accepted]]", "[accepted]"), "something else than [[accepted]]"),
        ("[[accepted]", "it is no TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named(file: Path, text: str, words: str) -> None:
    file.write_text(text)
    with pytest.raises(OptionError) as found:
        read(file)
    assert words in str(found.value)
    assert str(file) in str(found.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="it cannot be read: No such file"):
        read(tmp_path / "none.toml")
