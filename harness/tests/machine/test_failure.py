from __future__ import annotations

import pytest

from harness.errors import (
    Fault,
    HostDiskFull,
    HostFault,
    HostMemoryShort,
    ImageLocked,
    OptionError,
    PortTaken,
    QemuCrashed,
    QemuFailed,
)
from harness.lifetime.process import Exit
from harness.machine.failure import classify, death, disk_failure, launch_failure


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory", HostMemoryShort),
        ("qemu-img: error while writing at byte 0: No space left on device", HostDiskFull),
        ('qemu: -blockdev {}: Failed to get "write" lock\nIs another process using the image [x]?', ImageLocked),
        ("qemu: -netdev user: Could not set up host forwarding rule 'tcp:127.0.0.1:80-:80'", PortTaken),
        (
            "qemu-system-x86_64: system/physmem.c:2678: iotlb_to_section: "
            "Assertion `section_index < d->map.sections_nb' failed.",
            QemuCrashed,
        ),
        (
            "qemu-system-x86_64: hw/pci/msix.c:228: msix_table_mmio_write: "
            "Assertion `addr + size <= dev->msix_entries_nr * PCI_MSIX_ENTRY_SIZE' failed.",
            QemuCrashed,
        ),
        ("qemu: symbol lookup error", QemuFailed),
    ],
)
def test_what_qemu_says_decides_the_error(said: str, kind: type[HostFault]) -> None:
    assert classify(said)[0] is kind
    error = launch_failure("virt", ["qemu", "-append", "a b"], Exit(1, None, said))
    assert type(error) is kind
    assert error.fault is Fault.HOST
    assert "exit status 1" in error.what
    assert said in error.evidence
    assert "'a b'" in error.evidence
    assert type(death("virt", Exit(1, None, said))) is kind


def test_a_qemu_that_refuses_the_users_own_arguments_is_the_users_error_in_qemus_words() -> None:
    said = "qemu-system-aarch64: -bogus: invalid option"
    error = launch_failure("virt", ["qemu", "-bogus"], Exit(1, None, said), own=["-bogus", "a b"])
    assert type(error) is OptionError
    assert error.what == "QEMU does not start with -bogus 'a b' (--gk-qemu-arg)"
    assert error.evidence == said


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (Exit(1, None, "qemu: cannot set up guest memory 'pc.ram': Cannot allocate memory"), HostMemoryShort),
        (Exit(None, 6, "Assertion failed"), QemuCrashed),
    ],
)
def test_what_the_host_is_to_blame_for_stays_so_with_arguments_of_the_users_own(
    end: Exit, kind: type[HostFault]
) -> None:
    assert type(launch_failure("virt", ["qemu"], end, own=["-d", "int"])) is kind


def test_a_crash_names_its_signal() -> None:
    error = death("virt", Exit(None, 11, "assertion failed"))
    assert "SIGSEGV" in error.what
    assert "assertion failed" in error.evidence


def test_a_silent_crash_says_that_it_was_silent() -> None:
    assert "(no output)" in death("virt", Exit(None, 6, "")).evidence
    for how in (Exit(None, 9, ""), Exit(1, None, "")):
        assert "run the test again" in death("virt", how).hint


def test_a_full_disk_is_told_from_a_broken_one() -> None:
    full = disk_failure("/tmp/disk", {"nospace": True, "reason": "No space left on device"})
    assert type(full) is HostDiskFull
    broken = disk_failure("/tmp/disk", {"nospace": False, "reason": "Input/output error"})
    assert type(broken) is QemuFailed
    assert broken.evidence == "Input/output error"
    assert full.where == broken.where == "/tmp/disk"
