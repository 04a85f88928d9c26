"""Appliances that start again and again, and those that fall silent."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.console.check import Severity
from harness.console.console import Console
from harness.console.loops import LoopRule
from harness.console.phases import Phase
from harness.errors import (
    ConsoleSilence,
    InitFailure,
    KernelPanic,
    RebootLoop,
)
from harness.tests.console.replay import (
    LAST_WORDS,
    LINUX,
    PANIC,
    START,
    UP,
    K,
    machine,
    replay,
)
from harness.tests.traces import wait_until

INIT = "[    1.000000] Run /gokrazy/init as init process\n"


class TestLoopAndSilence:
    def test_starting_again_and_again_is_a_loop(self, tmp_path: Path) -> None:
        console = Console(tmp_path, allow=["kernel-panic"], loop=LoopRule(starts=3, window=60))
        with machine(console) as fake:
            fake.say((LINUX + PANIC + LAST_WORDS) * 3)
            with pytest.raises(RebootLoop, match=r"started 3 times .* last cause: the kernel gave up: sysrq"):
                console.wait_for_phase("http", timeout=10)
        console.close()

    def test_a_loop_that_goes_on_is_one_finding(self, tmp_path: Path) -> None:
        console = Console(tmp_path, allow=["kernel-panic"], loop=LoopRule(starts=3, window=60))
        with machine(console) as fake:
            fake.say((LINUX + PANIC + LAST_WORDS) * 40)
            with pytest.raises(RebootLoop):
                console.wait_for_line("never said", timeout=10)
        console.close()
        (loop,) = [one for one in console.findings if one.name == "reboot-loop"]
        assert loop.count == 38
        assert loop.what.count("last cause") == 1

    def test_a_loop_is_not_explained_by_what_an_earlier_machine_died_of(self, tmp_path: Path) -> None:
        console = Console(tmp_path, loop=LoopRule(starts=3, window=60))
        with machine(console) as fake:
            fake.say(LINUX + PANIC + LAST_WORDS)
            with pytest.raises(KernelPanic):
                console.wait_for_line("never said", timeout=10)
        with machine(console) as fake:
            fake.say(LINUX * 3)
            with pytest.raises(RebootLoop, match="last cause: none was printed"):
                console.wait_for_line("never said", timeout=10)
        console.close()

    def test_resets_before_any_kernel_are_one(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say("SeaBIOS (version 1.16.3)\r\nBooting from Hard Disk...\r\n" * 3)
            with pytest.raises(RebootLoop, match="started 3 times and no kernel said a word"):
                console.wait_for_boot(after=0, timeout=10)
        assert len(console.unclean()) == 1

    def test_announced_resets_without_a_word_are_one(self, console: Console) -> None:
        with machine(console):
            console.was_reset()
            console.check()
            console.was_reset()
            with pytest.raises(RebootLoop, match="no kernel said a word"):
                console.check()

    def test_where_the_kernel_is_not_heard_no_kernel_is_missed(self, console: Console) -> None:
        console.hears(kernel=False, why="its serial console is serial0")
        with machine(console) as fake:
            # What the firmware says proves no kernel, and lacks none.
            fake.say("SeaBIOS (version 1.16.3)\r\nBooting from Hard Disk...\r\n" * 2)
            console.was_reset()
            console.was_reset()
            with pytest.raises(
                RebootLoop, match=r"started 3 times and never came up; .* its serial console is serial0"
            ):
                console.check()
        assert "no kernel" not in console.timed_out("x", 1.0).what

    def test_an_answer_begins_a_new_count_where_the_kernel_is_not_heard(self, console: Console) -> None:
        console.hears(kernel=False, why="its serial console is serial0")
        with machine(console):
            for _ in range(6):
                console.was_reset()
                console.serves()
            console.check()

    def test_boots_that_were_answered_are_none_where_init_is_not_heard(self, tmp_path: Path) -> None:
        console = Console(tmp_path, loop=LoopRule(starts=3, window=60))
        with machine(console) as fake:
            for number in range(5):
                fake.say(LINUX)
                console.wait_for_boot(after=number, timeout=5)
                console.serves()
            console.check()
        console.close()

    def test_a_loop_of_restarts_that_a_program_had_from_the_kernel_says_so(self, tmp_path: Path) -> None:
        console = Console(tmp_path, loop=LoopRule(starts=3, window=60))
        replay(console, (LINUX + "[    5.000000] reboot: Restarting system\r\n").encode() * 3)
        with pytest.raises(RebootLoop, match="last cause: a program had the kernel restart"):
            console.check()
        console.close()

    def test_a_loop_of_restarts_blames_no_program_where_init_is_not_heard(self, tmp_path: Path) -> None:
        console = Console(tmp_path, loop=LoopRule(starts=3, window=60))
        console.hears(kernel=True, why="init writes to tty1")
        replay(console, (LINUX + "[    5.000000] reboot: Restarting system\r\n").encode() * 3)
        with pytest.raises(
            RebootLoop, match=r"last cause: the kernel was asked to restart; .* init writes to tty1"
        ):
            console.check()
        console.close()

    def test_serving_in_between_is_none(self, tmp_path: Path) -> None:
        console = Console(tmp_path, loop=LoopRule(starts=3, window=60))
        replay(console, (LINUX + UP).encode() * 5)
        console.check()
        assert len(console.boots) == 5
        console.close()

    def test_silence_before_it_serves_is_a_fault(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX)
            console.wait_for_phase("kernel", timeout=5)
            with console.watch_silence(0.3):
                began = time.monotonic()
                said = r"said nothing for 0 s .* boot 1 came to kernel"
                with pytest.raises(ConsoleSilence, match=said) as caught:
                    console.expect("never", timeout=30)
                assert caught.value.hint
                assert 0.2 < time.monotonic() - began < 5

    @pytest.mark.parametrize(
        ("last", "not_heard", "said"),
        [
            (INIT, "", "boot 1 has started init, and init has not said a word of its own"),
            (INIT, "init writes to tty1", "boot 1 came to init"),
            (INIT + "2026/11/27 00:00:00 gokrazy build timestamp 2026\n", "", "boot 1 came to build timestamp"),
        ],
    )
    def test_an_init_that_says_nothing_is_named(
        self, console: Console, last: str, not_heard: str, said: str
    ) -> None:
        with machine(console) as fake:
            console._intake.why_not_heard = not_heard
            fake.say(LINUX + last)
            console.wait_for_phase("init", timeout=5)
            with console.watch_silence(0.3), pytest.raises(ConsoleSilence, match=said):
                console.expect("never", timeout=30)

    def test_silence_after_a_phase_that_others_watch_is_theirs(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX)
            console.wait_for_phase("kernel", timeout=5)
            with console.watch_silence(0.1, until=Phase.KERNEL):
                console.wait(0.4)
            with (
                console.watch_silence(0.1, until=Phase.UPDATER),
                pytest.raises(ConsoleSilence, match="came to kernel"),
            ):
                console.wait(30)

    def test_silence_from_the_start_is_one_too(self, console: Console) -> None:
        silence = pytest.raises(ConsoleSilence, match="no kernel has started")
        with machine(console), console.watch_silence(0.2), silence:
            console.wait_for_boot(after=0, timeout=30)

    def test_silence_of_one_that_serves_is_peace(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX + UP)
            console.wait_for_phase("http", timeout=5)
            with console.watch_silence(0.1):
                console.wait(0.4)

    def test_nobody_minds_silence_unasked(self, console: Console) -> None:
        with machine(console):
            console.wait(0.2)
            with console.watch_silence(0.5):
                pass
            console.wait(0.6)


class TestUnseen:
    def test_a_crash_that_nobody_waited_for_is_raised_once(self, console: Console) -> None:
        with machine(console) as fake:
            console.check_unseen()
            fake.say(LINUX + PANIC + LAST_WORDS)
            wait_until(10, lambda: console.crash is not None)
            with pytest.raises(KernelPanic):
                console.check_unseen()
            console.check_unseen()

    def test_a_crash_that_a_wait_has_ended_with_is_known(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX + PANIC + LAST_WORDS)
            with pytest.raises(KernelPanic):
                console.wait_for_line("never said", timeout=10)
            console.check_unseen()

    def test_a_second_crash_behind_one_that_is_known_is_raised(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX + PANIC + LAST_WORDS)
            with pytest.raises(KernelPanic):
                console.wait_for_line("never said", timeout=10)
            fake.say(f"{LINUX}{K}Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n")
            wait_until(10, lambda: len(console.findings) > 1)
            with pytest.raises(InitFailure):
                console.check_unseen()

    def test_a_crash_that_was_wanted_or_allowed_is_none(self, tmp_path: Path) -> None:
        console = Console(tmp_path, allow=["squashfs-error"])
        with machine(console) as fake:
            with console.expect_crash(timeout=10):
                fake.say(LINUX + PANIC + LAST_WORDS)
            fake.say(f"{LINUX}{K}SQUASHFS error: bad block\r\n")
            console.wait_for_line("SQUASHFS", timeout=10, since=START)
            console.check_unseen()
        console.close()


BIOS = "SeaBIOS (version 1.16.3)\r\nBooting from Hard Disk...\r\n"
RUNS = f"{LINUX}{K}Run /gokrazy/init as init process\r\n{UP}"


class TestUnaskedRestart:
    def test_a_start_that_nothing_asked_for_is_noted_and_ends_no_wait(self, console: Console) -> None:
        replay(console, f"{RUNS}{BIOS}{RUNS}".encode())
        console.check()
        (found,) = console.unclean()
        assert (found.name, found.severity, found.boot) == ("unasked-restart", Severity.NOTED, 2)
        assert found.cause, "what fails after it came of it"
        assert "nothing had asked for it" in found.what

    @pytest.mark.parametrize(
        "said",
        [
            "2026/11/22 sending sigterm to all services\r\n",
            f"{K}reboot: Restarting system\r\n",
            f"{K}kexec_core: Starting new kernel\r\n",
            f"{K}reboot: Power down\r\n",
        ],
    )
    def test_one_that_was_asked_for_is_none(self, console: Console, said: str) -> None:
        replay(console, f"{RUNS}{said}{BIOS}{RUNS}".encode())
        assert console.unclean() == []

    def test_one_after_a_panic_is_told_by_that(self, console: Console) -> None:
        replay(console, f"{RUNS}{PANIC}{LAST_WORDS}{BIOS}{RUNS}".encode())
        assert [one.name for one in console.unclean()] == ["kernel-panic"]

    def test_one_by_the_harness_is_none(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(RUNS)
            console.wait_for_phase("http", timeout=5)
            console.was_reset(by_host=True)
            fake.say(f"{BIOS}{RUNS}")
            console.wait_for_boot(after=1, timeout=5)
            assert console.unclean() == []
            console.wait_for_phase("http", timeout=5, after=1)
            console.was_reset()
            fake.say(f"{BIOS}{RUNS}")
            console.wait_for_boot(after=2, timeout=5)
            assert [one.boot for one in console.unclean()] == [3]

    def test_a_power_cycle_and_one_before_init_are_none(self, console: Console) -> None:
        replay(console, RUNS.encode())
        replay(console, f"{LINUX}{BIOS}{RUNS}".encode())
        assert console.unclean() == []
