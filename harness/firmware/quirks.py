"""What QEMU's Raspberry Pi boards need beyond what the firmware does: one table, with reasons and prices.

Every row that was used is named in the notes of a start, so in the report; ``--gk-no-quirks`` leaves them all out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.firmware.flat_tree import Node, Tree

OKAY = b"okay\0"
DISABLED = b"disabled\0"


@dataclass(frozen=True)
class Quirk:
    """One deviation from what a real board would be given."""

    name: str
    reason: str
    price: str
    qemu: str
    """The versions of QEMU it was seen to be needed with."""
    models: frozenset[str]
    edit: Callable[[Tree], bool] | None = None
    """Changes the device tree; returns whether there was anything to change."""
    overlay: str = ""
    """An overlay of the image's own."""

    @property
    def note(self) -> str:
        """As a reader of the report sees it."""
        return f"quirk {self.name}: {self.reason}; price: {self.price}"


def _watchdog(tree: Tree) -> bool:
    watchdog = tree.root.find("/soc/watchdog@7e100000")
    if watchdog is None:
        return False
    watchdog.properties["status"] = DISABLED
    return True


def _usb_host(tree: Tree) -> bool:
    usb = tree.root.find("/soc/usb@7e980000")
    if usb is None:
        return False
    usb.properties["compatible"] = b"brcm,bcm2835-usb\0"
    usb.properties["dr_mode"] = b"host\0"
    usb.properties["status"] = OKAY
    return True


QUIRKS = (
    Quirk(
        name="no-watchdog",
        reason="QEMU's model of the watchdog resets the machine as soon as the watchdog is armed",
        price="no watchdog, so the kernel cannot restart or power off the machine",
        qemu="9.0 to 10.0",
        models=frozenset({"pi3", "pi3a+", "pi4"}),
        edit=_watchdog,
    ),
    Quirk(
        name="disable-bt",
        reason="there is no Bluetooth chip, and without this ttyAMA0 belongs to it",
        price="no Bluetooth driver is tried",
        qemu="9.0 to 10.0",
        models=frozenset({"pi3", "pi3a+", "pi4"}),
        overlay="disable-bt",
    ),
    Quirk(
        name="usb-host",
        reason="the model has no PCIe, so no USB ports and no network but on the USB-C port's controller",
        price="the network is on that controller, as host, instead of GENET",
        qemu="9.0 to 10.0",
        models=frozenset({"pi4"}),
        edit=_usb_host,
    ),
)


def quirks_of(model: str) -> Iterator[Quirk]:
    """The rows of the table for one model."""
    return (quirk for quirk in QUIRKS if model in quirk.models)


def node(name: str, **properties: bytes) -> Node:
    """A node in one expression."""
    return Node(name, dict(properties))
