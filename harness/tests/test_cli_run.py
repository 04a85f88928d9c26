"""``gokharness run``: what it takes and refuses, and once with a real machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.boards import Board
from harness.cli import main
from harness.hand import run
from harness.hand.boot import Asked
from harness.hand.run import FOREVER, Program
from harness.package_data import images_folder
from harness.store.root import default_root
from harness.tests.test_plugin import instance


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be run, and how the machine would start."""
    asked: list[Any] = []

    def played(lab: Any, board: Board, wanted: Asked, program: Program, words: Any) -> None:
        asked.append((wanted, program))

    monkeypatch.setattr(run, "run_program", played)
    return asked


def test_it_starts_warm_and_shows_the_log_until_somebody_leaves(tmp_path: Path, asked: list[Any]) -> None:
    mine = instance(tmp_path / "mine")
    words = ["run", str(mine), "hello", "--artifacts", str(tmp_path / "logs")]
    assert main(words) == 0
    assert main([*words, "--cold", "--seconds", "3", "--flags", "-a 'b c'", "--name", "other"]) == 0
    (first, program), (second, other) = asked
    assert first.warm
    assert program == Program("hello", [], FOREVER)
    assert not second.warm
    assert second.name == "other"
    assert other == Program("hello", ["-a", "b c"], 3.0)


def test_what_cannot_be_run_is_refused_in_the_words_of_the_command(
    tmp_path: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "disk.img"
    image.touch()
    assert main(["run", str(image), "hello"]) == 4
    assert "this is a finished image" in capsys.readouterr().err
    assert main(["run", str(instance(tmp_path / "mine")), "hello", "--flags", "'a"]) == 4
    assert '--flags "\'a" cannot be read: No closing quotation' in capsys.readouterr().err
    assert asked == []
    assert main(["run", str(tmp_path / "mine"), "hello", "--memory", "10"]) == 4
    assert capsys.readouterr().err.startswith("gokharness: --memory: '10' is not a number of MiB")


def test_a_folder_that_is_not_there_is_named_before_a_machine_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(run, "booted", lambda *_: started.append(_))
    mine = str(instance(tmp_path / "mine"))
    assert main(["run", mine, "./cmd/nothing", "--artifacts", str(tmp_path / "logs")]) == 4
    assert "'./cmd/nothing' is no folder, and no package of the instance" in capsys.readouterr().err
    assert started == []


@pytest.mark.gk_tier("nightly")
def test_a_program_that_the_instance_does_not_have_runs_and_is_heard(tmp_path: Path) -> None:
    visitor = images_folder() / "programs" / "cmd" / "visitor"
    command = [sys.executable, "-m", "harness", "run", str(images_folder() / "hello-arm64"), str(visitor)]
    command += ["--board", "virt", "--seconds", "6", "--flags=-seen=1", "--cache", str(default_root())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "visitor runs in place of /user/visitor, until the next boot" in done.stdout
    assert re.search(r"visitor: runs as \S+/visitor with \[\"-seen=1\"\]", done.stdout)
    assert "visitor: second 3" in done.stdout
    assert "test-password" not in done.stdout
