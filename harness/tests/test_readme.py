"""The README says what the boards' own data say, and names every option and marker that it shows."""

import re
from pathlib import Path

import pytest

import harness
from harness import boards
from harness.firmware import quirks
from harness.options import OPTIONS

README = Path(__file__).resolve().parents[2] / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="not a clone: there is no README to compare with")


def test_the_board_table_is_made_of_the_boards_data() -> None:
    assert boards.table() in README.read_text()


def test_the_table_of_hardware_is_made_of_the_boards_data() -> None:
    assert boards.hardware_table() in (README.parent / "docs" / "hardware.md").read_text()


def test_the_table_of_quirks_is_that_of_the_firmware_stage() -> None:
    assert quirks.table() in README.read_text()


def test_every_option_in_the_readme_exists() -> None:
    shown = set(re.findall(r"--gk-[a-z-]+", README.read_text()))
    assert shown <= {option.flag for option in OPTIONS}
    assert shown


def test_what_is_not_applicable_is_said_as_the_readme_has_it() -> None:
    section = README.read_text().split("## What you will see")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    reasons = [reason for row in rows for reason in re.findall(r"`(.+?)`", row)]
    assert len(reasons) > 5
    package = Path(harness.__file__).parent
    said = " ".join((package / name).read_text() for name in ("abilities.py", "lab.py", "stock.py"))
    for reason in reasons:
        assert reason.replace("crasher", "{family}") in said or reason in said, reason
