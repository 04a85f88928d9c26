"""The line that runs one test again is in the words of the command that was typed, and runs that test."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from harness.report.reproduce import Typed, typed
from harness.report.words import Words

pytest_plugins = ["pytester"]

NODE = "scenarios/test_boot.py::test_it_boots[virt]"


@pytest.mark.parametrize(
    ("made", "line"),
    [
        (Typed(), f"pytest '{NODE}' --gk-board virt"),
        (Typed(root="../.."), f"pytest '../../{NODE}' --gk-board virt"),
        (
            Typed(said=(("instance", "my app"), ("no-quirks", ""), ("with", "a@1"), ("with", "b@2"))),
            f"pytest '{NODE}' --gk-board virt --gk-instance 'my app' --gk-no-quirks --gk-with a@1 --gk-with b@2",
        ),
        (
            # An option of QEMU's own: it would be taken for one of pytest's.
            Typed(said=(("qemu-arg", "-d"), ("qemu-arg", "guest_errors"))),
            f"pytest '{NODE}' --gk-board virt --gk-qemu-arg=-d --gk-qemu-arg guest_errors",
        ),
        (
            Typed("check", said=(("image", "/x/disk.img"), ("memory", "512"), ("tier", "all"))),
            "gokharness check /x/disk.img --board virt --memory 512 -- -k test_it_boots --gk-tier all",
        ),
    ],
)
def test_a_line_for_one_test(made: Typed, line: str) -> None:
    assert made.line(NODE, "virt") == line
    assert shlex.split(line)


def test_a_repeated_test_is_run_once_and_one_without_a_board_has_none() -> None:
    assert Typed().line("a.py::t[virt-run7]", "virt") == "pytest 'a.py::t[virt]' --gk-board virt"
    assert Typed().line("a.py::t", "") == "pytest a.py::t"


def test_only_what_was_typed_counts_and_of_that_what_one_test_depends_on(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini("[pytest]\ngk_tier = all\n")
    (pytester.path / "below").mkdir()
    monkeypatch.chdir(pytester.path / "below")
    arguments = ["--gk-memory", "512", "--gk-board", "virt", "--gk-shard", "1/2", "--gk-artifacts", "x"]
    config = pytester.parseconfig(*arguments, "--gk-with", "a@1", "--gk-with", "b@2")
    made = typed(config, Words())
    assert made == Typed("", "..", (("with", "a@1"), ("with", "b@2"), ("memory", "512")))
    assert made.line(NODE, "virt").startswith(f"pytest '../{NODE}' --gk-board virt --gk-with a@1")
    assert Path(made.root) == Path("..")
