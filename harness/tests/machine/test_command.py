from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from harness.boards import NAMES, board
from harness.errors import InternalError
from harness.firmware.stage import Loaded
from harness.machine.command import Spec, command


def spec(name: str, **changes: object) -> Spec:
    made = Spec(
        board=board(name),
        qemu="/usr/bin/qemu",
        sandbox=True,
        disk=Path("/r/disk.qcow2"),
        accelerator="tcg",
        forwards={80: 0, 22: 40022},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def after(arguments: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(arguments) if name == option]


@pytest.mark.parametrize("name", NAMES)
def test_every_machine_is_bare_paused_and_boxed_in(name: str) -> None:
    arguments = command(spec(name))
    assert arguments[0] == "/usr/bin/qemu"
    for option in ("-nodefaults", "-no-user-config", "-S"):
        assert option in arguments
    assert after(arguments, "-display") == ["none"]
    assert "spawn=deny" in after(arguments, "-sandbox")[0]
    assert after(arguments, "-accel") == ["tcg,thread=multi"]
    machine = after(arguments, "-machine")[0]
    assert any(character.isdigit() for character in machine), "a machine type without a version changes with QEMU"


def test_a_qemu_without_seccomp_gets_no_sandbox() -> None:
    assert "-sandbox" not in command(spec("virt", sandbox=False))


def test_formats_are_named_and_nothing_is_probed() -> None:
    nodes = [json.loads(node) for node in after(command(spec("pc-bios")), "-blockdev")]
    assert [node["driver"] for node in nodes] == ["file", "qcow2"]
    assert "-drive" not in command(spec("pc-bios"))


def test_a_comma_in_the_path_of_the_disk_survives() -> None:
    nodes = after(command(spec("pc-bios", disk=Path("/r/a,b.qcow2"))), "-blockdev")
    assert json.loads(nodes[0])["filename"] == "/r/a,b.qcow2"


def test_the_network_is_restricted_unless_it_is_opened() -> None:
    closed = after(command(spec("pc-bios")), "-netdev")[0]
    assert "restrict=on" in closed
    assert "hostfwd=tcp:127.0.0.1:0-:80" in closed
    assert "hostfwd=tcp:127.0.0.1:40022-:22" in closed
    assert "restrict" not in after(command(spec("pc-bios", network="open")), "-netdev")[0]


def test_the_network_card_has_no_option_rom() -> None:
    card = next(device for device in after(command(spec("pc-bios")), "-device") if "net0" in device)
    assert card.endswith(",romfile=")


def test_only_boards_that_the_harness_boots_leave_at_a_reset() -> None:
    leaving = {name for name in NAMES if "-no-reboot" in command(spec(name))}
    assert leaving == {"virt"}


def test_kernel_and_command_line_are_one_argument_each() -> None:
    loaded = Loaded(kernel=Path("/r/vmlinuz"), append="console=ttyAMA0 root=PARTUUID=1-2/PARTNROFF=1 ro")
    arguments = command(spec("virt", loaded=loaded))
    assert after(arguments, "-kernel") == ["/r/vmlinuz"]
    assert after(arguments, "-append") == ["console=ttyAMA0 root=PARTUUID=1-2/PARTNROFF=1 ro"]
    assert "-dtb" not in arguments


def test_a_kernel_without_a_command_line_is_our_mistake() -> None:
    with pytest.raises(InternalError):
        command(spec("virt", loaded=Loaded(kernel=Path("/r/vmlinuz"))))


def test_flash_chips_are_named_code_is_read_only() -> None:
    loaded = Loaded(code=Path("/usr/share/code.fd"), vars=Path("/r/vars.fd"))
    arguments = command(spec("pc-uefi", loaded=loaded))
    assert after(arguments, "-machine")[0].endswith(",pflash0=firmware-code,pflash1=firmware-vars")
    flash = [json.loads(node) for node in after(arguments, "-blockdev")][2:]
    assert [(node["node-name"], node["read-only"]) for node in flash] == [
        ("firmware-code", True),
        ("firmware-vars", False),
    ]


def test_kvm_takes_the_processor_of_the_host() -> None:
    arguments = command(spec("virt", accelerator="kvm"))
    assert after(arguments, "-accel") == ["kvm"]
    assert after(arguments, "-cpu") == ["host"]


def test_memory_and_processors_can_be_set() -> None:
    arguments = command(spec("virt", memory=192, cpus=1))
    assert after(arguments, "-m") == ["192"]
    assert after(arguments, "-smp") == ["1"]


def test_a_machine_without_console_reader_does_not_fill_a_socket() -> None:
    assert "null,id=console" in command(spec("virt", console=False))


def test_an_incoming_machine_waits_for_its_state() -> None:
    assert after(command(spec("virt", incoming=True)), "-incoming") == ["defer"]
