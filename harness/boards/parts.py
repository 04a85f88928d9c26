"""Parts: the hardware that a board can be played with in place of its own, one row each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.boards.board import CARD, Board, Boot
from harness.boards.hardware import WATCHDOG
from harness.image.arch import Arch
from harness.image.model import Kernel

XHCI = "qemu-xhci,id=xhci"


class Kind(Enum):
    """What a part is; a board has one of each kind."""

    DISK = "disk"
    NETWORK = "network card"
    WATCHDOG = "watchdog"
    MEMORY = "memory"
    PROCESSORS = "processors"
    MACHINE = "machine"


@dataclass(frozen=True)
class Refusal:
    """Why QEMU or a firmware cannot have a part: on boards that start so, of this architecture; None for any."""

    reason: str
    boot: Boot | None = None
    arch: Arch | None = None

    def holds(self, board: Board) -> bool:
        """Whether it is about this board."""
        return self.boot in (None, board.boot) and self.arch in (None, board.arch)

    @property
    def told(self) -> str:
        """For whom it holds, and the reason."""
        whom = " ".join(filter(None, (self.arch, self.boot.value.upper() if self.boot else "")))
        return f"{whom or 'by no board'}: {self.reason}"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part: what it proves, and what of the board it replaces; "" and 0 for what it leaves alone."""

    name: str
    """As it is typed."""
    kind: Kind
    title: str
    proves: str
    disk: str = ""
    nic: str = ""
    controllers: tuple[str, ...] = ()
    """``-device`` arguments of what the disk or card is plugged into."""
    devices: tuple[str, ...] = ()
    memory: int = 0
    """MiB."""
    cpus: int = 0
    machine: str = ""
    """The machine type, without its options."""
    bios: str = ""
    has: tuple[str, ...] = ()
    """Which of the hardware of ``harness.boards.hardware`` it is."""
    drivers: tuple[str, ...] = ()
    """The modules of Linux that it takes, all of them."""
    has_carrier: bool = False
    """Whether it is a card whose link comes up while the guest waits for an address."""
    is_late: bool = False
    """Whether it is a disk that a kernel finds only after it has looked for its root file system."""
    is_pci: bool = True
    """Whether it takes a PCI bus."""
    has_pci: bool = True
    """Of a machine: whether it has a PCI bus."""
    min_qemu: tuple[int, int] = (9, 0)
    refused: tuple[Refusal, ...] = ()
    needs_kvm: str = ""
    """Why it takes KVM, in words; "" where TCG plays it as well."""
    unsaved: str = ""
    """What a snapshot of QEMU's cannot contain, in words; "" where it contains the part."""

    def missing(self, kernel: Kernel) -> tuple[str, ...]:
        """The drivers that the kernel lacks; empty when it has all, or does not say which it has."""
        return tuple(name for name in self.drivers if kernel.drivers and name not in kernel.drivers)

    def is_on(self, board: Board) -> bool:
        """Whether the board has it without being asked for it."""
        given = ((self.disk, board.disk), (self.nic, board.nic), (self.machine, board.machine.split(",")[0]))
        return (
            all(mine in ("", theirs) for mine, theirs in given)
            and self.memory in (0, board.memory)
            and self.cpus in (0, board.cpus)
            and set(self.devices) <= set(board.devices)
        )


