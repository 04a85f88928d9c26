"""Ways to break an image, and what a developer must read then."""

from __future__ import annotations

from harness.faults.disk import PARTITION_TABLE, without
from harness.image.model import Extent
from harness.tests.verdict import damage, programs, scenario
from harness.tests.verdict.way import Red, Way, refused

BOOTS = scenario.BOOTS.partition(":")[2]
SERVICES = "test_every_service_is_in_its_expected_state"
UPDATES = "test_update_flips_the_slot_and_back_and_keeps_the_data"
FITS = "test_kernel_and_modules_are_the_ones_built_and_fit_each_other"
OF_SERVICES = "test_boot and (power_on or expected_state)"


def boots(kind: str, first: str, to_do: str = r"\w") -> Red:
    """It does not come up."""
    return Red(BOOTS, kind, first, to_do)


def service(first: str, to_do: str = r"\w", kind: str = "ApplianceFault") -> Red:
    """It comes up, and one of its services does not do well."""
    return Red(SERVICES, kind, first, to_do)


def hello(source: str) -> damage.Damage:
    """Another program in the place of ``hello``."""
    return damage.with_program("/user/hello", source)


def init(source: str) -> damage.Damage:
    """Another program in the place of init; it names the services, as init does."""
    return damage.with_program("/gokrazy/init", source)


