"""The table: each way to break an appliance, and what a developer must read then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from harness.faults.disk import PARTITION_TABLE, without
from harness.image.model import Extent
from harness.image.squashfs import Node
from harness.tests.verdict import damage, programs
from harness.tests.verdict.way import Red, Way, refused

BOOTS = "test_the_appliance_boots_from_power_on_to_its_web_interface"
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


def other_modules(path: str, node: Node) -> Node | None:
    """Leave out all of the modules but the folder of their release."""
    return None if re.match(r"/lib/modules/[^/]+", path) else node


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
    Way("image: no init", refused("/gokrazy/init"), damage=damage.root(without("/gokrazy/init"))),
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
    Way("init ends", boots("InitFailure", "init ended"), damage=init(programs.ENDS)),
    Way("init panics", boots("InitFailure", "init.*assignment to entry in nil map"), damage=init(programs.PANICS)),
    Way("init reboots", boots("RebootLoop", "again"), damage=init(programs.REBOOTS_AT_ONCE)),
    Way("init is silent", boots("BootFailure", "init has not said"), damage=init(programs.SLEEPS), faster=0.3),
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
        "modules missing",
        Red(FITS, "AssertionError", "modules"),
        damage=damage.root(other_modules),
        tests="test_boot and (power_on or modules)",
    ),
    Way("no DHCP client", boots("BootFailure", "DHCP client"), damage=damage.root(without("/gokrazy/dhcp"))),
    Way(
        "a service is not in the image",
        service("/user/hello.*no such file"),
        damage=damage.root(without("/user/hello")),
        tests=OF_SERVICES,
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
        service("memory"),
        damage=hello(programs.EATS_MEMORY),
        tests=OF_SERVICES,
    ),
    Way(
        "a service takes the web interface's port",
        boots("AuthenticationRefused", "the web interface gets no port, a program has it"),
        damage=hello(programs.TAKES_PORT_80),
    ),
    Way(
        "a service reboots the device",
        service("again", kind="RebootLoop"),
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
        "too little memory",
        boots("BootFailure", "memory|kernel"),
        subject="{healthy}",
        options=("--memory=64",),
        faster=0.3,
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
        Red(UPDATES, "InitFailure", "init ended"),
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


def change(file: str, edit: Callable[[str], str]) -> Callable[[Path], None]:
    """Another content for a file of an instance."""

    def broken(folder: Path) -> None:
        path = folder / file
        path.write_text(edit(path.read_text()))

    return broken


def configured(**fields: object) -> Callable[[Path], None]:
    """Other fields in config.json."""
    return change("config.json", lambda text: json.dumps({**json.loads(text), **fields}, indent=4))


def with_own_program(source: str) -> Callable[[Path], None]:
    """A program of the instance's own beside its config.json."""

    def broken(folder: Path) -> None:
        module = folder / "mine"
        module.mkdir()
        (module / "go.mod").write_text("module example.org/mine\n\ngo 1.22\n")
        (module / "main.go").write_text(source)
        configured(Packages=["example.org/mine"])(folder)
        with (folder / "builddir/go.mod").open("a") as file:
            file.write("\nrequire example.org/mine v0.0.0\n\nreplace example.org/mine => ../mine\n")

    return broken


INSTANCES = (
    Way(
        "instance: config.json is no JSON",
        refused("config.json"),
        instance=change("config.json", lambda text: text.replace(",", "", 1)),
    ),
    Way(
        "instance: a program does not compile",
        refused("example.org/mine"),
        instance=with_own_program(programs.DOES_NOT_COMPILE),
    ),
    Way(
        "instance: a package that does not exist",
        refused("github.com/gokrazy/breakglas"),
        instance=configured(Packages=["github.com/gokrazy/breakglas/nowhere"]),
    ),
    Way(
        "instance: the kernel of another architecture",
        refused("kernel.amd64"),
        instance=configured(KernelPackage="github.com/gokrazy/kernel.amd64"),
    ),
)


def act(name: str, test: str, kind: str, first: str, **more: str) -> Way:
    """A test of acts.py."""
    return Way(name, Red(test.partition("[")[0], kind, first, **more), act=test)


