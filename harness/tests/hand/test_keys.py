"""Which keys are the guest's, and which are ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import harness
from harness.hand import commands
from harness.hand.keys import ESCAPE, KEYS, Key, Keyboard

ROOT = Path(harness.__file__).parents[1]
PAGE = ROOT / "docs" / "by-hand.md"


def pressed(*chunks: bytes) -> list[bytes | Key]:
    keyboard, found = Keyboard(), []
    for chunk in chunks:
        while chunk:
            one, chunk = keyboard.next(chunk)
            if one is not None:
                found.append(one)
    return found


def names(found: list[bytes | Key]) -> list[bytes | str]:
    return [one.name if isinstance(one, Key) else one for one in found]


def test_all_but_what_follows_ctrl_a_is_the_guest_s() -> None:
    assert pressed(b"ls\r\x03\x1b[A\xff") == [b"ls\r\x03\x1b[A\xff"]
    assert names(pressed(b"ls\x01xrest")) == [b"ls", "x", b"rest"]
    assert pressed(b"\x01\x01") == [ESCAPE]
    assert pressed(b"\x01a") == [ESCAPE]


def test_ctrl_may_be_held_and_ctrl_a_may_come_alone() -> None:
    assert names(pressed(b"\x01\x18")) == names(pressed(b"\x01", b"x")) == ["x"]
    assert names(pressed(b"\x01", b"\x03")) == ["c"]


def test_a_key_that_is_none_shows_the_help_and_goes_nowhere() -> None:
    assert names(pressed(b"\x01qa")) == ["h", b"a"]


@given(some.lists(some.binary(max_size=20).map(lambda data: data.replace(ESCAPE, b"")), max_size=5))
def test_no_byte_is_lost_or_added(chunks: list[bytes]) -> None:
    found = pressed(*chunks)
    assert b"".join(one for one in found if isinstance(one, bytes)) == b"".join(chunks)
    assert not any(isinstance(one, Key) for one in found)


@pytest.mark.skipif(not (ROOT / "README.md").is_file(), reason="not a clone: there are no docs")
def test_the_page_has_the_tables_of_the_code() -> None:
    keys = "\n".join(["| key | |", "| --- | --- |", *(f"| `Ctrl-A` `{key.name}` | {key.help} |" for key in KEYS)])
    rows = (f"| `{one.usage}` | {one.help} |" for one in commands.COMMANDS)
    page = PAGE.read_text()
    assert keys in page
    assert "\n".join(["| command | |", "| --- | --- |", *rows]) in page