def half_gone(kernel: bytes) -> bytes:
    """The second half reads as zeroes, as after an update that was cut short."""
    return kernel[: len(kernel) // 2].ljust(len(kernel), b"\0")


IMAGES = (
    Way(
        "image: no partition table",
        refused("has no partition table"),
        damage=damage.zeroed(lambda _: PARTITION_TABLE),
    ),
    Way(
        "image: a wrong byte in the partition table",
        refused("partition table is damaged"),
        damage=damage.wrong_partition_table,
    ),
    Way(
        "image: boot partition zeroed",
        refused("boot file system"),
        damage=damage.zeroed(lambda image: image.layout.boot),
    ),
    Way("image: root file system lost", refused("root file system"), damage=damage.zeroed(damage.superblock)),
    Way("image: root file system cut off", refused("root file system"), damage=damage.zeroed(damage.most_of_root)),
    Way(
        "image: a bad block in a program",
        refused("/user/hello cannot be read"),
        damage=damage.with_a_bad_block_in("/user/hello"),
    ),
    Way("image: no init", refused("/gokrazy/init"), damage=damage.root(without("/gokrazy/init")), tier="ci"),
    Way(
        "image: init of another architecture",
        refused("init is for amd64, but its kernel is for arm64", "KernelPackage"),
        damage=damage.with_foreign_program("/gokrazy/init"),
    ),
    Way(
        "image: init may not be executed",
        boots("InitFailure", "may not run /gokrazy/init"),
        damage=damage.with_mode("/gokrazy/init", 0o644),
    ),
    Way("init ends", boots("InitFailure", "init exited with status 0"), damage=init(programs.ENDS)),
    Way("init panics", boots("InitFailure", "init.*assignment to entry in nil map"), damage=init(programs.PANICS)),
    Way(
        "init reboots",
        boots("RebootLoop", "a program had the kernel restart"),
        damage=init(programs.REBOOTS_AT_ONCE),
    ),
    Way(
        "init is silent",
        boots("ConsoleSilence", "init has not said a word of its own"),
        damage=init(programs.SLEEPS),
        faster=0.3,
    ),
    Way(
        "no kernel", refused("no file vmlinuz in the boot file system"), damage=damage.without_boot_file("vmlinuz")
    ),
    Way(
        "kernel of another architecture",
        refused("init is for arm64, but its kernel is for amd64", "KernelPackage"),
        damage=damage.boot_files(damage.foreign_kernel),
    ),
    Way(
        "half a kernel",
        boots("BootFailure", "kernel"),
        damage=damage.boot_file("vmlinuz", half_gone),
        faster=0.3,
    ),
    Way(
        "command line without root=",
        boots("FirmwareFailure", "cmdline.txt.* names no root"),
        damage=damage.command_line(b"root=", b"toor="),
    ),
    Way(
        "command line names another disk",
        boots("KernelPanic", "PARTUUID=deadbeef"),
        damage=damage.command_line(b"PARTUUID=60c24cc1", b"PARTUUID=deadbeef"),
        tier="ci",
    ),
    Way(
        "Raspberry Pi: command line names another disk, and waits for it",
        boots("BootFailure", "waits for the partition PARTUUID=deadbeef"),
        damage=damage.command_line(b"PARTUUID=60c24cc1", b"PARTUUID=deadbeef"),
        board="raspi-virt",
    ),
    Way(
        "Raspberry Pi: an empty command line",
        boots("FirmwareFailure", "cmdline.txt"),
        damage=damage.boot_file("cmdline.txt", lambda text: b" " * len(text)),
        board="raspi4b",
    ),
    Way(
        "command line names the empty slot",
        refused("boots from slot B, by its cmdline.txt"),
        damage=damage.command_line(b"PARTNROFF=1", b"PARTNROFF=2"),
    ),
    Way(
        "command line names another init",
        boots("InitFailure", "/gokrazy/inti is not in the root file system"),
        damage=damage.command_line(b"init=/gokrazy/init", b"init=/gokrazy/inti"),
    ),
    Way(
        "root file system packed with zstd",
        boots("KernelPanic", "squashfs|zstd"),
        damage=damage.packed_with("zstd"),
    ),
    Way(
        "modules of another release",
        Red(FITS, "ApplianceFault", r"/lib/modules has those of 6\.0\.0 only", "same version"),
        damage=damage.renamed("lib/modules/*", "6.0.0"),
        tests="test_boot and (power_on or modules)",
    ),
    Way(
        "no DHCP client",
        boots("BootFailure", "DHCP client"),
        damage=damage.root(without("/gokrazy/dhcp")),
    ),
    Way(
        "a service is not in the image",
        service("/user/hello.*no such file"),
        damage=damage.root(without("/user/hello")),
        tests=OF_SERVICES,
        tier="ci",
    ),
    Way(
        "a service of another architecture",
        service("/user/hello.*exec format error"),
        damage=damage.with_foreign_program("/user/hello"),
        tests=OF_SERVICES,
    ),
    Way(
        "a service may not be executed",
        service("/user/hello.*permission denied"),
        damage=damage.with_mode("/user/hello", 0o644),
        tests=OF_SERVICES,
    ),
    Way(
        "a service panics",
        service("/user/hello.*nil map"),
        damage=hello(programs.PANICS),
        tests=OF_SERVICES,
    ),
    Way(
        "a service that must run ends",
        service("/user/hello.*must run"),
        damage=hello(programs.ENDS),
        tests=OF_SERVICES,
        options=("--must-run=hello",),
    ),
    Way(
        "a service takes all memory",
        # What fails first depends on whom the kernel kills, and whether it does or the device merely crawls.
        service("memory", kind="ApplianceFault|BootFailure|DeviceUnreachable|WaitTimeout"),
        damage=hello(programs.EATS_MEMORY),
        tests=OF_SERVICES,
    ),
    Way(
        "a service wants the web interface's port",
        service("/user/hello.*listen tcp :80: bind: address already in use"),
        damage=hello(programs.TAKES_PORT_80),
        tests=OF_SERVICES,
    ),
    Way(
        "a service reboots the device",
        service("a program had the kernel restart", kind="DeviceUnreachable|WaitTimeout"),
        damage=hello(programs.REBOOTS_ONCE_IT_SERVES),
        tests=OF_SERVICES,
    ),
    Way(
        "another password than the image's",
        Red(BOOTS, "AuthenticationRefused", "password"),
        subject="{healthy}",
        options=("--password-file={other}",),
    ),
    Way(
        "less memory than any kernel boots with",
        refused("--memory: .64. is not a number of MiB", "from 128"),
        subject="{healthy}",
        options=("--memory=64",),
    ),
    Way(
        "an image for a PC",
        refused("virt.*amd64|amd64.*virt"),
        subject="{foreign}",
    ),
    Way(
        "an update to an image without a DHCP client",
        Red(UPDATES, "BootFailure", "DHCP"),
        damage=damage.root(without("/gokrazy/dhcp")),
        subject="{healthy}",
        tests="test_update_flips",
        options=("--next={damaged}",),
    ),
    Way(
        "an update to an init that ends",
        Red(UPDATES, "InitFailure", "init exited with status 0"),
        damage=init(programs.ENDS),
        subject="{healthy}",
        tests="test_update_flips",
        options=("--next={damaged}",),
    ),
    Way(
        "an update to another architecture",
        refused("amd64"),
        subject="{healthy}",
        tests="test_update_flips",
        options=("--next={foreign}",),
    ),
    Way(
        "PC: no code in the boot sector",
        boots("FirmwareFailure", "the boot sector has no code", "MBR"),
        damage=damage.zeroed(lambda _: Extent(0, 440)),
        board="pc-bios",
        faster=0.3,
    ),
    Way(
        "PC: the boot sector starts another place",
        boots("FirmwareFailure", "the boot sector loads its kernel from sector 65536, where none begins", "MBR"),
        damage=lambda disk: disk.write(432, b"\0\0\1\0"),
        board="pc-bios",
        faster=0.3,
    ),
    Way(
        "PC: half a kernel",
        boots("RebootLoop", "no kernel said a word: it is damaged"),
        damage=damage.boot_file("vmlinuz", half_gone),
        board="pc-bios",
        faster=0.3,
    ),
)
