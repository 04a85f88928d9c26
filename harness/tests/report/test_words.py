"""Messages name options by pytest's flags, and the reader sees the flags of the command that was typed."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import harness
from harness.build.request import COMMANDS
from harness.cli import main, parser_of_all
from harness.errors import OptionError, ToolMissing
from harness.options import OPTIONS
from harness.report.words import Words
from harness.tests.image.synthetic import write_image

PACKAGE = Path(harness.__file__).parent
DOORS = ("cli.py", "options.py")
"""Where flags are made, not named."""
FLAG = re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*(?![\w=])")
OUR_FLAG = re.compile(r"--gk-[a-z]+(?:-[a-z]+)*")


def texts(*, doors: bool = False) -> Iterator[tuple[str, str]]:
    """Every string of the package that is no docstring, with its place; of the doors only if asked for."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.is_relative_to(PACKAGE / "tests") or (path.name in DOORS and not doors):
            continue
        tree = ast.parse(path.read_text())
        # A docstring is an expression of its own; what is left is said or used.
        bare = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node.value


NAMED = [(place, text) for place, text in texts() if FLAG.search(text)]
OURS = {option.flag for option in OPTIONS}


def test_the_messages_that_name_flags_are_found() -> None:
    assert sum("--gk-" in text for _, text in NAMED) >= 8


def test_no_text_names_an_option_that_does_not_exist() -> None:
    named = [(place, flag) for place, text in texts(doors=True) for flag in OUR_FLAG.findall(text)]
    assert len(named) >= 20
    assert [f"{place}: {flag}" for place, flag in named if flag not in OURS] == []


def test_a_message_names_an_option_by_the_flag_that_pytest_knows() -> None:
    short = {f"--{name}" for option in OPTIONS for name in (option.name, option.called) if name}
    wrong = []
    for place, text in NAMED:
        # A text with no blank is an argument of a tool, such as --json.
        flags = [flag for flag in FLAG.findall(text) if " " in text]
        wrong += [f"{place}: {flag}" for flag in flags if flag in short]
    assert wrong == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_message_is_told_in_flags_that_the_command_takes(command: str) -> None:
    actions = next(action for action in parser_of_all()._actions if isinstance(action.choices, dict)).choices
    assert isinstance(actions, dict)
    taken = set(actions[command]._option_string_actions)
    for place, text in NAMED:
        if "--gk-" not in text:
            continue
        said = Words(command)(text)
        for flag in re.findall(r"(?:-- )?--gk-[a-z-]+", said):
            assert flag.startswith("-- "), f"{place}: {said}"
        count = len(re.findall(r"--gk-[a-z-]+", text))
        named = [flag for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", said) if flag in taken or flag in OURS]
        named += re.findall(r"\b(?:INSTANCE|IMAGE)\b", said)
        assert len(named) >= count, f"{place}: {said}"


def test_each_option_is_told_as_the_command_takes_it() -> None:
    text = "give --gk-next-image FILE, --gk-board (or --gk-strict), and no --gk-nothing"
    assert Words()(text) == text
    assert Words("check")(text) == "give --next FILE, --board (or -- --gk-strict), and no --gk-nothing"
    assert Words("boot")(text) == "give -- --gk-next-image FILE, --board (or -- --gk-strict), and no --gk-nothing"
    assert (
        Words("replay")("run it with --gk-record and --gk-cache DIR") == "run it with --gk-record and --cache DIR"
    )


@pytest.mark.parametrize("command", ["repro", "replay", "report", "ctl"])
def test_what_follows_two_dashes_is_refused_where_nobody_reads_it(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "x", "--", "--gk-strict"]) == 4
    assert capsys.readouterr().err.startswith(
        f"gokharness: {command} takes nothing after --\n  where: --gk-strict"
    )


def test_what_is_a_word_of_its_own_has_the_name_of_the_usage() -> None:
    text = "say what the device runs: --gk-image or --gk-instance"
    assert Words("check")(text) == "say what the device runs: IMAGE or INSTANCE"
    assert Words()(text) == Words("repro")(text) == text


def test_an_error_what_caused_it_and_a_skip_are_put_into_these_words() -> None:
    cause = ToolMissing("no gok", hint="--gk-builder own", evidence="it said --gk-builder")
    error = OptionError("--gk-serial is no use")
    error.__cause__ = cause
    Words("build").reword(error)
    assert str(error) == "--serial is no use"
    assert cause.hint == "--builder own"
    assert "--gk-builder" in cause.evidence
    with pytest.raises(pytest.skip.Exception) as raised:
        pytest.skip("not applicable: (give --gk-ssh-key)")
    Words("check").reword(raised.value)
    assert str(raised.value) == "not applicable: (give --ssh-key)"


def test_a_skip_on_a_worker_is_told_in_the_words_of_the_command(tmp_path: Path) -> None:
    image = write_image(tmp_path / "a.img", tmp_path / "parts", arch="arm64")
    command = [sys.executable, "-m", "harness", "check", str(image), "--board=virt", "--", "-n", "1"]
    done = subprocess.run(
        [*command, "-k", "test_breakglass and not gone"],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 5, done.stdout + done.stderr
    assert re.search(r"skipped +\d+x .*\(give --ssh-key\)", done.stdout), done.stdout
    assert "--gk-" not in done.stdout
