"""What is checked, and what must come out: each row is an instance of images/others/ or an image made of one.

A failure that is not named here as the appliance's own is one of the harness.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

RASPBERRY = ("raspi-virt", "raspi3b", "raspi4b")
PC = ("pc-bios", "pc-uefi")
ARM = ("virt", "virt-uefi")


@dataclass(frozen=True)
class Expected:
    """What the run of one cell must say."""

    own: Mapping[str, str] = field(default_factory=dict)
    """Test -> pattern in its message: failures of the appliance itself, all of which must come."""
    may: str = ""
    """Pattern in the message of what else may fail or have an error: the appliance's own too; "" for nothing."""
    passes: tuple[str, ...] | None = None
    """The tests that alone can pass, by how their names begin; None where any may, and some test must."""
    reasons: tuple[str, ...] = ()
    """Patterns, each of which must be in the reason of a test that is not applicable."""
    says: tuple[str, ...] = ()
    """Patterns, each of which must be in what the run prints."""


@dataclass(frozen=True)
class Cell:
    """An instance on a board."""

    instance: str
    board: str
    expected: Expected = Expected()
    options: tuple[str, ...] = ()
    """Of ``gokharness check``."""
    only: str = ""
    """Which tests, for pytest's ``-k``; "" for all."""

    @property
    def name(self) -> str:
        """For the table and for ``-k``."""
        return "-".join([self.instance, self.board, *(word.strip("-") for word in self.options)])


NO_CONSOLE = Expected(reasons=("console",), says=("is tested without its console",))
LACKS = "needs hardware that its board lacks"
NO_PASSWORD = Expected(reasons=("NoPassword|Unix socket",))

_NOT_ASKED = "nothing ask(ed|s) for one: .*DHCP client"
UNREACHABLE = Expected(
    own={"test_the_appliance_boots_from_power_on": _NOT_ASKED},
    may=_NOT_ASKED,
    # It is about a card that nothing starts from.
    passes=("test_a_card_without_a_command_line",),
    says=("a program for amd64 in an image for arm64", "knows no field 'TLSCertificateStorage'"),
)

NO_DISKS = Expected(own={"test_every_device_of_mountdevices": "/dev/vdb to be mounted on /mnt/data"})
"""With its disks: ``test_mount_devices.py``."""

SHAPES: tuple[tuple[str, tuple[str, ...], Expected], ...] = (
    ("new-pi", RASPBERRY, NO_CONSOLE),
    ("new-amd64", PC, replace(NO_CONSOLE, says=("ended by itself  /user/hello",))),
    (
        "new-arm64",
        ARM,
        replace(NO_CONSOLE, says=("ended by itself  /user/hello", f"{LACKS}  /user/fbstatus: display")),
    ),
    ("guide-minimal", RASPBERRY, Expected()),
    ("guide-vm", PC, Expected(reasons=("breakglass",))),
    ("guide-vm-arm64", ARM, Expected(reasons=("breakglass", "console"))),
    ("no-password", PC, NO_PASSWORD),
    ("no-password-udp", PC, NO_PASSWORD),
    ("dhcp-not-started", RASPBERRY, UNREACHABLE),
    ("tls", ARM, Expected()),
    ("own-ports", ARM, Expected()),
    ("own-ports-tls", PC, Expected()),
    ("mkfs-arm64", ARM, Expected()),
    ("mkfs-amd64", PC, Expected()),
    ("mount-devices", ("virt",), NO_DISKS),
    ("wifi", ARM, Expected(says=(f"{LACKS}  /user/wifi: Wi-Fi",))),
    ("kernel-folder", ARM, Expected()),
    ("vendor", ARM, Expected()),
    ("other-serial-port", ARM, Expected(reasons=("console",))),
    ("pi-other-serial-port", RASPBERRY, Expected()),
    ("leaves-with-0", ARM, Expected(says=("ended by itself  /user/ends",))),
)
"""Instance, the boards that can start it, what must come out."""

