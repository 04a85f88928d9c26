"""Consoles that say far too much: what is kept is bounded, and a panic behind it is seen.

``ci/floods.py`` has the long ones.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from sys import getsizeof

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.console import intake
from harness.console.console import Console
from harness.console.findings import CrashWatcher
from harness.console.lines import LONGEST, LineSplitter
from harness.console.loops import LoopRule, reboot_loop
from harness.console.phases import Cause, PhaseWatcher
from harness.errors import KernelPanic
from harness.tests.console.replay import LAST_WORDS, LINUX, PANIC, K, lines, machine, replay

LAST = f"\r\n{LINUX}{K}Kernel panic - not syncing: the last one\r\n"


@pytest.mark.parametrize("character", ["x", "\N{GREEK SMALL LETTER ALPHA}", "\N{OLD PERSIAN SIGN A}"])
def test_lines_are_kept_by_their_bytes(console: Console, monkeypatch: pytest.MonkeyPatch, character: str) -> None:
    monkeypatch.setattr(intake, "_KEPT_BYTES", 200_000)
    replay(console, (character.encode() * 1000 + b"\r\n") * 300)
    kept = console.lines()
    assert sum(getsizeof(one.text) for one in kept) <= 200_000
    assert len(kept) > 40


def test_what_belongs_to_a_finding_is_bounded() -> None:
    watcher = CrashWatcher()
    for number in range(30):
        for line in lines(f"{K}BUG: {'x' * 8000}\n{K}{'y' * 8000}\n" * 3):
            watcher.see(line, boot=number)
    assert len(watcher.findings) == 20
    for one in watcher.findings:
        assert sum(len(line.text) for line in one.evidence) < 100_000
        assert len(one.what) < 1000


def test_a_machine_that_starts_for_ever_is_so_many_boots() -> None:
    watcher = PhaseWatcher()
    (line,) = lines(LINUX)
    for _ in range(10_100):
        watcher.see(line)
    assert len(watcher.boots) == watcher.boots[-1].number == 10_000
    watcher.machine_started(Cause.POWER_ON, 1.0)
    watcher.see(line)
    assert (watcher.boots[-1].number, watcher.boots[-1].cause) == (10_001, Cause.POWER_ON)
    assert reboot_loop(watcher.boots, LoopRule()) == []
    watcher.see(line)
    watcher.see(line)
    assert len(reboot_loop(watcher.boots, LoopRule())) == 3


def test_a_flood_of_panics_is_counted_not_kept(console: Console) -> None:
    replay(console, (PANIC + LAST_WORDS).encode() * 500)
    assert len(console.findings) == 20
    assert sum(one.count for one in console.findings) == 500


def test_a_panic_after_a_power_on_is_kept_however_many_came_before(console: Console) -> None:
    replay(console, (PANIC + LAST_WORDS).encode() * 30)
    with machine(console) as fake:
        console.check()
        fake.say(PANIC + LAST_WORDS)
        with pytest.raises(KernelPanic):
            console.wait(10)


def test_a_panic_that_is_provoked_is_found_however_many_came_before(tmp_path: Path) -> None:
    console = Console(tmp_path, allow=["reboot-loop"])
    with machine(console) as fake:
        for _ in range(25):
            with console.expect_crash(timeout=10) as crash:
                fake.say(PANIC + LAST_WORDS)
            assert crash.finding is not None
        fake.say(LINUX + PANIC + LAST_WORDS)
        with pytest.raises(KernelPanic):
            console.wait(10)
    console.close()


def test_a_line_that_the_kernel_breaks_into_again_and_again_is_cut_too() -> None:
    splitter = LineSplitter()
    lines = splitter.feed(b"xxxxxxxx[    1.000000] y\n" * 3000, offset=0, at=0.0)
    lines += splitter.close(offset=0, at=0.0)
    ours = [line.text for line in lines if not line.kernel]
    assert "".join(ours) == "x" * 24_000
    assert max(map(len, ours)) <= LONGEST
    assert sum(line.kernel for line in lines) == 3000


def test_of_many_empty_lines_a_few_are_kept() -> None:
    data = b"one\r\n" + b"\r\n" * 5000 + b"\r\n\n\rtwo\r\n\r\nthree\r\n"
    whole = LineSplitter().feed(data, offset=0, at=0.0)
    texts = [line.text for line in whole]
    assert texts == ["one", *[""] * 10, "two", "", "three"]
    assert whole[-1].offset == len(data)
    for cut in (1, 2, 7):
        splitter = LineSplitter()
        pieces = [data[begin : begin + cut] for begin in range(0, len(data), cut)]
        offsets = itertools.accumulate(map(len, pieces), initial=0)
        cut_up = [
            line
            for piece, at in zip(pieces, offsets, strict=False)
            for line in splitter.feed(piece, offset=at, at=0.0)
        ]
        assert cut_up == whole


PIECES = st.one_of(
    st.binary(max_size=300),
    st.sampled_from(
        [b"\n" * 200, b"\x1b[", b"[    0.0", K.encode(), b"rcu: " * 50, b"panic: ", b"\xff\xfe", b"x" * 9000]
    ),
)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=20))
def test_a_panic_is_seen_behind_anything(tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]) -> None:
    console = Console(tmp_path_factory.mktemp("flood"))
    replay(console, b"".join(pieces) + LAST.encode())
    assert "the last one" in console.findings[-1].what or console.crash is not None
    with pytest.raises(KernelPanic):
        console.check()
    console.close()
