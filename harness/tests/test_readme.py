"""The README says what the boards' own data say, and names every option and marker that it shows."""

import re
from pathlib import Path

import pytest

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
