"""The channel of a guest agent: QEMU's wire to a program of the guest."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading

from harness.errors import QemuFailed
from harness.machine.command import AGENT_BUS
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
        self._lock = threading.Lock()
        self._at: tuple[Machine, socket.socket, str] | None = None

    def attach(self, machine: Machine) -> None:
        """Plug it into a machine that is paused or runs; raises QemuFailed."""
        self.detach()
        name = f"agent{next(_numbers)}"
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            self._at = machine, ours, name
            machine.execute("getfd", {"fdname": name}, descriptor=theirs.fileno())
            address = {"type": "fd", "data": {"str": name}}
            backend = {"type": "socket", "data": {"addr": address, "server": False}}
            machine.execute("chardev-add", {"id": name, "backend": backend})
            port = {"driver": "virtserialport", "bus": f"{AGENT_BUS}.0", "id": f"{name}-port"}
            machine.execute("device_add", {**port, "chardev": name, "name": NAME})

    def detach(self) -> None:
        """Pull it out of the machine, if that is still there."""
        with self._lock:
            if self._at is None:
                return
            machine, ours, name = self._at
            self._at = None
            ours.close()
            # QEMU may hold the end of the wire a moment longer than the port. It then stays, and leads nowhere.
            for command, ident in (("device_del", f"{name}-port"), ("chardev-remove", name)):
                with contextlib.suppress(QemuFailed):
                    machine.execute(command, {"id": ident})

    def send(self, data: bytes) -> bool:
        """Send it to the guest; False where no machine is there to take it."""
        with self._lock:
            if self._at is None:
                return False
            with contextlib.suppress(OSError):
                self._at[1].sendall(data)
                return True
        return False

    def receive(self, seconds: float) -> bytes:
        """What comes next, b"" when nothing does in that time."""
        with self._lock:
            end = self._at[1] if self._at is not None else None
        if end is None:
            return b""
        with contextlib.suppress(OSError):
            end.settimeout(max(seconds, 0.01))
            return end.recv(1 << 16)
        return b""

    @property
    def heard_by(self) -> str:
        """What QEMU says of a program at the other end."""
        with self._lock:
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
