"""What hangs on an appliance beside its machine: the harness's segment, a capture of its packets, a guest agent.

Each is attached to every QEMU process of the appliance, before its processors go. A snapshot knows nothing of it,
and a machine that was restored takes it as any other.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from harness.errors import OptionError, QemuFailed
from harness.machine.machine import Machine
from harness.segment.link import Link

if TYPE_CHECKING:
    from harness.segment.packets import Packets, Tap
    from harness.segment.segment import Segment

_numbers = itertools.count(1)
"""For names that no other object of the same QEMU has."""


class Joined(Protocol):
    """What can be hung onto a machine, and taken off."""

    what: str
    """What it is, for errors."""
    in_state: bool
    """Whether the machine's state would have it: it is taken off while a snapshot is taken."""

    def attach(self, machine: Machine) -> None:
        """Hang it onto a machine that is paused or runs, in place of the one before; raises QemuFailed."""

    def detach(self) -> None:
        """Take it off the machine, if that is still there."""


class Joins:
    """All that hangs on one appliance, over as many machines as it takes."""

    def __init__(self, *, is_recorded: bool) -> None:
        self._is_recorded = is_recorded
        self._lock = threading.Lock()
        self._all: list[Joined] = []
        self._machine: Machine | None = None

    def attach(self, machine: Machine) -> None:
        """Hang all of it onto the next machine, which does not run yet; raises QemuFailed."""
        with self._lock:
            self._machine = machine
            for one in self._all:
                one.attach(machine)

    @contextlib.contextmanager
    def out_of_state(self) -> Iterator[None]:
        """A block in which the state of the machine has none of it; a machine that goes on gets it back."""
        with self._lock:
            for one in self._all:
                if one.in_state:
                    one.detach()
        try:
            yield
        finally:
            with self._lock:
                if self._machine is not None and self._machine.ended is None:
                    for one in self._all:
                        if one.in_state:
                            one.attach(self._machine)

    @contextlib.contextmanager
    def joined(self, one: Joined) -> Iterator[None]:
        """Have it hang there while the block lasts: on a machine that runs, and on all that follow.

        Raises OptionError for an appliance that is recorded, QemuFailed.
        """
        if self._is_recorded:
            raise OptionError(
                f"an appliance that is recorded has no {one.what}: a replay would lack it",
                hint="run this test without --gk-record",
            )
        with self._lock:
            if self._machine is not None and self._machine.ended is None:
                one.attach(self._machine)
            self._all.append(one)
        try:
            yield
        finally:
            with self._lock:
                self._all.remove(one)
                one.detach()


class SegmentJoined:
    """The neighbours of an appliance hear its frames, and answer them."""

    what = "segment"
    in_state = False

    def __init__(self, segment: Segment) -> None:
        self._segment = segment
        self._at: tuple[Machine, Link, str] | None = None

    def attach(self, machine: Machine) -> None:
        """Have QEMU send all frames of the guest through the segment, and take those for it from there."""
        self.detach()
        link, name = self._segment.link(), f"segment{next(_numbers)}"
        self._at = machine, link, name
        try:
            redirect(machine, name, link.for_qemu)
        except BaseException:
            self.detach()
            raise
        link.start()

    def detach(self) -> None:
        """Take the filters off, then their sockets."""
        if self._at is None:
            return
        machine, link, name = self._at
        self._at = None
        stop_redirecting(machine, name)
        link.close()


_SIDES = ("out", "on", "in")
"""The ends of what is redirected, in their order."""


def connect(machine: Machine, chardev: str, end: socket.socket) -> None:
    """Give QEMU a copy of the end of a socket as its character device of that name; raises QemuFailed."""
    machine.execute("getfd", {"fdname": chardev}, descriptor=end.fileno())
    address = {"type": "fd", "data": {"str": chardev}}
    backend = {"type": "socket", "data": {"addr": address, "server": False}}
    machine.execute("chardev-add", {"id": chardev, "backend": backend})


def redirect(machine: Machine, name: str, ends: Sequence[socket.socket]) -> None:
    """Have QEMU send all frames of the guest through sockets, each with its length before it; raises QemuFailed.

    ``ends`` are where it writes the guest's frames, where it reads those that go on to its own network, and where
    it reads those for the guest. It takes copies of them. ``name`` is for nothing else of this QEMU.
    """
    for end, side in zip(ends, _SIDES, strict=True):
        connect(machine, f"{name}-{side}", end)
    # The first in the list is the one next to QEMU's network: a capture sees what passes here, too.
    made = {"qom-type": "filter-redirector", "netdev": "net0", "position": "head"}
    into = {"id": f"{name}-to-guest", "queue": "tx", "indev": f"{name}-in"}
    machine.execute("object-add", {**made, **into})
    through = {"id": f"{name}-from-guest", "queue": "rx", "outdev": f"{name}-out", "indev": f"{name}-on"}
    machine.execute("object-add", {**made, **through})


def stop_redirecting(machine: Machine, name: str) -> None:
    """Undo it, also where only a part was done: filters first, then their sockets."""
    for filter_ in ("from-guest", "to-guest"):
        undo(machine, "object-del", {"id": f"{name}-{filter_}"})
    for side in _SIDES:
        undo(machine, "chardev-remove", {"id": f"{name}-{side}"})


class CaptureJoined:
    """All frames are kept, of both directions."""

    what = "capture"
    in_state = False

    def __init__(self, packets: Packets) -> None:
        self._packets = packets
        self._at: tuple[Machine, Tap, str] | None = None

    def attach(self, machine: Machine) -> None:
        """Have QEMU write all frames into a pipe."""
        from harness.segment.packets import Tap

        self.detach()
        name = f"capture{next(_numbers)}"
        # QEMU opens it by its name: it takes no descriptor here. Nobody else can enter this folder.
        tap = Tap(self._packets, machine.overlay.path.parent / name)
        self._at = machine, tap, name
        try:
            made = {"qom-type": "filter-dump", "id": name, "netdev": "net0"}
            machine.execute("object-add", {**made, "file": str(tap.path)})
        except BaseException:
            self.detach()
            raise
        tap.start()

    def detach(self) -> None:
        """Have QEMU close the pipe, and wait for the last frame."""
        if self._at is None:
            return
        machine, tap, name = self._at
        self._at = None
        undo(machine, "object-del", {"id": name})
        tap.close()


def undo(machine: Machine, command: str, arguments: dict[str, object]) -> None:
    """Take off what may be there: a QEMU that has ended has nothing left, and some may never have been made."""
    with contextlib.suppress(QemuFailed):
        machine.execute(command, arguments)
