"""Wanted: what a test asks of its appliance, field by field with the marker that asks for it.

A new option for one test is a field here, and the place that acts on it: ``run/markers.py`` registers and reads
the marker of every field, and the record travels whole from there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from harness.boards import Board
    from harness.image.model import Image
    from harness.machine.equipment import Door, Network

MARKER = "marker"
Clock = Literal["unset", "now"]
Marks = Sequence[tuple[Any, ...]]
"""The arguments of each mark of one name that a test has, the closest to the test first; never empty."""


def is_path(image: str) -> bool:
    """Whether a marker names an instance or image by its path, and no family."""
    return "/" in image


@dataclass(frozen=True)
class Marker:
    """A pytest marker that fills a field of a record."""

    name: str
    arguments: str
    """As ``pytest --markers`` shows them, "" where it takes none."""
    help: str
    read: Callable[[Marks], Any]
    """What its marks say, as the field keeps it."""

    @property
    def line(self) -> str:
        """What is registered with pytest."""
        return f"{self.name}{self.arguments}: {self.help}"


def there(_: Marks) -> bool:
    """Whether the test has the mark."""
    return True


def closest(marks: Marks) -> Any:
    """The argument of the mark that is closest to the test: a function's mark overrides that of its module."""
    return marks[0][0]


def together(marks: Marks) -> tuple[str, ...]:
    """The arguments of all marks."""
    return tuple(str(argument) for mark in marks for argument in mark)


def each(marks: Marks) -> tuple[frozenset[str], ...]:
    """The arguments of each of the marks."""
    return tuple(frozenset(map(str, mark)) for mark in marks)


def marker(name: str, text: str, *, arguments: str = "", read: Callable[[Marks], Any] = there) -> dict[str, Any]:
    """The ``metadata`` of a field that a marker fills; a test without the mark gets the field's default."""
    return {MARKER: Marker(name, arguments, text, read)}


def markers_of(record: type[Any]) -> dict[str, Marker]:
    """The markers that fill a record, by its fields."""
    return {one.name: one.metadata[MARKER] for one in fields(record) if MARKER in one.metadata}


@dataclass(frozen=True)
class Wanted:
    """What a test asks of its appliance; ``lab.appliance`` makes it."""

    board: Board
    name: str
    """The test's; the folder of the appliance's logs has it."""
    running: bool = True
    """Whether the test gets it when it is ready, else before it is switched on."""
    image: Image | None = None
    """The image itself, for whoever has one; None for that of the family."""
    family: str = field(
        default="hello",
        metadata=marker(
            "gk_image",
            "which image the appliance runs: 'hello' (the one under test), 'crasher', 'field', 'tailnet' or "
            "'tailnet-links' (the project's own), or 'from' (--gk-from)",
            arguments="(family)",
            read=closest,
        ),
    )
    second: str = field(
        default="",
        metadata=marker(
            "gk_second_image",
            "which image the second appliance runs: as for gk_image, or the path of an instance or image, with a "
            "'/' and from the test's file; without it, that of the first",
            arguments="(image)",
            read=closest,
        ),
    )
    needs: tuple[str, ...] = field(
        default=(),
        metadata=marker(
            "gk_needs",
            "what the appliance must have, else the test is skipped: 'console', 'http', 'breakglass', "
            "'breakglass-shell', 'serial-shell', 'slot', 'perm' (a /perm that keeps data), 'perm-files' (one "
            "whose files this host reads and writes), 'agent' (a guest agent for QEMU, whose channel the machine "
            "then has), or its board: 'checkpoint', 'screen', or this host: 'browser'; of a real device also "
            "'image' (it is known what runs), 'update', 'power', 'disk' (it can be read while the device is off)",
            arguments="(*abilities)",
            read=together,
        ),
    )
    allow: tuple[str, ...] = field(
        default=(),
        metadata=marker(
            "gk_allow",
            "what the console may say in this test: names of checks (docs/console.md)",
            arguments="(*checks)",
            read=together,
        ),
    )
    cold: bool = field(
        default=False, metadata=marker("gk_cold", "the appliance boots cold and never starts from a snapshot")
    )
    about_boot: bool = field(
        default=False,
        metadata=marker(
            "gk_boot",
            "tests the boot itself: cold where a snapshot is taken without the network card (Raspberry Pi boards) "
            "or may be of an earlier run (--gk-warm persist)",
        ),
    )
    reboots: bool = field(
        default=False,
        metadata=marker(
            "gk_reboots",
            "the appliance reboots: without KVM, a PC that starts from a snapshot gets one thread for all its "
            "processors then",
        ),
    )
    network: Network | None = field(
        default=None,
        metadata=marker(
            "gk_network",
            "what the guest reaches, whatever --gk-network says: 'restricted' (nobody) or 'open' (all that this "
            "host reaches)",
            arguments="(mode)",
            read=closest,
        ),
    )
    clock: Clock | None = field(
        default=None,
        metadata=marker(
            "gk_clock",
            "the time with which a board without a clock starts, whatever --gk-clock says: 'unset' or 'now'",
            arguments="(time)",
            read=closest,
        ),
    )

    doors: tuple[Door, ...] = ()
    """What its machine reaches however restricted the network is; a fixture asks for them, such as ``tailnet``."""

    machines: int = 1
    """How many machines the test has at once; room on this host is taken for all of them together."""

    def of_second(self, family: str) -> Wanted:
        """What the same test asks of its second appliance: that it runs, on a network such as the first one's."""
        return replace(self, name=f"{self.name} second", running=True, family=family, needs=(), machines=1)

    @property
    def abilities(self) -> tuple[str, ...]:
        """What the image must have, with what it takes to wait until it is ready."""
        return (*self.needs, "ready") if self.running else self.needs
