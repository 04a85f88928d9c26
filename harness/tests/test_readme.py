"""The README says what the boards' own data say, and names every option and marker that it shows."""

import re
from pathlib import Path

import pytest

import harness
from harness import boards
from harness.firmware.raspberry import quirks
from harness.options import OPTIONS, Settings
from harness.run.markers import LINES
from harness.tests.boards.own import OWN

README = Path(__file__).resolve().parents[2] / "README.md"
pytestmark = pytest.mark.skipif(not README.is_file(), reason="not a clone: there is no README to compare with")


def in_the_readme() -> tuple[str, ...]:
    """The boards that the README's table has: a further one needs no row there to be used."""
    rows = re.findall(r"^\| `([a-z0-9-]+)`(?: \([^)]*\))?: ", README.read_text(), re.MULTILINE)
    return tuple(name for name in boards.names() if name in rows)


def test_the_board_table_is_made_of_the_boards_data() -> None:
    assert boards.table(in_the_readme()) in README.read_text()
    assert set(in_the_readme()) >= {*OWN}


def test_the_table_of_hardware_is_made_of_the_boards_data() -> None:
    assert boards.hardware_table(in_the_readme()) in (README.parent / "docs" / "hardware.md").read_text()


def test_the_table_of_workarounds_is_made_of_the_boards_data() -> None:
    assert boards.workarounds_table(in_the_readme()) in (README.parent / "docs" / "workarounds.md").read_text()


def test_the_table_of_quirks_is_that_of_the_firmware_stage() -> None:
    assert quirks.table() in (README.parent / "docs" / "raspberry-pi.md").read_text()


def test_every_option_that_is_shown_exists() -> None:
    pages = (README, README.with_name("CHANGELOG.md"), *README.parent.glob("docs/*.md"))
    shown = {page: set(re.findall(r"--gk-[a-z]+(?:-[a-z]+)*", page.read_text())) for page in pages}
    assert shown[README]
    known = {option.flag for option in OPTIONS}
    assert {page.name: flags - known for page, flags in shown.items() if flags - known} == {}


def options_table() -> str:
    """All options, as the Markdown table of docs/options.md."""
    lines = ["| option | `gokharness` | |", "| --- | --- | --- |"]
    for option in OPTIONS:
        value = "|".join(option.choices) or option.metavar
        commands = ", ".join(option.commands) + "".join(
            f": `{option.flag_of(one)}`" for one in option.commands[:1]
        )
        typed = f"{option.flag} {value}".strip().replace("|", r"\|")
        lines.append(f"| `{typed}` | {commands} | {option.help} |")
    return "\n".join(lines)


def markers_table() -> str:
    """All markers, likewise."""
    rows = (marker.split(": ", 1) for marker in LINES)
    return "\n".join(["| marker | |", "| --- | --- |", *(f"| `{name}` | {text} |" for name, text in rows)])


def test_all_options_and_markers_are_told() -> None:
    told = (README.parent / "docs" / "options.md").read_text()
    assert options_table() in told
    assert markers_table() in told


def test_of_several_choices_the_first_is_the_default_but_where_the_page_says_otherwise() -> None:
    settings = Settings()
    others = {
        option.name
        for option in OPTIONS
        if option.choices and getattr(settings, option.ini[3:]) != option.choices[0]
    }
    assert others == {"bundle", "perm", "warm"}


def test_what_is_not_applicable_is_said_as_the_readme_has_it() -> None:
    section = README.read_text().split("## What you will see")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    reasons = [reason for row in rows for reason in re.findall(r"`(.+?)`", row)]
    assert len(reasons) > 5
    package = Path(harness.__file__).parent
    modules = ("appliance/abilities.py", "lab/lab.py", "lab/qemus.py")
    said = " ".join((package / name).read_text() for name in modules)
    for reason in reasons:
        assert re.sub("own (crasher|field)", "own {family}", reason) in said or reason in said, reason
