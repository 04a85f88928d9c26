"""The channel of a guest agent: QEMU's wire to a program of the guest."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading

from harness.machine.command import AGENT_BUS
from harness.machine.joins import connect, undo
from harness.machine.machine import Machine

NAME = "org.qemu.guest_agent.0"
"""How the guest's program finds its channel: by this name in /sys/class/virtio-ports/*/name."""
_numbers = itertools.count(1)
"""For names that no other object of the same QEMU has."""


class Channel:
    """The wire to the agent, over as many machines as the appliance takes; it hangs on each as any of the joins.

    It is plugged into a machine that is there, and out of it before a snapshot is taken.
    """

    what = "guest agent"
    in_state = True

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._at: tuple[Machine, socket.socket, str] | None = None

    def attach(self, machine: Machine) -> None:
        """Plug it into a machine that is paused or runs; raises QemuFailed."""
        self.detach()
        name = f"agent{next(_numbers)}"
        ours, theirs = socket.socketpair()
        with self._changed:
            self._at = machine, ours, name
            self._changed.notify_all()
        try:
            with theirs:
                connect(machine, name, theirs)
            port = {"driver": "virtserialport", "bus": f"{AGENT_BUS}.0", "id": f"{name}-port"}
            machine.execute("device_add", {**port, "chardev": name, "name": NAME})
        except BaseException:
            self.detach()
            raise

    def detach(self) -> None:
        """Pull it out of the machine, if that is still there."""
        with self._changed:
            at, self._at = self._at, None
        if at is None:
            return
        machine, ours, name = at
        ours.close()
        # QEMU may hold the end of the wire a moment longer than the port. It then stays, and leads nowhere.
        undo(machine, "device_del", {"id": f"{name}-port"})
        undo(machine, "chardev-remove", {"id": name})

    def send(self, data: bytes) -> None:
        """Send it to the guest; where no machine is there to take it, it is lost."""
        with self._changed, contextlib.suppress(OSError):
            if self._at is not None:
                self._at[1].sendall(data)

    def receive(self, seconds: float) -> bytes:
        """What comes next, b"" when nothing does in that time."""
        with self._changed:
            if self._at is None:
                self._changed.wait(seconds)
                return b""
            end = self._at[1]
        try:
            end.settimeout(max(seconds, 0.01))
            data = end.recv(1 << 16)
        except TimeoutError:
            return b""
        except OSError:
            data = b""
        if not data:
            # QEMU has ended, or the wire was pulled out meanwhile: what comes next comes by another one.
            with self._changed:
                if self._at is None or self._at[1] is end:
                    self._changed.wait(seconds)
        return data

    @property
    def heard_by(self) -> str:
        """What QEMU says of a program at the other end."""
        with self._changed:
            at = self._at
        if at is None:
            return "the machine is off"
        machine, _, name = at
        changes = [
            event.data["open"]
            for event in machine.events
            if event.name == "VSERPORT_CHANGE" and event.data.get("id") == f"{name}-port"
        ]
        if not changes:
            return f"no program of the device has opened the channel {NAME}"
        return f"a program has {'opened' if changes[-1] else 'closed'} the channel {NAME}"