_KILLED = "memory (ran out and the kernel killed|runs out: )"
HUNGRY = Expected(own={"test_every_service_is_in_its_expected_state": _KILLED}, may=_KILLED)
"""A device with 512 MB kills ``hungry`` for want of memory: again and again, as gokrazy starts it anew."""

CELLS = (
    *(Cell(instance, board, expected) for instance, boards, expected in SHAPES for board in boards),
    *(Cell("needs-more-memory", board, HUNGRY) for board in ARM),
    *(Cell("needs-more-memory", board, options=("--memory=1024",)) for board in ARM),
)

_QUICK = (
    "(test_boot and (password or expected_state or root_file_system)) or (test_files and nothing_else) "
    "or (test_web and front_page)"
)
EVERY_CHANGE = tuple(
    # What they leave out may be none of the tests that are not applicable.
    replace(cell, only=_QUICK, expected=replace(cell.expected, reasons=()))
    for cell in CELLS
    if (cell.instance, cell.board)
    in {("new-arm64", "virt"), ("tls", "virt"), ("mkfs-arm64", "virt"), ("guide-vm", "pc-bios")}
)
"""The cheap ones, with the tests that need one boot: what runs for each change."""


@dataclass(frozen=True)
class Finished:
    """An image made of an instance, with /perm blank, that is checked with nothing but the installed wheel."""

    instance: str
    board: str
    format: str
    """img, gaf or qcow2, perhaps packed: img.gz, img.xz, img.zst."""
    key: bool = False
    """Whether the private half of the key in the image is given."""

    @property
    def name(self) -> str:
        """For the table and for ``-k``."""
        return f"{self.instance}-{self.board}-{self.format}{'-key' if self.key else ''}"


FINISHED = (
    Finished("new-pi", "raspi-virt", "img.gz", key=True),
    Finished("new-pi", "raspi3b", "img.xz"),
    Finished("new-pi", "raspi4b", "gaf"),
    Finished("new-amd64", "pc-bios", "img"),
    Finished("new-amd64", "pc-uefi", "qcow2", key=True),
    Finished("new-arm64", "virt", "img.zst", key=True),
    Finished("new-arm64", "virt-uefi", "gaf"),
    Finished("guide-minimal", "raspi-virt", "qcow2"),
    Finished("guide-vm", "pc-bios", "gaf"),
    Finished("guide-vm-arm64", "virt", "img"),
    Finished("no-password", "pc-bios", "img.gz"),
    Finished("no-password-udp", "pc-uefi", "img.zst"),
    Finished("dhcp-not-started", "raspi-virt", "img.xz"),
    Finished("tls", "virt", "img.gz", key=True),
    Finished("tls", "virt-uefi", "img"),
    Finished("own-ports", "virt", "qcow2", key=True),
    Finished("own-ports-tls", "pc-bios", "img.xz"),
    Finished("mkfs-arm64", "virt", "img.gz"),
    Finished("mkfs-amd64", "pc-bios", "img", key=True),
    Finished("mount-devices", "virt", "img.gz", key=True),
    Finished("wifi", "virt", "img.zst"),
    Finished("kernel-folder", "virt", "qcow2.gz"),
    Finished("vendor", "virt", "gaf", key=True),
    Finished("other-serial-port", "virt", "img.xz"),
    Finished("pi-other-serial-port", "raspi3b", "img"),
    Finished("leaves-with-0", "virt", "qcow2.xz"),
    Finished("needs-more-memory", "virt", "img.gz"),
)
"""Each instance and each format at least once; those with a key in them with it and without."""


def expected_of(instance: str) -> Expected:
    """What an image made of this instance must come to; what it says about its configuration, it does not know."""
    if instance == "needs-more-memory":
        return HUNGRY
    return next(expected for name, _, expected in SHAPES if name == instance)


if __name__ == "__main__":  # ci/setup asks whose modules are to be fetched
    print(*sorted({cell.instance for cell in EVERY_CHANGE}))
