"""Checks of a user's own: how they are read, what is wrong with them, and what they find."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.console.check import Check, Severity
from harness.console.console import Console
from harness.console.crashes import Table
from harness.console.own_checks import EXAMPLE, excuses, own_check, own_checks
from harness.errors import ApplianceFault, OptionError
from harness.tests.console.replay import LINUX, K, replay


def test_a_row_has_a_name_a_severity_a_pattern_and_a_meaning() -> None:
    check = own_check(EXAMPLE)
    assert (check.name, check.severity, check.pattern, check.meaning) == (
        "modem-lost",
        Severity.FATAL,
        r"modem: no carrier on (\S+)",
        "the modem lost its carrier on {1}",
    )
    assert own_check("too-hot: noted: thermal: .* trip").meaning == "{0}"
    assert own_check("x: noted: a: b -> c -> d").pattern == "a: b"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("modem-lost", "'modem-lost' is no console check"),
        ("modem-lost: fatal", "'modem-lost: fatal' is no console check"),
        ("modem-lost: deadly: x", "the console check 'modem-lost' is 'deadly'"),
        ("modem-lost: fatal: (x", "the pattern '(x' of the console check 'modem-lost' cannot be read: missing )"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(row: str, words: str) -> None:
    with pytest.raises(OptionError) as raised:
        own_check(row)
    assert words in raised.value.what
    assert raised.value.hint


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("Modem: fatal: x", "cannot be named 'Modem'"),
        (": fatal: x", "cannot be named ''"),
        ("kernel-panic: fatal: x", "two console checks named 'kernel-panic'"),
        ("silence: noted: x", "two console checks named 'silence'"),
        ("modem: fatal: x*", "fits every line"),
        ("modem: fatal: x -> it said {1}", "the meaning 'it said {1}' of the console check 'modem' cannot"),
        ("modem: fatal: x -> it said {", "cannot be filled in"),
    ],
)
def test_what_fits_no_table_is_refused(row: str, words: str) -> None:
    with pytest.raises(OptionError) as raised:
        own_checks([own_check(row)])
    assert words in raised.value.what
    assert raised.value.hint


def test_a_name_is_given_once_and_a_hook_gives_checks() -> None:
    with pytest.raises(OptionError, match="two console checks named 'a'"):
        own_checks([own_check("a: noted: x"), own_check("a: noted: y")])
    with pytest.raises(OptionError, match="'a: noted: x' is no console check"):
        own_checks(["a: noted: x"])


@pytest.mark.parametrize("row", ["oom-kill", "oom-kill:", ": because"])
def test_what_is_allowed_has_a_reason(row: str) -> None:
    with pytest.raises(OptionError, match="does not say why"):
        excuses([row])
    assert excuses(["oom-kill: too big: a browser"]) == {"oom-kill": "too big: a browser"}


def test_a_row_of_ones_own_comes_first_and_counts_anywhere(tmp_path: Path) -> None:
    panic = Check("our-panic", "not syncing: (.*)", "ours: {1}", Severity.NOTED)
    console = Console(tmp_path, table=Table(own_checks([own_check(EXAMPLE), panic])))
    said = f"{LINUX}{K}Kernel panic - not syncing: x\r\n2026/11/22 modem.go:3: modem: no carrier on ttyUSB0\r\n"
    replay(console, said.encode())
    assert [(one.name, one.what) for one in console.findings] == [
        ("our-panic", "ours: x"),
        ("modem-lost", "the modem lost its carrier on ttyUSB0"),
    ]
    with pytest.raises(ApplianceFault, match="lost its carrier on ttyUSB0"):
        console.check()
    console.close()


@pytest.mark.parametrize("pattern", [r"12\.345678", r"12\.345678\] same", r"\] same words$"])
def test_a_row_of_ones_own_may_ask_for_the_kernels_time(tmp_path: Path, pattern: str) -> None:
    at_noon = Check("at-noon", pattern, "it is noon", Severity.NOTED, kernel=True)
    console = Console(tmp_path, table=Table(own_checks([at_noon])))
    replay(console, f"{LINUX}[   11.000000] same words\r\n[   12.345678] same words\r\n".encode())
    assert console.findings[-1].line.text == "[   12.345678] same words"
    assert len(console.findings) == (1 if "12" in pattern else 2)
    console.close()


def test_what_the_run_allows_is_kept_with_its_reason(tmp_path: Path) -> None:
    table = Table(excused={"oom-kill": "the browser is too big"})
    console = Console(tmp_path, table=table, allow=["segfault"])
    replay(
        console, f"{LINUX}{K}Out of memory: Killed process 1 (a)\r\n{K}traps: a[1] trap\r\n{K}BUG: x\r\n".encode()
    )
    assert [one.name for one in console.unclean()] == ["kernel-bug"]
    assert [one.reason for one in console.findings] == ["the browser is too big", "", ""]
    with console.allow("kernel-bug"):
        pass
    console.close()


def test_only_checks_can_be_allowed() -> None:
    with pytest.raises(OptionError, match="no console check named nonsense"):
        Table(excused={"nonsense": "why"})
