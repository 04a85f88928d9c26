"""What QEMU's Raspberry Pi boards need beyond what the firmware does: one table, with reasons and prices.

The notes of a start name every row that was used, and so does the report. ``--gk-no-quirks`` leaves all out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.firmware.raspberry.flat_tree import DeviceTree, Node

OKAY = b"okay\0"
DISABLED = b"disabled\0"


@dataclass(frozen=True)
class Quirk:
    """One change to the device tree that the firmware of a real board does not make."""

    name: str
    reason: str
    price: str
    qemu: str
    """The version of QEMU that was seen to need it."""
    models: frozenset[str]
    edit: Callable[[DeviceTree], bool] | None = None
    """Changes the device tree; returns whether there was anything to change."""
    dt_overlay: str = ""
    """A device tree overlay of the image itself."""
    needless_with: frozenset[str] = frozenset()
    """Device tree overlays that have the same effect: where config.txt names one, the quirk is left out."""

    @property
    def note(self) -> str:
        """The line about it in the report."""
        return f"quirk {self.name}: {self.reason}; price: {self.price}"


WATCHDOG = "/soc/watchdog@7e100000"
"""The power management, watchdog included: its registers reset the board and switch it off."""
_PASSWORD = 0x5A000000
_RSTC, _RSTC_FULL_RESET = 0x1C, 0x20
_RSTS, _RSTS_HALT = 0x20, 0x555
"""Registers and values as in Linux' drivers/watchdog/bcm2835_wdt.c and QEMU's hw/misc/bcm2835_powermgt.c."""


def _restart_by_register(tree: DeviceTree) -> bool:
    """Disable the watchdog, and have the kernel restart and power off by the same registers without it.

    QEMU resets the machine as soon as the watchdog is armed (RSTC), and gokrazy arms every watchdog that it finds.
    The kernel's generic drivers (syscon-reboot, syscon-poweroff) write the registers only to restart or power off.
    A power-off takes two writes, and so two nodes: the kernel calls their drivers in the order of the nodes.
    """
    watchdog, soc = tree.root.find(WATCHDOG), tree.root.find("/soc")
    if watchdog is None or soc is None:
        return False
    watchdog.properties["status"] = DISABLED
    soc.children.append(
        Node(
            "restart@7e100000",
            {"compatible": b"syscon\0simple-mfd\0", "reg": watchdog.properties.get("reg", b"")[:8]},
            [
                _register_write("restart", b"syscon-reboot\0", _RSTC, _RSTC_FULL_RESET),
                _register_write("halt", b"syscon-poweroff\0", _RSTS, _RSTS_HALT),
                _register_write("halt-now", b"syscon-poweroff\0", _RSTC, _RSTC_FULL_RESET),
            ],
        )
    )
    return True


def _register_write(name: str, compatible: bytes, offset: int, value: int) -> Node:
    cells = {"offset": offset, "value": _PASSWORD | value}
    return Node(name, {"compatible": compatible, **{key: cell.to_bytes(4, "big") for key, cell in cells.items()}})


def _usb_host(tree: DeviceTree) -> bool:
    usb = tree.root.find("/soc/usb@7e980000")
    if usb is None:
        return False
    usb.properties["compatible"] = b"brcm,bcm2835-usb\0"
    usb.properties["dr_mode"] = b"host\0"
    usb.properties["status"] = OKAY
    return True


def _sd_card(tree: DeviceTree) -> bool:
    wifi = tree.root.find("/soc/mmcnr@7e300000")
    if wifi is None or wifi.text("status") in ("", "okay"):
        return False
    wifi.properties["status"] = OKAY
    return True


QUIRKS = (
    Quirk(
        name="restart-by-register",
        reason="QEMU's model of the watchdog resets the machine as soon as gokrazy arms it",
        price="no watchdog; a power-off takes 3 s more and says `Unable to poweroff system` first",
        qemu="10.0",
        models=frozenset({"pi3", "pi3a+", "pi4"}),
        edit=_restart_by_register,
    ),
    Quirk(
        name="disable-bt",
        reason="there is no Bluetooth chip, and without this ttyAMA0 belongs to it",
        price="the console is ttyAMA0, whichever of the two the command line names; a real board with the same "
        "config.txt has it on ttyS0",
        qemu="10.0",
        models=frozenset({"pi3", "pi3a+", "pi4"}),
        dt_overlay="disable-bt",
        needless_with=frozenset({"disable-bt", "miniuart-bt"}),
    ),
    Quirk(
        name="usb-host",
        reason="QEMU's model has no PCIe: the USB-C port's controller alone can have USB ports and a network",
        price="that controller is a host, and the network card is there instead of at GENET",
        qemu="10.0",
        models=frozenset({"pi4"}),
        edit=_usb_host,
    ),
    Quirk(
        name="sd-card",
        reason="QEMU's model has the SD card at the controller that has the Wi-Fi on a real board",
        price="config.txt cannot switch that controller off",
        qemu="10.0",
        models=frozenset({"pi4"}),
        edit=_sd_card,
    ),
)


def quirks_of(model: str) -> Iterator[Quirk]:
    """The rows of the table for one model."""
    return (quirk for quirk in QUIRKS if model in quirk.models)


def table() -> str:
    """The rows as the Markdown table of docs/raspberry-pi.md."""
    lines = ["| quirk | models | reason | price | QEMU |", "| --- | --- | --- | --- | --- |"]
    for quirk in QUIRKS:
        models = ", ".join(sorted(quirk.models))
        lines.append(f"| {quirk.name} | {models} | {quirk.reason} | {quirk.price} | {quirk.qemu} |")
    return "\n".join(lines)
