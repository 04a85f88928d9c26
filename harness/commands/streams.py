"""What a command reads from and prints to: a stream may be closed, its reader gone as head goes, its disk full."""

from __future__ import annotations

import os
import select
import signal
import sys

from harness.errors import DISK_FULL, HostDiskFull

READER_GONE = 128 + signal.SIGPIPE
"""The exit status of a command whose reader has gone, as a shell has it of any program."""
_STDOUT, _STDERR = 1, 2


def open_closed_ones() -> None:
    """Put /dev/null in place of closed standard streams: else the next file to be opened is one of them."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        os.set_inheritable(opened, True)
    os.close(opened)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def reader_has_gone() -> bool:
    """Whether nobody reads the pipe any more that stdout or stderr is."""
    poll = select.poll()
    for stream in (_STDOUT, _STDERR):
        poll.register(stream, 0)
    return any(state & select.POLLERR for _, state in poll.poll(0))


def be_quiet(*streams: int) -> None:
    """Drop what is still to be printed there, and what will be: Python itself would complain of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams or (_STDOUT, _STDERR):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def no_room(error: OSError) -> HostDiskFull | None:
    """What to say of an error that nobody expected, if it comes from a full disk: that of stdout, or another."""
    if error.errno not in DISK_FULL:
        return None
    if error.filename is None:
        be_quiet(_STDOUT)
    return HostDiskFull(
        "no room on the disk",
        where=str(error.filename or "stdout, the cache, the artifacts or /tmp"),
        hint="make room there, or name other places",
    )
