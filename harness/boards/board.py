"""What a board is: everything about a machine that is the same for every appliance."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from harness.boards.hardware import DISPLAY, NAMES
from harness.boards.workarounds import Workarounds
from harness.image.model import Arch, Image

SD = "sd"
"""The disk of a board whose machine has a slot for an SD card."""
LARGEST_CARD = 32 << 30
"""Bytes of the largest SDHC card; a larger one is SDXC, which no board here was booted from."""


class Boot(Enum):
    """Who starts the kernel."""

    BIOS = "bios"
    """SeaBIOS and the boot sector of the image."""
    UEFI = "uefi"
    """edk2 and the systemd-boot of the image."""
    HARNESS = "harness"
    """The harness reads the boot partition and hands kernel and command line to QEMU, at every reset."""
    RASPBERRY = "raspberry"
    """The harness does what a Raspberry Pi's firmware does, device tree included, at every reset."""


@dataclass(frozen=True)
class Budget:
    """How long things may take on this board under TCG, in seconds of wall time; generous on purpose.

    A limit that is reached is an error, so these are set at several times what was measured on two busy cores.
    """

    kernel: float = 45.0
    """From power-on to the kernel's first line."""
    init: float = 90.0
    """From power-on to init's first line."""
    ready: float = 150.0
    """From power-on to the first answer over HTTP."""
    silence: float = 60.0
    """How long the console may say nothing before the appliance is ready."""
    network: float = 45.0
    """From init supervising its services to the web interface listening on an address that came by DHCP."""
    answer: float = 30.0
    """From the web interface listening on that address to its first answer."""
    service: float = 30.0
    """For a service to change its state after it was asked to."""
    reboot: float = 240.0
    """From asking for a reboot to the first answer after it."""
    upload: float = 300.0
    """For one file of an update."""
    power_off: float = 60.0

    def scaled(self, factor: float) -> Budget:
        """The same budget for an accelerator that takes ``factor`` times as long as TCG."""
        return Budget(**{name: value * factor for name, value in vars(self).items()})


@dataclass(frozen=True)
class Display:
    """A display: its ``-device`` argument, and the module of Linux that drives it."""

    device: str
    driver: str


@dataclass(frozen=True)
class Board:
    """A machine for QEMU to play."""

    name: str
    arch: Arch
    title: str
    boot: Boot
    qemu: str
    """The program, such as qemu-system-x86_64."""
    machine: str
    """A versioned machine type, with its options."""
    cpu: str
    console: str
    """What its kernel calls the serial port that is read here, such as ttyS0; see firmware/voice.py."""
    has_serial0: bool = False
    """Whether the harness, as its boot loader, puts that port for serial0, as a Raspberry Pi's firmware does."""
    memory: int = 512
    """MiB."""
    cpus: int = 2
    is_fixed: bool = False
    """Whether its memory, processors and disk are the machine's, and cannot be chosen."""
    devices: tuple[str, ...] = ("virtio-rng-pci",)
    """``-device`` arguments beyond disk and network card."""
    disk: str = "virtio-blk-pci"
    """The device, or SD for the card that belongs to the machine."""
    nic: str = "virtio-net-pci"
    nic_bus: str = ""
    """The bus that the network card can be plugged into while the machine runs, "" where it never is."""
    display: Display | None = None
    """What has the frame buffer; None where gokrazy's kernels drive none, or the machine has its own."""
    has: tuple[str, ...] = ()
    """Which of the hardware of ``harness.boards.hardware`` it has."""
    rtc: str = "utc"
    """What its clock says at power-on (``-rtc base=``); a Raspberry Pi has none and begins in 1970."""
    slow_upload: bool = False
    """Whether an update over the network takes many minutes, so that few tests do it."""
    images: str = ""
    """Which of the project's own images it runs (hello-IMAGES), where its architecture alone does not tell."""
    boot_files: tuple[tuple[str, ...], ...] = ()
    """What the boot partition of an image for it must have: one of each group of names (``*`` fits all)."""
    min_qemu: tuple[int, int] = (9, 0)
    budget: Budget = Budget()
    proves: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    model: str = ""
    """The Raspberry Pi model whose firmware is played, a key of ``firmware.raspberry.models``; "" for none."""
    workarounds: Workarounds = field(default_factory=Workarounds)
    """What the harness does differently because QEMU's model of this machine falls short."""

    @property
    def fixed(self) -> str:
        """What its memory, processors and disk are, where they cannot be chosen; "" where they can."""
        if not self.is_fixed:
            return ""
        disk = "one SD card" if self.disk == SD else "one disk"
        return f"{self.memory} MiB of memory, {self.cpus} processors and {disk}"

    @property
    def can_capture(self) -> bool:
        """Whether a booted machine can be captured and restored."""
        return self.workarounds.never_captured is None

    @property
    def can_checkpoint(self) -> bool:
        """Whether it can be frozen in the middle of a test: not where its network would have to be unplugged."""
        return self.can_capture and self.workarounds.nic_after_restore is None

    @property
    def knows_time(self) -> bool:
        """Whether it has a clock that goes on while it is off."""
        return self.rtc == "utc"

    @property
    def lacks(self) -> tuple[str, ...]:
        """Which hardware a program that needs it will not find here."""
        return tuple(name for name in NAMES if name not in self.has)

    def fitted(self, image: Image) -> Board:
        """The board as it is for this image: it has its display only where a program of the image asks for one.

        That is nothing without a driver in the image's kernel. Where the image does not tell what is in it, the
        device is there, and nobody relies on it.
        """
        if self.display is None:
            return self
        drives = image.draws and self.display.driver in image.kernel.graphics
        has = self.has if drives else tuple(name for name in self.has if name != DISPLAY)
        there = (self.display.device,) if drives or (image.draws and not image.kernel.graphics) else ()
        return replace(self, devices=(*self.devices, *there), has=has, display=None)

    @property
    def ends_at_reset(self) -> bool:
        """Whether QEMU ends at a reset, because the harness plays what runs before the kernel."""
        return self.boot in (Boot.HARNESS, Boot.RASPBERRY)

    @property
    def family(self) -> str:
        """The suffix of the project's own images for it: boards with the same one run the same image."""
        return self.images or self.arch

    def misses(self, boot_files: Iterable[str]) -> str:
        """Return what a boot partition with these files lacks for this board, "" when it has all."""
        there = {name.rsplit("/", 1)[-1].lower() for name in boot_files}
        missing = [names for names in self.boot_files if not any(fnmatch.filter(there, name) for name in names)]
        return f"its boot partition lacks {', '.join(' or '.join(names) for names in missing)}" if missing else ""

    def why_not(self, image: Image) -> str:
        """Return why the board cannot start this image, "" when it can."""
        if image.arch != self.arch:
            return f"it is built for {image.arch}, and {self.name} is {self.arch}"
        if missing := self.misses(image.boot_files):
            return missing
        if self.disk == SD and image.size > LARGEST_CARD:
            return f"it has {image.size} bytes, and the largest SD card of {self.name} has {LARGEST_CARD} (32 GiB)"
        return ""
