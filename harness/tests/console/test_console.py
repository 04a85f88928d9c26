from __future__ import annotations

import errno
import gc
import os
import threading
import time
from pathlib import Path

import pytest

from harness.console.console import Console
from harness.console.loops import LoopRule
from harness.console.phases import Cause, Phase
from harness.console.recording import read_recording
from harness.errors import (
    ConsoleSilence,
    DeviceUnreachable,
    HostDiskFull,
    InitFailure,
    InternalError,
    KernelPanic,
    OptionError,
    QemuFailed,
    RebootLoop,
    WaitTimeout,
)
from harness.tests.console.replay import FakeMachine, later, machine, recorded, replay

K = "[   12.345678] "
PANIC = f"{K}Kernel panic - not syncing: sysrq triggered crash\r\n{K}Call trace:\r\n{K} show_stack+0x18\r\n"
LAST_WORDS = f"{K}Rebooting in 10 seconds..\r\n"
LINUX = "[    0.000000] Linux version 7.1.3 (gokrazy@docker) #1\r\n"
UP = "2026/11/22 now listening on 10.0.2.15:80\r\n"


class TestExpect:
    def test_returns_what_matched_and_what_came_before(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say('hostname "arm"\r\ngokrazy device model QEMU\r\n')
            match = console.expect([r"nothing", r"model (\S+)\r\n"], timeout=5)
            assert (match.index, match.group(1), match.before) == (1, "QEMU", 'hostname "arm"\r\ngokrazy device ')

    def test_reads_on_from_the_last_match(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say("one\r\ntwo\r\none\r\n")
            assert console.expect("^one\r\n", timeout=5).before == ""
            assert console.expect("^one\r\n", timeout=5).before == "two\r\n"

    def test_a_timeout_says_what_was_awaited_and_what_came(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX + "the last line\r\nand a beginn")
            console.wait_for_phase("kernel", timeout=5)
            with pytest.raises(WaitTimeout) as raised:
                console.expect("never", timeout=0.2, what="the shell's prompt")
        assert "waited 0 s on the console for the shell's prompt; boot 1 came to kernel" in raised.value.what
        assert "the last line" in raised.value.evidence
        assert raised.value.evidence.endswith("and a beginn")

    def test_a_crash_ends_it_at_once_with_the_whole_evidence(self, console: Console) -> None:
        with machine(console) as fake:
            later(lambda: fake.say(PANIC), 0.1)
            later(lambda: fake.say(LAST_WORDS), 0.3)
            began = time.monotonic()
            with pytest.raises(KernelPanic, match="sysrq triggered crash") as raised:
                console.expect("never", timeout=30)
            assert time.monotonic() - began < 5
        assert raised.value.evidence.splitlines()[-1].endswith("Rebooting in 10 seconds..")

    def test_a_crash_counts_even_when_the_pattern_came_as_well(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say("wanted\r\n" + PANIC + LAST_WORDS)
            with pytest.raises(KernelPanic):
                console.expect("wanted", timeout=5)

    def test_two_at_a_time_are_a_mistake(self, console: Console) -> None:
        with machine(console) as fake:
            first = threading.Thread(target=lambda: console.expect("ready", timeout=10))
            first.start()
            while not console._expecting.locked():
                time.sleep(0.01)
            with pytest.raises(InternalError, match="two threads"):
                console.expect("never", timeout=5)
            fake.say("ready")
            first.join()


class TestCrash:
    def test_without_last_words_it_is_reported_after_a_moment(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(PANIC)
            began = time.monotonic()
            with pytest.raises(KernelPanic):
                console.expect("never", timeout=30)
            assert 1.0 < time.monotonic() - began < 10

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
                console.wait_for_line("Killed process", timeout=5, since=start(console))
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


def start(console: Console):  # type: ignore[no-untyped-def]
    return type(console.mark())(0)


class TestLoopAndSilence:
    def test_starting_again_and_again_is_a_loop(self, tmp_path: Path) -> None:
        console = Console(tmp_path, allow=["kernel-panic"], loop=LoopRule(starts=3, window=60))
        with machine(console) as fake:
            fake.say((LINUX + PANIC + LAST_WORDS) * 3)
            with pytest.raises(RebootLoop, match=r"started 3 times .* last cause: the kernel gave up: sysrq"):
                console.wait_for_phase("http", timeout=10)
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
                with pytest.raises(ConsoleSilence, match=r"said nothing for 0 s .* boot 1 came to kernel"):
                    console.expect("never", timeout=30)
                assert 0.2 < time.monotonic() - began < 5

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


class TestPhases:
    def test_waiting_for_a_phase_of_a_later_boot(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say(LINUX + UP)
            first = console.wait_for_phase("http", timeout=5)
            later(lambda: fake.say(LINUX + UP), 0.1)
            second = console.wait_for_phase("http", timeout=5, after=first.number)
            assert (first.number, second.number) == (1, 2)
            assert console.current is second

    def test_a_phase_that_is_none_is_a_mistake(self, console: Console) -> None:
        with pytest.raises(ValueError, match="coffee"):
            console.wait_for_phase("coffee", timeout=1)

    def test_time_counts_from_when_the_machine_is_let_go(self, console: Console) -> None:
        with machine(console) as fake:
            console.wait(0.5)
            console.powered_on()
            fake.say(LINUX)
            boot = console.wait_for_phase("kernel", timeout=5)
            assert boot.started == 0.0
            assert boot.at[Phase.KERNEL] < 0.4

    def test_a_restored_machine_keeps_its_boot(self, console: Console) -> None:
        replay(console, recorded("boot-virt-uefi-arm64"))
        captured = console.boots[-1]
        fake = FakeMachine()
        console.attach(fake.theirs, reason="restored", boot=captured)
        console.powered_on()
        assert console.current is not None
        assert (console.current.number, console.current.slot, console.current.ready) == (2, "A", True)
        fake.end()


class TestPowerCycles:
    def test_the_recording_spans_them(self, console: Console) -> None:
        replay(console, b"first\r\n")
        replay(console, b"second\r\n")
        replay(console, b"third\r\n", reason=Cause.RESET)
        texts = ["power-on 1", "first", "power-on 2", "second", "reset", "third"]
        assert [line.text for line in console.lines()] == texts
        assert "---- power-on 2" in console.excerpt()
        console.close()
        assert [line.text for line in read_recording(console.recording.folder)] == texts

    def test_expect_does_not_see_an_earlier_life(self, console: Console) -> None:
        replay(console, b"ready\r\n")
        with machine(console) as fake:
            with pytest.raises(WaitTimeout):
                console.expect("ready", timeout=0.1)
            fake.say("ready\r\n")
            console.expect("ready", timeout=5)

    def test_what_comes_before_the_end_is_read(self, console: Console) -> None:
        fake = FakeMachine()
        console.attach(fake.theirs)
        fake.say(b"x" * 100_000)
        console.detach()
        assert console.recording.size == 100_000
        fake.end()

    def test_a_last_line_without_end_is_a_line(self, console: Console) -> None:
        replay(console, f"{K}Kernel panic - not syncing: cut off he".encode())
        with pytest.raises(KernelPanic, match="cut off he"):
            console.check()

    def test_the_end_of_the_machine_is_seen(self, console: Console) -> None:
        fake = FakeMachine()
        console.attach(fake.theirs)
        assert console.attached
        later(fake.end, 0.1)
        console.wait_for_end(timeout=5)
        with pytest.raises(DeviceUnreachable):
            console.send("x")

    def test_attaching_twice_is_a_mistake(self, console: Console) -> None:
        other = FakeMachine()
        with machine(console), pytest.raises(InternalError, match="attached already"):
            console.attach(other.theirs)

    def test_nothing_is_left_open(self, tmp_path: Path) -> None:
        gc.collect()
        before = (len(os.listdir("/proc/self/fd")), threading.active_count())
        for number in range(5):
            console = Console(tmp_path / str(number))
            replay(console, b"hello\r\n")
            console.close()
            console.close()
        gc.collect()
        assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


class TestTalking:
    def test_what_is_sent_arrives(self, console: Console) -> None:
        with machine(console) as fake:
            console.send("ls\n")
            assert fake.hear() == b"ls\n"

    def test_a_guest_that_takes_nothing_is_no_endless_wait(self, console: Console) -> None:
        with machine(console), pytest.raises(WaitTimeout, match=r"to take .* bytes"):
            console.send("x" * 10_000_000, timeout=0.3)

    def test_nobody_is_there(self, console: Console) -> None:
        with pytest.raises(DeviceUnreachable, match="off"):
            console.send("x")

    def test_a_marked_stretch(self, console: Console) -> None:
        with machine(console) as fake:
            fake.say("before\r\n")
            console.wait_for_line("before", timeout=5, since=start(console))
            mark = console.mark()
            fake.say("\x1b[1mafter\x1b[m\r\n")
            assert console.wait_for_line("af(.*)", timeout=5, since=mark)[1] == "ter"
            assert console.since(mark) == "after\n"
            assert [line.text for line in console.lines(since=mark)] == ["after"]

    def test_a_line_torn_by_the_kernel_is_found(self, console: Console) -> None:
        with machine(console) as fake:
            later(lambda: fake.say(f"service is {K}noise\r\nready\r\n"), 0.1)
            console.wait_for_line("^service is ready$", timeout=5)


def test_a_full_disk_ends_the_waits_but_not_the_draining(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    with machine(console) as fake:

        def full(data: bytes) -> float:
            raise HostDiskFull("no room", where=os.strerror(errno.ENOSPC))

        monkeypatch.setattr(console.recording, "append", full)
        fake.say(b"x" * 1_000_000)  # would block if nobody drained
        with pytest.raises(HostDiskFull):
            console.expect("never", timeout=10)


def test_a_mistake_of_ours_in_the_reader_is_said(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    with machine(console) as fake:
        monkeypatch.setattr(console._intake.phases, "see", lambda line: 1 / 0)
        fake.say("line\r\n")
        with pytest.raises(InternalError, match="division by zero"):
            console.expect("never", timeout=10)


def test_a_stream_without_line_ends_is_read_in_no_time(console: Console) -> None:
    began = time.process_time()
    replay(console, b"x" * 300_000)
    assert time.process_time() - began < 1.0


def test_a_console_of_70_kB_is_read_in_no_time(console: Console) -> None:
    data = recorded("update-flip-kexec-pc-bios")
    began = time.process_time()
    replay(console, data, 278)  # the size of QEMU's chunks
    assert time.process_time() - began < 1.0


class TestHalted:
    @pytest.mark.parametrize(
        ("said", "told"),
        [
            (f"{K}reboot: Restarting system\r\n{K}Reboot failed -- System halted\r\n", [True]),
            (
                f"{K}reboot: Power off not available: System halted instead\r\n{K}reboot: System halted\r\n",
                [False],
            ),
            (f"{K}reboot: Restarting system\r\n", []),
            ("a service wrote: System halted\r\n", []),
        ],
        ids=["could-not-restart", "could-not-power-off", "restarts", "only-words"],
    )
    def test_a_kernel_that_halts_is_told_of_with_what_it_had_wanted(
        self, console: Console, said: str, told: list[bool]
    ) -> None:
        heard: list[bool] = []
        console.when_halted(heard.append)
        replay(console, (LINUX + said).encode())
        assert heard == told
        assert console.unclean() == []


def test_each_boot_tells_once_that_it_listens(console: Console) -> None:
    heard: list[int] = []
    console.when_listening(lambda: heard.append(len(console.boots)))
    local = "2026/11/22 now listening on 127.0.0.1:80\r\n"
    replay(console, (LINUX + local + UP + UP + LINUX + local).encode())
    assert heard == [1]
    replay(console, (LINUX + UP).encode(), reason=Cause.RESET)
    assert heard == [1, 3]
