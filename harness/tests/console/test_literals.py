"""The words that a pattern cannot do without."""

from __future__ import annotations

import re

import pytest

from harness.console.crashes import CHECKS
from harness.console.literals import literals
from harness.tests.console.test_checks import OTHER_FORMS, example


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("panic", ("panic",)),
        (r"Kernel panic - (\S+)", ("Kernel panic - ",)),
        (r"disks? on fire", (" on fire",)),
        (r"ab*cde|fgh", ("cde", "fgh")),
        (r"(?:one|two) three", (" three",)),
        (r"(?<!ex)FAT-fs \(.*?\): (?:error|x)", ("FAT-fs (",)),
        (r"[abc]{2}def[^\]x]gh", ("def",)),
        (r"(?:one|two)", ()),
        (r"one|\d+", ()),
        (r"(?i)panic", ()),
        (r"\bBUG: .*", ("BUG: ",)),
        (r"a(b|c(d))e|xyz", ()),
        (r"", ()),
        # An escape stands for one character, and not for those that it is written with.
        (r"\u2713 ready", (" ready",)),
        (r"\U0001F600 ready", (" ready",)),
        (r"\N{CHECK MARK} ready", (" ready",)),
        (r"\0333 ready", (" ready",)),
        (r"\x1bready", ("ready",)),
    ],
)
def test_words_are_found(pattern: str, words: tuple[str, ...]) -> None:
    assert literals(re.compile(pattern)) == words


@pytest.mark.parametrize(("name", "text"), [*((one.name, example(one)) for one in CHECKS), *OTHER_FORMS])
def test_a_line_that_fits_has_one_of_them(name: str, text: str) -> None:
    for check in CHECKS:
        if check.name == name and check.regex.search(text):
            assert not check.words or any(word in text for word in check.words)


def test_every_check_has_some() -> None:
    # Without, each line of a flood is searched for it.
    assert [check.name for check in CHECKS if not check.words] == []
