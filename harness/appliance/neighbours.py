"""Neighbours: who is beside an appliance on its network for a test, and what goes by there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from harness.appliance.perm import Perm
from harness.appliance.time_line import Lane
from harness.errors import OptionError
from harness.gokrazy.guest_agent import GuestAgent
from harness.machine.agent_channel import Channel
from harness.machine.joins import CaptureJoined, SegmentJoined
from harness.segment.addresses import POOL

if TYPE_CHECKING:
    # What reads packets takes a tenth of a second to load, and most tests have no neighbours.
    from harness.segment.log_server import LogServer
    from harness.segment.packets import Packets
    from harness.segment.time_server import TimeServer

LOG_TARGET = "remote_syslog/target"
"""Where init reads to whom it sends what services say, below /perm (its supervise.go, ``initRemoteSyslog``)."""


class Neighbours(Perm):
    """The part of an appliance that is about its network, and QEMU's channel to its guest agent.

    All of it can begin before the appliance is switched on or while it runs, and stays over its reboots.
    """

    @contextlib.contextmanager
    def capture(self) -> Iterator[Packets]:
        """What goes over the wire while the block lasts, in both directions; still to be read after it."""
        from harness.segment.packets import Packets

        packets = Packets(self.check)
        with (
            self.power.joins.joined(CaptureJoined(packets)),
            self.time_line.during(Lane.NOTES, "packets captured"),
        ):
            yield packets

    @contextlib.contextmanager
    def time_server(
        self, starts_at: datetime | None = None, *, domains: tuple[str, ...] = (POOL,)
    ) -> Iterator[TimeServer]:
        """A time server, while the block lasts, that begins with this time; None for that of this host.

        It is found under every name at or below the domains: those of gokrazy's cmd/ntp unless given otherwise.
        """
        from harness.segment.time_server import TimeServer

        server = TimeServer(starts_at, self.check)
        with (
            self.power.joins.joined(SegmentJoined(server.segment(domains))),
            self.time_line.during(Lane.NOTES, "a time server is there"),
        ):
            yield server

    @contextlib.contextmanager
    def agent(self) -> Iterator[GuestAgent]:
        """The guest agent of its image while the block lasts, also over its reboots.

        Raises OptionError for a test that is not marked ``gk_needs("agent")``: its machine has no channel.
        """
        if not self.power.spec.equipment.agent:
            raise OptionError(
                "the machine was made without the channel of a guest agent",
                where=self.console.name,
                hint='mark the test with gk_needs("agent")',
            )
        channel = Channel()
        patience = self.budget.service
        with (
            self.power.joins.joined(channel),
            self.time_line.during(Lane.NOTES, "the guest agent's channel is there"),
        ):
            yield GuestAgent(channel, patience=patience, where=self.console.name, check=self.check)

    @contextlib.contextmanager
    def log_server(self) -> Iterator[LogServer]:
        """A server that gets what all services say, while the block lasts; begin it while the appliance is off.

        /perm says so, and init reads that when it starts. Raises OptionError for an appliance that runs.
        """
        from harness.segment.log_server import TARGET, LogServer

        server = LogServer(self.check)
        self.write_perm(LOG_TARGET, f"{TARGET}\n".encode())
        with (
            self.power.joins.joined(SegmentJoined(server.segment())),
            self.time_line.during(Lane.NOTES, "a log server is there"),
        ):
            yield server
