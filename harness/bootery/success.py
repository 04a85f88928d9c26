"""What a device says on its console once its own programs have tried it, where it has such programs.

``bake`` (of gokrazy/bakery) looks at the hardware, ``timestamps`` (of gokrazy) says how old the file systems are.
Sources: cmd/bake and cmd/bootery of gokrazy/bakery, timestamps.go of gokrazy/timestamps.
"""

from __future__ import annotations

import re

from harness.appliance.appliance import Appliance
from harness.boards import Board
from harness.console.match import Mark
from harness.errors import ApplianceFault, HostFault
from harness.image.model import Image

BAKE, TIMESTAMPS = "bake", "timestamps"
_BAKED = re.compile(r"^SUCCESS$|bake: SUCCESS|^(?P<why>FAILURE: .*)|bake: (?P<reason>FAILURE: .*)")
_BUILT = re.compile(r"boot=(?P<boot>\d+) root=\d+")
HARDWARE = ("-set", "device.nic0.mac=b8:27:eb:67:6f:6b", "-device", "qemu-xhci")
"""For QEMU: bake asks for a network card of a maker that it knows, and for a USB controller."""


def hardware_for(image: Image) -> tuple[str, ...]:
    """The arguments for QEMU by which the image's own programs find the hardware that they ask for."""
    return HARDWARE if image.service(BAKE) is not None else ()


def must_have_hardware(image: Image, board: Board) -> None:
    """Raise HostFault for a board that cannot be given the hardware which the image's own programs ask for."""
    if image.service(BAKE) is not None and board.nic.startswith("usb-"):
        raise HostFault(f"{BAKE} asks for a network card that {board.name} cannot have in QEMU")


def wait_for_success(appliance: Appliance, image: Image, since: Mark, newer: int) -> None:
    """Wait until the programs of the image have said that all is well; of one without them, nothing is awaited.

    ``newer`` is what the boot file system must be newer than, in seconds since 1970. Raises ApplianceFault.
    """
    console, limit = appliance.console, appliance.budget.reboot
    if image.service(BAKE) is not None:
        said = console.wait_for_line(_BAKED, timeout=limit, what="SUCCESS, which bake says", since=since)
        if why := said["why"] or said["reason"]:
            raise ApplianceFault(f"bake says {why}", where=console.name, evidence=console.excerpt(15))
    if image.service(TIMESTAMPS) is not None:
        said = console.wait_for_line(_BUILT, timeout=limit, what="boot=... root=... of timestamps", since=since)
        if int(said["boot"]) <= newer:
            raise ApplianceFault(
                f"the boot file system that runs is of {said['boot']}, not newer than {newer} (boot-newer)",
                where=console.name,
                evidence=said.string,
            )
