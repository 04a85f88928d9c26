"""The first bad one of many: found in as few steps as halving takes, and never by asking the ends again."""

from __future__ import annotations

import argparse
import math
import subprocess
from pathlib import Path

import pytest

from harness.bump.bisect import bisects, commits, first_bad
from harness.bump.bump import NoNewSide
from harness.commands import bump
from harness.errors import ConfigError, HarnessError, OptionError, ToolMissing
from harness.tests.sources import git


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


@pytest.mark.parametrize(("bad", "cannot"), [(9, 7), (9, 8), (3, 7), (15, 14), (1, 1)])
def test_one_that_cannot_be_tried_is_passed_over(bad: int, cannot: int) -> None:
    said: list[str] = []
    names = [str(number) for number in range(16)]

    def is_bad(candidate: str) -> bool | None:
        return None if int(candidate) == cannot else int(candidate) >= bad

    found = first_bad(names, is_bad, say=said.append)
    # Whether the one before it is bad as well, nobody can say.
    assert found == str(bad + 1 if bad == cannot else bad)
    in_doubt = cannot == bad or cannot == bad - 1
    assert bool([line for line in said if "may also be one of 1" in line]) == in_doubt


def test_a_checkout_that_git_bisects_is_known(checkout: Path) -> None:
    assert not bisects(checkout)
    git(checkout, "bisect", "start", "v3", "v0")
    assert bisects(checkout)
    git(checkout, "bisect", "reset")
    assert not bisects(checkout)
    assert not bisects(checkout.parent / "nothing")


def test_to_git_what_cannot_be_built_is_skipped_and_another_trouble_ends_all(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors: list[HarnessError] = [
        NoNewSide(ConfigError("it has no vmlinuz")),
        ToolMissing("no QEMU"),
        OptionError("?"),
    ]
    for error, status in zip(errors, (125, 128, 128), strict=True):

        def fail(_: object, error: HarnessError = error) -> int:
            raise error

        monkeypatch.setattr(bump, "_compare", fail)
        options = argparse.Namespace(command="bump", gk_kernel=str(checkout))
        with pytest.raises(type(error)):
            bump.run(options)
        git(checkout, "bisect", "start", "v3", "v0")
        assert bump.run(options) == status
        git(checkout, "bisect", "reset")
        assert error.what in capsys.readouterr().err


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