def started(harm: str, kind: str, first: str, to_do: str = r"\w") -> Way:
    """A start from a disk that was damaged after the image was made."""
    test = "test_it_starts_from_a_damaged_disk"
    return Way(f"disk: {harm}", Red(test, kind, first, to_do), act=f"{test}[{harm}")


ACTS = (
    started("boot-partition-lost", "FirmwareFailure", "the boot partition is damaged"),
    started("command-line-empty", "FirmwareFailure", "cmdline.txt in the boot partition is empty"),
    started("kernel-zeroed", "FirmwareFailure", "vmlinuz in the boot partition is empty"),
    started("partition-table-lost", "KernelPanic", "no partition of the disk is PARTUUID"),
    started("root-lost", "KernelPanic", "cannot mount the root file system"),
    started("root-cut-off", "KernelPanic", "cannot mount the root file system.*damaged"),
    started("init-lost", "InitFailure", "/gokrazy/init is not in the root file system"),
    started("bad-block-in-init", "BootFailure", "the root file system is damaged"),
    started("bad-block-in-a-service", "BootFailure", "the root file system is damaged"),
    started("another-password", "AuthenticationRefused", "password"),
    started("another-port", "DeviceUnreachable", r"10\.0\.2\.15:81"),
    started("dhcp-client-lost", "BootFailure", "DHCP client"),
    act("panic under a command", "test_the_kernel_panics_under_a_command", "KernelPanic", "sysrq"),
    act("panic under a request of the test", "test_the_kernel_panics_under_a_request", "KernelPanic", "sysrq"),
    act("panic before an assertion", "test_the_kernel_panics_before_an_assertion", "KernelPanic", "sysrq"),
    act("panic during a wait", "test_the_kernel_panics_while_something_is_awaited", "KernelPanic", "sysrq"),
    act("panic after the last wait", "test_the_kernel_panics_after_the_last_wait", "KernelPanic", "sysrq"),
    act("init killed", "test_init_is_killed", "InitFailure", "init ended"),
    act("restart without a word", "test_it_restarts_without_a_word", r"\w+", "started again"),
    act("it switches itself off", "test_it_switches_itself_off", r"\w+", "off"),
    act("a task hangs", "test_a_task_hangs_in_the_kernel", "WaitTimeout", "blocked for more than"),
    act("a processor is kept", "test_a_processor_is_kept_by_a_program", r"\w+", "processor"),
    act("memory runs out", "test_a_program_takes_all_memory", "CommandFailed", "memory ran out"),
    act(
        "a service falls",
        "test_a_service_is_killed_again_and_again",
        "ApplianceFault",
        "/user/hello does not stay",
    ),
    act("a program stands still", "test_a_program_of_the_instance_stands_still", "ReadTimeout", "8080"),
    act("/perm is full", "test_perm_is_full", "CommandFailed", "No space left|full"),
    act("/perm lost", "test_perm_is_damaged[superblock", r"\w+", "/perm"),
    act("/perm damaged", "test_perm_is_damaged[inodes", r"\w+", "/perm"),
    act("nobody may enter", "test_nobody_may_enter_by_breakglass", r"\w+", "key"),
    act("disk pulled out", "test_the_disk_is_pulled_out", r"\w+", "disk"),
    act("disk stuck", "test_the_disk_does_not_answer", r"\w+", "disk"),
    act("network cable out", "test_its_network_cable_is_out", "DeviceUnreachable", "link|cable"),
    act("routes lost", "test_it_loses_its_routes", "DeviceUnreachable", "answer"),
    act("processors stand still", "test_its_processors_stand_still", "DeviceUnreachable", "paused|still"),
    act("QEMU killed", "test_another_program_kills_qemu", "QemuCrashed", "SIGKILL", fault="HOST"),
    act("upload changed", "test_an_upload_changes_on_its_way", "UpdateMismatch", "upload|sent"),
    act("upload cut short", "test_an_upload_is_cut_short", r"\w+", "upload"),
)

WAYS = (*IMAGES, *INSTANCES, *ACTS)
