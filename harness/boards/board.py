"""What a board is: everything about a machine that is the same for every appliance."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import Enum

from harness.boards.hardware import DISPLAY, NAMES
from harness.boards.workarounds import Workarounds
from harness.image.arch import NAMES as ARCHES
from harness.image.arch import Arch, Architecture, architecture_of
from harness.image.model import Image

SD = "sd"
"""The disk of a board whose machine has a slot for an SD card."""
CARD = "sd-card"
"""The disk of a machine whose controller takes an SD card."""
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


class Default(Enum):
    """When a run that names no boards takes a board. The value is the remark about it in the README's table."""

    ALWAYS = ""
    """For the project's own images, and for every image that fits none of those below."""
    RASPBERRY = "for images with a Raspberry Pi's firmware"
    """For an image with a Raspberry Pi's firmware, in place of all others."""
    NEVER = "not in the default set"
    """Only when it is asked for."""


@dataclass(frozen=True)
class Budget:
    """How long things may take on this board under TCG, in seconds of wall time.

    A limit that is reached is an error, so each is several times what was measured on two busy cores.
    """

    kernel: float = 45.0
    """From power-on to the kernel's first line."""
    init: float = 90.0
    """From power-on to init's first line."""
    ready: float = 150.0
    """From power-on to the first answer over HTTP."""
    silence: float = 60.0
    """For the pause between two lines of the console, until the appliance is ready."""
    network: float = 45.0
    """From init supervising its services to the web interface listening on an address that came by DHCP."""
    answer: float = 30.0
    """From the web interface listening on that address to its first answer; and for each answer after it."""
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
    machine: str
    """A versioned machine type, with its options."""
    cpu: str
    default: Default = Default.NEVER
    """When a run that names no boards takes it."""
    has_serial0: bool = False
    """Whether the harness puts its console for serial0 on the command line, as a Raspberry Pi's firmware does."""
    memory: int = 512
    """MiB."""
    withheld: int = 0
    """MiB of it that a kernel is never given."""
    cpus: int = 2
    is_fixed: bool = False
    """Whether its memory, processors and disk are the machine's, and cannot be chosen."""
    devices: tuple[str, ...] = ("virtio-rng-pci",)
    """``-device`` arguments beyond disk and network card."""
    disk: str = "virtio-blk-pci"
    """The device, or SD where the machine has a slot for a card."""
    further_disk: str = "virtio-blk-pci"
    """The device that each further disk is."""
    controllers: tuple[str, ...] = ()
    """``-device`` arguments of what disk and network card are plugged into."""
    nic: str = "virtio-net-pci"
    nic_bus: str = ""
    """The bus that the network card can be plugged into while the machine runs, "" where it never is."""
    display: Display | None = None
    """The display to add; None where gokrazy's kernels have no driver, or the machine has a display of its own."""
    has: tuple[str, ...] = ()
    """Which of the hardware of ``harness.boards.hardware`` it has."""
    bios: str = "bios-256k.bin"
    """QEMU's file of the firmware, where that is SeaBIOS."""
    parts: str = ""
    """The parts that it has in place of its own, as they are typed: a row each of ``harness.boards.parts``."""
    rtc: str = "utc"
    """What its clock says at power-on (``-rtc base=``); a Raspberry Pi has none and begins in 1970."""
    slow_upload: bool = False
    """Whether an update over the network takes many minutes, so that few tests do it."""
    images: str = ""
    """Which of the project's own images it runs (hello-IMAGES), where its architecture does not decide it."""
    boot_files: tuple[tuple[str, ...], ...] = ()
    """The files that the boot partition of an image must have: one of each group (``*`` matches any text)."""
    unrecorded: str = ""
    """Why QEMU cannot record a machine of it (--gk-record), "" where it can."""
    min_qemu: tuple[int, int] = (9, 0)
    budget: Budget = Budget()
    proves: tuple[str, ...] = ()
    cannot: tuple[str, ...] = ()
    model: str = ""
    """The Raspberry Pi model whose firmware is played, a key of ``firmware.raspberry.models``; "" for none."""
    workarounds: Workarounds = field(default_factory=Workarounds)
    """What the harness does differently because QEMU's model of this machine falls short."""

    @property
    def architecture(self) -> Architecture:
        """What is the same for all boards of its architecture."""
        return architecture_of(self.arch)

    @property
    def qemu(self) -> str:
        """The program that plays it, such as qemu-system-x86_64."""
        return self.architecture.qemu

    @property
    def console(self) -> str:
        """What its kernel calls the serial port that is read here, such as ttyS0; see firmware/voice.py."""
        return self.architecture.serial

    @property
    def order(self) -> tuple[int, int, str, str]:
        """Its place among the boards: by architecture, by who starts the kernel, by its images, by name."""
        return (ARCHES.index(self.arch), list(Boot).index(self.boot), self.images, self.name)

    @property
    def base(self) -> str:
        """The name of the board that it is but for its parts."""
        return self.name.removesuffix(f":{self.parts}")

    @property
    def has_card(self) -> bool:
        """Whether its disk is an SD card."""
        return self.disk in (SD, CARD)

    @property
    def fixed(self) -> str:
        """What its memory, processors and disk are, where they cannot be chosen; "" where they can."""
        if not self.is_fixed:
            return ""
        disk = "one SD card" if self.has_card else "one disk"
        return f"{self.memory} MiB of memory, {self.cpus} processors and {disk}"

    @property
    def can_snapshot(self) -> bool:
        """Whether QEMU can take a snapshot of a booted machine, and restore it."""
        return self.workarounds.no_snapshots is None

    @property
    def can_checkpoint(self) -> bool:
        """Whether a test can take a checkpoint: not where the network would have to be unplugged for it."""
        return not self.no_checkpoint

    @property
    def no_checkpoint(self) -> str:
        """Why a test can take no checkpoint, "" when it can."""
        reason = self.workarounds.no_snapshots or self.workarounds.nic_after_restore
        return f"QEMU cannot freeze the board {self.name}: {reason.reason}" if reason is not None else ""

    @property
    def knows_time(self) -> bool:
        """Whether it has a clock that goes on while it is off."""
        return self.rtc == "utc"

    @property
    def lacks(self) -> tuple[str, ...]:
        """Which hardware a program that needs it will not find here."""
        return tuple(name for name in NAMES if name not in self.has)

    def fitted(self, image: Image) -> Board:
        """The board as it is for this image.

        It has its display only for an image with a program that draws and a kernel with the driver. For a program
        that draws with a kernel whose drivers are unknown, the device is there, but is not counted as hardware.
        """
        if self.display is None:
            return self
        drives = image.draws and self.display.driver in image.kernel.drivers
        has = self.has if drives else tuple(name for name in self.has if name != DISPLAY)
        there = (self.display.device,) if drives or (image.draws and not image.kernel.drivers) else ()
        return replace(self, devices=(*self.devices, *there), has=has, display=None)

    @property
    def ends_at_reset(self) -> bool:
        """Whether QEMU ends at a reset, because the harness plays what runs before the kernel."""
        return self.boot in (Boot.HARNESS, Boot.RASPBERRY)

    @property
    def family(self) -> str:
        """The suffix of the project's own images for it: boards with the same one run the same image."""
        return self.images or self.arch

    def missing(self, boot_files: Iterable[str]) -> str:
        """What a boot partition with these files lacks for this board; "" when it lacks nothing."""
        there = {name.rsplit("/", 1)[-1].lower() for name in boot_files}
        missing = [names for names in self.boot_files if not any(fnmatch.filter(there, name) for name in names)]
        return f"its boot partition lacks {', '.join(' or '.join(names) for names in missing)}" if missing else ""

    def other_than(self, arch: Arch) -> str:
        """Why programs of this architecture do not run on the board; "" when they do."""
        return f"it is built for {arch}, and {self.name} is {self.arch}" if arch != self.arch else ""

    def misfit(self, image: Image) -> str:
        """Why the board cannot start this image; "" when it can."""
        if other := self.other_than(image.arch):
            return other
        if missing := self.missing(image.boot_files):
            return missing
        if self.has_card and image.size > LARGEST_CARD:
            return f"it has {image.size} bytes, and the largest SD card of {self.name} has {LARGEST_CARD} (32 GiB)"
        return ""
