"""The first bad one of many: found in as few steps as halving takes, and never by asking the ends again."""

from __future__ import annotations

import math
import subprocess
from pathlib import Path

import pytest

from harness.bump.bisect import commits, first_bad
from harness.errors import OptionError
from harness.tests.bump.test_checkout import git


@pytest.mark.parametrize("bad", range(1, 16))
def test_of_sixteen_it_takes_four_steps(bad: int) -> None:
    asked: list[str] = []

    def is_bad(candidate: str) -> bool:
        asked.append(candidate)
        return int(candidate) >= bad

    names = [str(number) for number in range(16)]
    assert first_bad(names, is_bad) == str(bad)
    assert len(asked) <= math.ceil(math.log2(15))
    assert not {"0", "15"} & set(asked)


def test_two_need_no_step_and_one_is_an_error() -> None:
    assert first_bad(["good", "bad"], lambda _: pytest.fail("asked")) == "bad"
    with pytest.raises(OptionError):
        first_bad(["same"], lambda _: True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    for number in range(4):
        (tmp_path / "vmlinuz").write_text(str(number))
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "-qm", str(number))
        git(tmp_path, "tag", f"v{number}")
    return tmp_path


def test_the_commits_between_two_in_their_order(checkout: Path) -> None:
    found = commits(checkout, "v1", "v3")
    assert [git(checkout, "show", f"{one}:vmlinuz") for one in found] == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("good", "bad", "words"), [("v3", "v1", "does not come after"), ("v1", "v9", "no commit 'v9'")]
)
def test_ends_that_make_no_sense_are_named(checkout: Path, good: str, bad: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        commits(checkout, good, bad)


def test_a_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    subprocess.run(["git", "-C", str(tmp_path), "status"], capture_output=True, check=False)
    with pytest.raises(OptionError):
        commits(tmp_path, "a", "b")
