"""Other hardware for a board: how it is written, what is refused and why, and what the table says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.boards import board, names, parts, variants
from harness.boards.parts import NAMES, PARTS, Kind
from harness.errors import OptionError
from harness.image.model import Kernel
from harness.tests.image.plain import PLAIN
from harness.tests.outside import ROOT

PAGE = ROOT / "docs/parts.md"


def test_the_order_in_which_parts_are_named_does_not_matter() -> None:
    one = board("pc-bios:igb+nvme")
    assert one.name == "pc-bios:nvme+igb"
    assert one == board("pc-bios:nvme+igb") == board(" pc-bios:nvme + igb ".strip())
    assert (one.base, one.parts, one.disk, one.nic) == ("pc-bios", "nvme+igb", "nvme,serial=gokrazy", "igb")
    assert one.title == "PC with BIOS, with NVMe drive and Intel 82576"
    assert (board("pc-bios").base, board("pc-bios").parts) == ("pc-bios", "")


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("toaster:nvme", "there is no board 'toaster'", "choose from: pc-bios, "),
        ("pc-bios:toaster", "there is no part 'toaster'", "choose from: virtio-blk, virtio-scsi, nvme, "),
        ("pc-bios:", "there is no part ''", "choose from: virtio-blk"),
        ("pc-bios:nvme+nvme", "nvme is named twice", "once"),
        (
            "pc-bios:ahci+igb+nvme",
            "nvme and ahci are two of a kind (disk)",
            "name one of virtio-blk, ",
        ),
        ("virt:1cpu+8cpus", "1cpu and 8cpus are two of a kind (processors)", "name one of 1cpu, 8cpus"),
        ("virt:q35", "virt cannot have q35: only a PC has it", "parts of virt: virtio-blk, "),
        ("pc-uefi:microvm", "pc-uefi cannot have microvm: the machine has no flash chip", "parts of pc-uefi: "),
        ("pc-bios:microvm+igb", "pc-bios cannot have igb: microvm has no PCI bus", "parts of pc-bios: "),
        ("pc-bios:emmc", "pc-bios cannot have emmc: QEMU has eMMC only where", "parts of pc-bios: "),
        ("raspi4b:nvme", "raspi4b has the hardware of its machine: 2048 MiB", "name a board that takes parts"),
    ],
)
def test_what_cannot_be_is_one_error_that_says_what_can(name: str, said: str, hint: str) -> None:
    with pytest.raises(OptionError) as caught:
        board(name)
    assert said in caught.value.what
    assert hint in caught.value.hint
    assert "+emmc" not in caught.value.hint


def test_a_part_stands_in_for_the_board_s_own_and_leaves_the_rest() -> None:
    plain = board("pc-bios")
    for part in PARTS:
        if not variants.refusal(plain, (part,)):
            made = board(f"pc-bios:{part.name}")
            assert made.boot is plain.boot
            assert made.workarounds.one_thread_at_boot is plain.workarounds.one_thread_at_boot
            assert made.can_snapshot is not bool(part.unsaved)
    assert board("virt:5gib+8cpus").memory > 4096
    assert board("virt:5gib+8cpus").cpus == 8
    assert board("virt:1cpu").cpus == 1
    assert board("pc-bios:pc").machine == "pc-i440fx-9.0,graphics=off"
    assert "watchdog" in board("virt:i6300esb").has
    assert board("raspi-virt:i6300esb").devices == board("raspi-virt").devices


def test_a_machine_without_pci_has_its_devices_elsewhere_and_no_display() -> None:
    micro = board("pc-bios:microvm")
    assert "pci" not in f"{micro.disk} {micro.further_disk} {micro.nic} {micro.devices}"
    assert micro.display is None
    assert "display" in micro.lacks
    assert micro.bios == "bios-microvm.bin"
    assert board("pc-bios:virtio-scsi+microvm").controllers == ("virtio-scsi-device,id=scsi0",)


def test_what_a_snapshot_cannot_contain_makes_every_start_a_cold_one_and_says_why() -> None:
    cold = board("pc-bios:nvme+igb").workarounds.no_snapshots
    assert cold is not None
    assert cold.note.startswith("every start is a cold one: a snapshot of QEMU's cannot contain the NVMe drive")
    assert board("pc-bios:ahci+igb").workarounds.no_snapshots is None


def test_a_card_with_a_link_has_its_lease_come_when_its_routes_are_settled() -> None:
    late = {part.name for part in PARTS if part.kind is Kind.NETWORK and _late(f"virt:{part.name}")}
    assert late == {"e1000", "e1000e", "igb"}
    assert not _late("virt")
    assert _late("virt:nvme+igb")


def _late(name: str) -> bool:
    return board(name).workarounds.late_answers is not None


def test_a_board_has_a_part_of_its_own_without_being_asked() -> None:
    def own(name: str) -> set[str]:
        return {part.name for part in PARTS if part.is_on(board(name))}

    assert own("pc-bios") == {"virtio-blk", "virtio-net", "q35"}
    assert own("virt") == {"virtio-blk", "virtio-net"}
    assert own("raspi-virt") == {"virtio-blk", "virtio-net", "i6300esb"}
    assert own("pc-bios:nvme+1cpu") == {"nvme", "virtio-net", "1cpu", "q35"}


def test_what_a_kernel_lacks_is_known_where_it_says_which_drivers_it_has() -> None:
    def lacks(name: str, *kinds: Kind, drivers: tuple[str, ...] = ("8139too", "igb", "nvme")) -> str:
        return variants.lacking(board(name), replace(PLAIN, kernel=Kernel("7.1", drivers=drivers)), *kinds)

    card, disk = (
        "the kernel has no driver 8139cp for rtl8139",
        "the kernel has no driver ahci and no sd_mod for ahci",
    )
    assert lacks("pc-bios:ahci+rtl8139") == f"{disk}; {card}"
    assert lacks("pc-bios:ahci+rtl8139", Kind.NETWORK) == card
    assert lacks("pc-bios:ahci+rtl8139", drivers=()) == ""
    assert lacks("pc-bios:nvme+igb") == lacks("pc-bios") == ""


@pytest.mark.parametrize(("cmdline", "waits"), [("ro", False), ("ro rootwait", True), ("rootdelay=10 ro", True)])
def test_a_disk_that_is_found_late_takes_a_kernel_that_waits(cmdline: str, waits: bool) -> None:
    said = variants.lacking(board("pc-bios:usb"), replace(PLAIN, cmdline=cmdline))
    assert (said == "") is waits
    assert waits or said.startswith("the kernel is told to wait for no disk")
    assert variants.lacking(board("pc-bios:nvme"), replace(PLAIN, cmdline=cmdline)) == ""


def test_the_table_is_whole() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert {part.kind for part in PARTS} == set(Kind)
    # A name stands between these, and in a list of boards.
    assert not [name for name in NAMES if set(name) & set(f"{variants.OF}{variants.AND}, ")]
    assert not set(NAMES) & set(names())
    for part in PARTS:
        assert part.title
        assert part.proves
        # An order by kind makes one name of each set of parts.
        assert [one.kind for one in PARTS if one.kind is part.kind]
    kinds = [part.kind for part in PARTS]
    assert kinds == sorted(kinds, key=list(Kind).index)


@pytest.mark.skipif(not PAGE.is_file(), reason="not a clone: there is no docs/")
def test_the_page_has_the_table_as_it_is_printed() -> None:
    assert parts.table() in PAGE.read_text(), (
        'print it with python -c "from harness.boards import parts; print(parts.table())"'
    )
