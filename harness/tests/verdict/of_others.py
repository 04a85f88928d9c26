"""Ways to break an instance, or an appliance that runs or starts, and what a developer must read then."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from harness.tests.verdict import programs
from harness.tests.verdict.way import Red, Way, refused


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


def act(name: str, test: str, kind: str, first: str, *, tier: str = "nightly", **more: str) -> Way:
    """A test of acts.py."""
    return Way(name, Red(test.partition("[")[0], kind, first, **more), act=test, tier=tier)


def started(harm: str, kind: str, first: str, to_do: str = r"\w") -> Way:
    """A start from a disk that was damaged after the image was made."""
    test = "test_it_starts_from_a_damaged_disk"
    return Way(f"disk: {harm}", Red(test, kind, first, to_do), act=f"{test}[{harm}")


def on_tailnet(name: str, test: str, first: str) -> Way:
    """A test of acts.py whose appliance is not to be found on its tailnet."""
    red = Red(test, "WaitTimeout", first, "the log of the service tailscale")
    return Way(f"tailnet: {name}", red, act=test, board="pc-bios")


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
    act("panic under a command", "test_the_kernel_panics_under_a_command", "KernelPanic", "sysrq", tier="ci"),
    act("panic under a request of the test", "test_the_kernel_panics_under_a_request", "KernelPanic", "sysrq"),
    act("panic before an assertion", "test_the_kernel_panics_before_an_assertion", "KernelPanic", "sysrq"),
    act("panic during a wait", "test_the_kernel_panics_while_something_is_awaited", "KernelPanic", "sysrq"),
    act("panic after the last wait", "test_the_kernel_panics_after_the_last_wait", "KernelPanic", "sysrq"),
    act("init killed", "test_init_is_killed", "InitFailure", "init exited with status 2.*SIGABRT"),
    act(
        "restart without a word",
        "test_it_restarts_without_a_word",
        "WaitTimeout",
        "started again.*nothing had asked",
    ),
    act(
        "it falls once before it is up",
        "test_it_falls_once_before_it_is_up",
        "AssertionError",
        "was reset 1 times before it was up",
        to_do="",
    ),
    act("it switches itself off", "test_it_switches_itself_off", "WaitTimeout", "has switched itself off"),
    act(
        "a command never ends", "test_a_command_never_ends", "WaitTimeout", "waited 20 s for .echo x > /perm/never"
    ),
    act("memory runs out", "test_a_program_takes_all_memory", "CommandFailed", "memory ran out"),
    act(
        "a service falls",
        "test_a_service_is_killed_again_and_again",
        "ApplianceFault",
        "/user/hello does not stay",
    ),
    act(
        "a program stands still",
        "test_a_program_of_the_instance_stands_still",
        "DeviceUnreachable",
        "at its port 8080",
    ),
    act("/perm is full", "test_perm_is_full", "CommandFailed", "did not take /perm/more: .*no space left"),
    act("/perm lost", "test_perm_is_damaged[superblock", "ApplianceFault", "/perm is not mounted"),
    act("/perm damaged", "test_perm_is_damaged[inodes", "ApplianceFault", "/perm is not mounted"),
    act(
        "nobody may enter",
        "test_nobody_may_enter_by_breakglass",
        "AuthenticationRefused",
        "the key",
        to_do="authorized",
        tier="ci",
    ),
    act(
        "disk pulled out",
        "test_the_disk_is_pulled_out",
        "BootFailure",
        # Whichever file system misses it first.
        "the disk under the root file system does not read|/perm is damaged, or its disk is gone",
    ),
    act("disk stuck", "test_the_disk_does_not_answer", "WaitTimeout", "for the device to start", to_do="disk"),
    act("network cable out", "test_its_network_cable_is_out", "DeviceUnreachable", "no carrier", to_do="cable"),
    act("routes lost", "test_it_loses_its_routes", "DeviceUnreachable", "no route", to_do="dhcp"),
    act("processors stand still", "test_its_processors_stand_still", "DeviceUnreachable", "it is paused"),
    act("QEMU killed", "test_another_program_kills_qemu", "QemuCrashed", "SIGKILL", fault="HOST"),
    act(
        "another architecture flashed",
        "test_it_is_updated_for_another_architecture",
        "FirmwareFailure",
        "the kernel in the boot partition is for amd64, and virt is arm64",
        to_do="put the boot files of the image that ran before back",
    ),
    act(
        "a root for another architecture flashed",
        "test_it_gets_a_root_for_another_architecture",
        "InitFailure",
        "/gokrazy/init in slot B, which starts next, is for amd64, and virt is arm64",
        to_do="put the boot files of the image that ran before back",
    ),
    act("upload changed", "test_an_upload_changes_on_its_way", "UpdateMismatch", "upload|sent"),
    act("upload cut short", "test_an_upload_is_cut_short", r"\w+", "upload"),
    Way(
        "nobody draws on the screen",
        Red("test_nobody_draws_on_its_screen", "WaitTimeout", "the bars of the program screen", ""),
        act="test_nobody_draws_on_its_screen",
        board="pc-bios",
    ),
    act(
        "guest agent stopped",
        "test_its_agent_is_stopped",
        "WaitTimeout",
        "guest agent to answer.*no program of the device has opened",
        to_do="the log of its service",
    ),
    act(
        "guest agent cannot freeze",
        "test_its_agent_may_not_freeze",
        "CommandFailed",
        "guest agent refuses guest-fsfreeze-freeze",
        to_do="",
    ),
    act(
        "the second appliance panics after the last wait",
        "test_the_second_appliance_panics_after_the_last_wait",
        "KernelPanic",
        "sysrq",
    ),
    act(
        "the service that a second appliance asks is stopped",
        "test_the_service_that_another_appliance_asks_is_stopped",
        "CommandFailed",
        "wget",
        to_do="",
    ),
    on_tailnet(
        "another key",
        "test_its_key_is_not_that_of_the_tailnet",
        'no node called "casa" has joined',
    ),
    on_tailnet("tailscaled stopped", "test_its_tailscaled_is_stopped", "casa .* answers no ping"),
)