PARTS: tuple[Part, ...] = (
    Part(
        name="virtio-blk",
        kind=Kind.DISK,
        title="virtio block device",
        proves="the disk of most virtual machines, which is /dev/vda",
        disk="virtio-blk-pci",
        drivers=("virtio_blk",),
        is_pci=False,
    ),
    Part(
        name="virtio-scsi",
        kind=Kind.DISK,
        title="SCSI disk at a virtio controller",
        proves="the disk of cloud machines that speak SCSI, which is /dev/sda",
        disk="scsi-hd,bus=scsi0.0",
        controllers=("virtio-scsi-pci,id=scsi0",),
        drivers=("virtio_scsi", "sd_mod"),
        is_pci=False,
    ),
    Part(
        name="nvme",
        kind=Kind.DISK,
        title="NVMe drive",
        proves="the disk of today's PCs, which is /dev/nvme0n1",
        disk="nvme,serial=gokrazy",
        drivers=("nvme",),
        unsaved="the NVMe drive (hw/nvme/ctrl.c: nvme_vmstate)",
    ),
    Part(
        name="ahci",
        kind=Kind.DISK,
        title="SATA disk",
        proves="the SATA disk of a PC, which is /dev/sda",
        disk="ide-hd,bus=ahci.0",
        controllers=("ich9-ahci,id=ahci",),
        drivers=("ahci", "sd_mod"),
    ),
    Part(
        name="usb",
        kind=Kind.DISK,
        title="USB stick at an xHCI controller",
        proves="a device that runs from a USB stick, which the kernel finds late",
        disk="usb-storage,bus=xhci.0",
        controllers=(XHCI,),
        drivers=("xhci-pci", "usb-storage", "sd_mod"),
        is_late=True,
    ),
    Part(
        name="sdhci",
        kind=Kind.DISK,
        title="SD card at a PCI controller",
        proves="the card reader of a small PC, which is /dev/mmcblk0",
        disk=CARD,
        controllers=("sdhci-pci,id=sdhci",),
        drivers=("sdhci-pci", "mmc_block"),
    ),
    Part(
        name="emmc",
        kind=Kind.DISK,
        title="eMMC",
        proves="storage that is soldered on",
        disk="emmc",
        controllers=("sdhci-pci,id=sdhci",),
        drivers=("sdhci-pci", "mmc_block"),
        refused=(Refusal("QEMU has eMMC only where a machine has it soldered on (hw/sd/sd.c: user_creatable)"),),
    ),
    Part(
        name="virtio-net",
        kind=Kind.NETWORK,
        title="virtio network card",
        proves="the network of most virtual machines",
        nic="virtio-net-pci",
        drivers=("virtio_net",),
        is_pci=False,
    ),
    Part(
        name="e1000",
        kind=Kind.NETWORK,
        title="Intel 82540EM",
        proves="Intel's old gigabit card, the one that gok vm run has",
        nic="e1000",
        drivers=("e1000",),
        has_carrier=True,
    ),
    Part(
        name="e1000e",
        kind=Kind.NETWORK,
        title="Intel 82574L",
        proves="Intel's gigabit card of many PCs",
        nic="e1000e",
        drivers=("e1000e",),
        has_carrier=True,
    ),
    Part(
        name="igb",
        kind=Kind.NETWORK,
        title="Intel 82576",
        proves="Intel's gigabit card of routers and servers, the family of the apu2",
        nic="igb",
        drivers=("igb",),
        has_carrier=True,
    ),
    Part(
        name="rtl8139",
        kind=Kind.NETWORK,
        title="Realtek 8139C+",
        proves="Realtek's old card",
        nic="rtl8139",
        # 8139too leaves the C+ alone: it says "use the 8139cp driver".
        drivers=("8139cp",),
    ),
    Part(
        name="vmxnet3",
        kind=Kind.NETWORK,
        title="VMware vmxnet3",
        proves="the network of a machine under VMware",
        nic="vmxnet3",
        drivers=("vmxnet3",),
    ),
    Part(
        name="usb-net",
        kind=Kind.NETWORK,
        title="USB network adapter (CDC) at an xHCI controller",
        proves="a USB network adapter, which the kernel finds late",
        nic="usb-net,bus=xhci.0",
        controllers=(XHCI,),
        drivers=("xhci-pci", "cdc_ether"),
        unsaved="the USB network adapter (hw/usb/dev-network.c: vmstate_usb_net)",
    ),
    Part(
        name="i6300esb",
        kind=Kind.WATCHDOG,
        title="Intel 6300ESB",
        proves="a watchdog that gokrazy finds and feeds, and that resets a kernel which hangs",
        devices=("i6300esb",),
        drivers=("i6300esb",),
        has=(WATCHDOG,),
    ),
    Part(
        name="5gib",
        kind=Kind.MEMORY,
        title="5 GiB of memory",
        proves="memory above 4 GiB, which devices that know 32 bits cannot reach",
        memory=5120,
        is_pci=False,
    ),
    Part(
        name="1cpu",
        kind=Kind.PROCESSORS,
        title="one processor",
        proves="a kernel that has one processor only",
        cpus=1,
        is_pci=False,
    ),
    Part(
        name="8cpus",
        kind=Kind.PROCESSORS,
        title="eight processors",
        proves="a kernel that has more processors than the boards here",
        cpus=8,
        is_pci=False,
    ),
    Part(
        name="q35",
        kind=Kind.MACHINE,
        title="PC of 2009 (Q35, PCI Express)",
        proves="the chip set of a PC with PCI Express",
        machine="pc-q35-9.0",
        refused=(Refusal("only a PC has it", arch="arm64"),),
        is_pci=False,
    ),
    Part(
        name="pc",
        kind=Kind.MACHINE,
        title="PC of 1996 (i440FX, PCI)",
        proves="the chip set that many clouds and QEMU itself have by default",
        machine="pc-i440fx-9.0",
        refused=(Refusal("only a PC has it", arch="arm64"),),
        is_pci=False,
    ),
    Part(
        name="microvm",
        kind=Kind.MACHINE,
        title="microvm (virtio-mmio, no PCI)",
        proves="a machine without PCI, as Firecracker's",
        machine="microvm",
        bios="bios-microvm.bin",
        drivers=("virtio_mmio",),
        has_pci=False,
        is_pci=False,
        needs_kvm="without KVM's clock, Linux finds none on a microvm with ACPI, from which SeaBIOS starts",
        refused=(
            Refusal("only a PC has it", arch="arm64"),
            Refusal("the machine has no flash chip for edk2 (hw/i386/microvm.c)", boot=Boot.UEFI),
        ),
    ),
)
"""In the order in which names have them: a new part is one row."""
NAMES = tuple(one.name for one in PARTS)


def table() -> str:
    """What each part proves, and what it takes, as the Markdown table of docs/parts.md."""
    lines = ["| part | | proves | Linux needs | cannot be had | starts |", "| --- | --- | --- | --- | --- | --- |"]
    for one in PARTS:
        drivers = ", ".join(f"`{name}`" for name in one.drivers) or "nothing"
        why = "; ".join([*(row.told for row in one.refused), *([one.needs_kvm] if one.needs_kvm else [])])
        starts = f"cold: a snapshot of QEMU's cannot contain {one.unsaved}" if one.unsaved else "warm"
        lines.append(
            f"| `{one.name}` | {one.kind.value}: {one.title} | {one.proves} | {drivers} | {why} | {starts} |"
        )
    return "\n".join(lines)
