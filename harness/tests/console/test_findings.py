"""What a console finds wrong: which wait it ends, and what a test provokes or allows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.console.check import PANIC_SILENCE
from harness.console.console import Console
from harness.console.phases import Cause, Phase
from harness.errors import (
    InitFailure,
    KernelPanic,
    OptionError,
    QemuFailed,
    WaitTimeout,
)
from harness.tests.console.replay import (
    LAST_WORDS,
    LINUX,
    PANIC,
    START,
    K,
    later,
    machine,
    recorded,
    replay,
)


class TestCrash:
    def test_without_last_words_it_is_reported_after_a_moment(self, console: Console) -> None:
        with machine(console) as fake:
            # The silence begins while it is still being said.
            began = time.monotonic()
            fake.say(PANIC)
            with pytest.raises(KernelPanic):
                console.expect("never", timeout=30)
            assert PANIC_SILENCE < time.monotonic() - began < 10

    @pytest.mark.parametrize(("rest", "limit"), [(LAST_WORDS, 0.1), ("", 1.0)])
    def test_it_ends_a_wait_soon(self, tmp_path: Path, rest: str, limit: float) -> None:
        took = []
        # What else this computer does can only make it later.
        for number in range(5):
            console = Console(tmp_path / str(number))
            with machine(console) as fake:
                fake.say(LINUX)
                console.wait_for_boot(after=0, timeout=10)
                began = time.monotonic()
                fake.say(PANIC + rest)
                with pytest.raises(KernelPanic):
                    console.wait(30)
                took.append(time.monotonic() - began)
            console.close()
        assert min(took) < limit, took

    def test_it_ends_a_wait_for_something_else(self, console: Console) -> None:
        with machine(console) as fake:
            later(lambda: fake.say(PANIC + LAST_WORDS), 0.1)
            began = time.monotonic()
            with pytest.raises(KernelPanic):
                console.wait(30.0)
            assert time.monotonic() - began < 5

    def test_it_ends_a_wait_for_a_phase(self, console: Console) -> None:
        with machine(console) as fake:
            later(lambda: fake.say(LINUX + PANIC + LAST_WORDS), 0.1)
            with pytest.raises(KernelPanic) as raised:
                console.wait_for_phase(Phase.HTTP, timeout=30)
        assert "boot 1" in raised.value.where

    def test_an_end_of_the_machine_completes_the_evidence(self, console: Console) -> None:
        replay(console, PANIC.encode())
        began = time.monotonic()
        with pytest.raises(KernelPanic):
            console.check()
        assert time.monotonic() - began < 1

    def test_a_provoked_one_is_returned(self, console: Console) -> None:
        with machine(console) as fake:
            with console.expect_crash(timeout=10) as crash:
                later(lambda: fake.say(PANIC + LAST_WORDS), 0.1)
                console.wait(0.01)
            assert crash.finding is not None
            assert crash.finding.name == "kernel-panic"
            console.check()
            assert console.unclean() == []
            fake.say(PANIC + LAST_WORDS)
            with pytest.raises(KernelPanic):
                console.expect("never", timeout=10)

    def test_a_provoked_one_that_does_not_come_is_missed(self, console: Console) -> None:
        missed = pytest.raises(WaitTimeout, match="the crash that was provoked")
        with machine(console), missed, console.expect_crash(timeout=0.1):
            pass

    def test_a_failing_block_keeps_its_own_error(self, console: Console) -> None:
        with machine(console) as fake:
            with pytest.raises(ZeroDivisionError), console.expect_crash():
                raise ZeroDivisionError
            with console.expect_crash(timeout=5) as crash:
                fake.say(PANIC + LAST_WORDS)
            assert crash.finding is not None

    def test_power_on_begins_a_new_life_and_a_reset_does_not(self, console: Console) -> None:
        replay(console, recorded("panic-no-init-arm64"))
        with machine(console, Cause.RESET), pytest.raises(InitFailure):
            console.check()
        with machine(console, Cause.POWER_ON):
            console.check()
        assert [finding.name for finding in console.findings] == ["init-missing"]

    def test_what_a_test_allows_is_no_finding(self, console: Console) -> None:
        oom = f"{K}Out of memory: Killed process 105 (leaker) total-vm:1kB\r\n"
        with machine(console) as fake:
            with console.allow("oom-kill"):
                fake.say(oom)
                console.wait_for_line("Killed process", timeout=5, since=START)
            assert console.unclean() == []
            mark = console.mark()
            fake.say(oom)
            console.wait_for_line("Killed process", timeout=5, since=mark)
        assert [finding.name for finding in console.unclean()] == ["oom-kill"]
        assert console.unclean(since=console.mark()) == []

    def test_an_unknown_name_is_refused(self, console: Console, tmp_path: Path) -> None:
        with pytest.raises(OptionError, match="no console check named oom"), console.allow("oom"):
            pass
        with pytest.raises(OptionError):
            Console(tmp_path / "other", allow=["nonsense"])

    def test_an_abort_ends_every_wait(self, console: Console) -> None:
        with machine(console):
            later(lambda: console.abort(QemuFailed("QEMU ended with status 1")), 0.1)
            with pytest.raises(QemuFailed):
                console.expect("never", timeout=30)
            with pytest.raises(QemuFailed):
                console.wait_for_phase("http", timeout=30)
        with machine(console):
            console.check()
