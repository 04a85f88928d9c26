"""Talking over a console and waiting on it, over all power cycles of a machine."""

from __future__ import annotations

import errno
import gc
import os
import threading
import time
from pathlib import Path

import pytest

from harness.console.console import Console
from harness.console.phases import Cause, Phase
from harness.console.recording import read_recording
from harness.errors import (
    DeviceUnreachable,
    HostDiskFull,
    InternalError,
    KernelPanic,
    WaitTimeout,
)
from harness.tests.console.replay import (
    LAST_WORDS,
    LINUX,
    PANIC,
    START,
    UP,
    FakeMachine,
    K,
    later,
    machine,
    recorded,
    replay,
)
from harness.tests.traces import wait_until


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
            while not console._intake.feed.expecting.locked():
                time.sleep(0.01)
            with pytest.raises(InternalError, match="two threads"):
                console.expect("never", timeout=5)
            fake.say("ready")
            first.join()


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
        assert wait_until(5, lambda: not console.attached)
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
            console.wait_for_line("before", timeout=5, since=START)
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
        ("said", "halts"),
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
        self, console: Console, said: str, halts: list[bool]
    ) -> None:
        heard: list[bool] = []
        console.when_halted(heard.append)
        replay(console, (LINUX + said).encode())
        assert heard == halts
        assert console.unclean() == []


def test_quiet_is_awaited_from_the_last_word_on(console: Console) -> None:
    spoken: list[float] = []

    def speak() -> None:
        spoken.append(time.monotonic())
        fake.say("one more\r\n")

    with machine(console) as fake:
        fake.say(LINUX)
        timer = threading.Timer(0.2, speak)
        timer.start()
        console.wait_for_quiet(2.0, timeout=30)
        ended = time.monotonic()
        timer.join()
    assert ended - spoken[0] >= 2.0


def test_one_that_never_stops_talking_is_never_quiet(console: Console) -> None:
    with machine(console) as fake:
        fake.say(LINUX)
        with pytest.raises(WaitTimeout, match="30 s of silence"):
            console.wait_for_quiet(30, timeout=0.2)


def test_each_boot_tells_once_that_it_listens(console: Console) -> None:
    heard: list[int] = []
    console.when_listening(lambda: heard.append(len(console.boots)))
    local = "2026/11/22 now listening on 127.0.0.1:80\r\n"
    replay(console, (LINUX + local + UP + UP + LINUX + local).encode())
    assert heard == [1]
    replay(console, (LINUX + UP).encode(), reason=Cause.RESET)
    assert heard == [1, 3]


BUILT = "gokrazy build timestamp 2026-11-22T00:00:00Z\r\n"


@pytest.mark.parametrize("starts", ["[    2.500000] Run /gokrazy/init as init process\r\n", BUILT])
def test_each_boot_tells_once_that_init_runs_even_if_the_kernel_does_not(console: Console, starts: str) -> None:
    heard: list[int] = []
    console.when_init_runs(lambda: heard.append(len(console.boots)))
    replay(console, LINUX.encode())
    assert heard == []
    replay(console, (LINUX + starts + BUILT + UP).encode())
    assert heard == [2]
    replay(console, (LINUX + starts).encode(), reason=Cause.RESET)
    assert heard == [2, 3]
