from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from harness.console.recording import Recording, read_recording
from harness.errors import HostDiskFull, ImageError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_every_byte_is_kept_with_its_time(tmp_path: Path, clock: Clock) -> None:
    recording = Recording(tmp_path, clock=clock)
    recording.mark("power-on 1", zero=True)
    for at, data in ((1.5, b"one\r\ntw"), (2.25, b"o\r\n"), (9.0, b"three\r\n")):
        clock.now = 1000.0 + at
        assert recording.append(data) == at
    recording.close()

    assert (tmp_path / "console.log").read_bytes() == b"one\r\ntwo\r\nthree\r\n"
    assert [(line.at, line.text) for line in read_recording(tmp_path)] == [
        (0.0, "power-on 1"),
        (1.5, "one"),
        (2.25, "two"),
        (9.0, "three"),
    ]


def test_power_cycles_are_marks_between_the_bytes(tmp_path: Path, clock: Clock) -> None:
    recording = Recording(tmp_path, clock=clock)
    recording.append(b"before\r\nhalf a li")
    clock.now += 60
    recording.mark("power-on 2", zero=True)
    clock.now += 3
    recording.append(b"after\r\n")
    recording.close()

    lines = list(read_recording(tmp_path))
    assert [(line.text, line.mark) for line in lines] == [
        ("before", False),
        ("half a li", False),
        ("power-on 2", True),
        ("after", False),
    ]
    assert lines[-1].at == 3.0


def test_a_recording_goes_on_where_it_ended(tmp_path: Path, clock: Clock) -> None:
    for text in (b"first\n", b"second\n"):
        recording = Recording(tmp_path, clock=clock)
        recording.append(text)
        recording.close()
    assert [line.text for line in read_recording(tmp_path)] == ["first", "second"]


def test_a_killed_run_loses_no_byte(tmp_path: Path, clock: Clock) -> None:
    recording = Recording(tmp_path, clock=clock)
    recording.append(b"said\r\n")
    clock.now += 1
    recording.append(b"last words\r\n")  # their index entry is not written yet
    assert [line.text for line in read_recording(tmp_path)] == ["said", "last words"]
    recording.close()


def test_chunks_of_one_moment_share_an_entry(tmp_path: Path, clock: Clock) -> None:
    recording = Recording(tmp_path, clock=clock)
    for _ in range(100):
        recording.append(b"x")
    recording.close()
    [entry] = (tmp_path / "console.jsonl").read_text().splitlines()
    assert json.loads(entry) == {"t": 0.0, "at": 0, "n": 100}


def test_read_stays_within_what_there_is(tmp_path: Path, clock: Clock) -> None:
    recording = Recording(tmp_path, clock=clock)
    recording.append(b"0123456789")
    assert recording.read(7) == b"789"
    assert recording.read(2, 3) == b"234"
    assert recording.read(10) == b""
    recording.close()
    recording.close()


def test_a_full_disk_is_the_hosts_fault(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording(tmp_path, clock=clock)

    def full(file: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(HostDiskFull, match="no room"):
            recording.append(b"x")
    recording.close()


def test_a_folder_without_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no console recording"):
        list(read_recording(tmp_path))
