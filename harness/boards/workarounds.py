"""What the harness does differently on some boards because QEMU's model of them falls short, as data.

A board names the workarounds that it needs. So the rest of its record says what the machine is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields


@dataclass(frozen=True, kw_only=True)
class Workaround:
    """One thing that the harness does differently."""

    does: str
    """What is done, as a sentence without its full stop."""
    reason: str
    """What would happen without it, and why; with the file of QEMU or gokrazy where the fault is."""
    price: str
    """What it costs, or what is not tested because of it."""
    qemu: str
    """The versions of QEMU that were seen to need it."""

    @property
    def note(self) -> str:
        """As a reader of the report sees it."""
        return f"{self.does}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class PendingInterrupts(Workaround):
    """A snapshot is taken only when no interrupt is pending."""

    address: int
    """The physical address of the first register of pending interrupts."""
    words: int
    """The number of such registers, 32 bits each, one after the other."""


@dataclass(frozen=True, kw_only=True)
class RegisterWrites(Workaround):
    """Registers are set before a snapshot's state is loaded."""

    writes: tuple[tuple[int, int], ...]
    """Physical address and 32-bit value of each."""


@dataclass(frozen=True)
class Workarounds:
    """The workarounds of one board; None where it needs no such thing."""

    one_thread_at_boot: Workaround | None = None
    """TCG has one thread for all processors while the machine boots."""
    waiting_processors: Workaround | None = None
    """The same where this host has fewer processors than the machine."""
    late_answers: Workaround | None = None
    """The network's answers come late until the guest has an address."""
    late_nic: Workaround | None = None
    """The network card is plugged in only when init runs. The board needs ``nic_after_restore`` as well."""
    nic_after_restore: Workaround | None = None
    """A snapshot is taken without the network card, and a restored machine has it plugged in once it runs."""
    pending_interrupts: PendingInterrupts | None = None
    """A snapshot is taken only when no interrupt is pending."""
    registers_at_restore: RegisterWrites | None = None
    """Registers are set before a snapshot's state is loaded."""
    no_snapshots: Workaround | None = None
    """No snapshot is taken: every start is a cold one."""

    def __iter__(self) -> Iterator[Workaround]:
        """Those that the board needs."""
        return (one for field in fields(self) if (one := getattr(self, field.name)) is not None)
