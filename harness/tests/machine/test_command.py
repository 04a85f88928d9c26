from __future__ import annotations

import ast
import itertools
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board, names
from harness.errors import InternalError
from harness.firmware.stage import Loaded
from harness.machine.accelerator import Accelerator
from harness.machine.command import nic, qemu_command
from harness.machine.equipment import Door, Equipment
from harness.machine.execution_log import ExecutionLog, Mode
from harness.machine.launch import Launch, Ram
from harness.machine.ports import Port
from harness.machine.spec import Spec
from harness.tests.boards.no_snapshots import no_snapshots
from harness.tests.boards.own import OWN
from harness.tests.machine.specs import NO_QEMU, part, spec_of

KVM = Accelerator("kvm", "asked for")
MODES: tuple[Mode, Mode] = ("record", "replay")
HARNESS = Path(__file__).parents[2]


def arguments_of(name: str, **changes: Any) -> list[str]:
    """The command line of a machine of this board; ``changes`` are fields of its three records."""
    given = {"board": board(name), "qemu": NO_QEMU, **part(changes, Spec)}
    equipment = replace(Equipment(forwards=(Port(80), Port(22))), **part(changes, Equipment))
    launch = Launch(disks=(Path("/r/disk.qcow2"),), prefer={Port(22): 40022})
    return qemu_command(
        spec_of(given["board"], **{**given, "equipment": equipment}), replace(launch, **part(changes, Launch))
    )


def after(arguments: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(arguments) if name == option]


@pytest.mark.parametrize("name", names())
def test_every_machine_is_bare_paused_and_boxed_in(name: str) -> None:
    arguments = arguments_of(name)
    assert arguments[0] == "/usr/bin/qemu"
    for option in ("-nodefaults", "-no-user-config", "-S"):
        assert option in arguments
    assert after(arguments, "-display") == ["none"]
    assert "spawn=deny" in after(arguments, "-sandbox")[0]
    assert after(arguments, "-accel") == ["tcg,thread=multi"]
    machine = after(arguments, "-machine")[0]
    assert any(character.isdigit() for character in machine), "a machine type without a version changes with QEMU"


def test_a_door_lets_the_guest_through_where_it_reaches_nothing_else() -> None:
    arguments = arguments_of("virt", doors=(Door("10.0.2.100:9911", ("/a, b/tailnet", "forward", "127.0.0.1:7")),))
    network = after(arguments, "-netdev")[0]
    assert "restrict=on" in network
    assert "guestfwd=tcp:10.0.2.100:9911-cmd:'/a,, b/tailnet' forward 127.0.0.1:7" in network
    # A machine with doors has QEMU start programs, and no other machine has.
    assert "spawn=deny" not in after(arguments, "-sandbox")[0]


def test_a_door_with_nobody_behind_it_is_shut() -> None:
    assert "guestfwd" not in str(arguments_of("virt", doors=(Door("10.0.2.100:9911", ()),)))


@pytest.mark.parametrize("threads", ["multi", "single"])
def test_tcg_has_the_threads_that_were_asked_for_and_kvm_its_own(threads: str) -> None:
    assert after(arguments_of("pc-bios", threads=threads), "-accel") == [f"tcg,thread={threads}"]
    assert after(arguments_of("pc-bios", threads=threads, accelerator=KVM), "-accel") == ["kvm"]


def test_a_qemu_without_seccomp_gets_no_sandbox() -> None:
    assert "-sandbox" not in arguments_of("virt", qemu=replace(NO_QEMU, sandbox=False))


def test_formats_are_named_and_nothing_is_probed() -> None:
    nodes = [json.loads(node) for node in after(arguments_of("pc-bios"), "-blockdev")]
    assert [node["driver"] for node in nodes] == ["file", "qcow2"]
    assert "-drive" not in arguments_of("pc-bios")
    assert "virtio-rng-pci" in after(arguments_of("pc-bios"), "-device")


@pytest.mark.parametrize("name", ["raspi3b", "raspi4b"])
def test_a_raspberry_pi_has_a_card_a_usb_network_and_no_virtio(name: str) -> None:
    arguments = arguments_of(name, disks=(Path("/r/a,b.qcow2"),))
    (card,) = after(arguments, "-drive")
    assert card.startswith("if=sd,")
    assert "driver=qcow2" in card.split(",")
    assert "file.driver=file" in card.split(",")
    assert "file.filename=/r/a,,b.qcow2" in card
    assert "file.cache.no-flush=on" in card.split(",")
    assert after(arguments, "-device") == ["usb-net,port=1,netdev=net0,id=nic0,mac=40:54:00:67:6f:6b"]
    # A locally administered address would make it usb0, on which gokrazy's DHCP client asks nobody.
    assert not bytes.fromhex(nic(board(name))["mac"][:2])[0] & 2
    assert not any("virtio" in argument for argument in arguments)


def test_what_is_recorded_and_what_is_replayed_have_the_same_devices_and_another_mode() -> None:
    logs = {mode: ExecutionLog(Path("/r/a,b"), mode) for mode in MODES}
    record, replay = (arguments_of("virt", log=logs[mode], forwards=(Port(80),), datagrams=6) for mode in MODES)
    assert after(record, "-icount") == ["shift=auto,rr=record,rrfile=/r/a,,b"]
    assert after(replay, "-icount") == ["shift=auto,rr=replay,rrfile=/r/a,,b"]
    assert [one for one in record if "rrfile" not in one] == [one for one in replay if "rrfile" not in one]
    direct, logged = after(record, "-drive")
    assert "node-name=disk" in direct.split(",")
    assert "file.filename=/r/disk.qcow2" in direct.split(",")
    assert "driver=blkreplay,image=disk" in logged
    assert [one for one in after(record, "-device") if "drive=logged," in one]
    # Whatever comes from outside passes it last, also what the harness itself puts in.
    assert after(record, "-object")[-1] == "filter-replay,id=logged,netdev=net0"


def test_a_machine_that_is_recorded_leaves_at_a_reset_on_every_board() -> None:
    log = ExecutionLog(Path("/r/log"), "record")
    assert all("-no-reboot" in arguments_of(name, log=log) for name in OWN if not board(name).unrecorded)


def test_a_clock_that_begins_at_a_date_goes_by_the_machine_s_own_time_in_a_recording() -> None:
    log = ExecutionLog(Path("/r/log"), "record")
    assert after(arguments_of("raspi-virt", log=log), "-rtc") == ["base=1970-01-01,clock=vm"]
    assert after(arguments_of("virt", log=log), "-rtc") == ["base=utc"]


def test_what_is_not_recorded_counts_no_instructions() -> None:
    text = " ".join(arguments_of("virt"))
    assert not any(word in text for word in ("icount", "replay", "logged"))


def test_answers_can_be_made_to_come_late_only_where_the_board_says_why() -> None:
    late = {name for name in OWN if "filter-buffer" in " ".join(after(arguments_of(name), "-object"))}
    assert late == {name for name in OWN if board(name).workarounds.late_answers} == {"raspi3b", "raspi4b"}
    assert after(arguments_of("raspi4b"), "-object")[-1].endswith("queue=tx,interval=3000000,status=off")


def test_a_board_without_a_clock_begins_in_1970() -> None:
    assert after(arguments_of("raspi-virt"), "-rtc") == ["base=1970-01-01"]
    assert after(arguments_of("virt"), "-rtc") == ["base=utc"]


def test_a_comma_in_the_path_of_the_disk_survives() -> None:
    nodes = after(arguments_of("pc-bios", disks=(Path("/r/a,b.qcow2"),)), "-blockdev")
    assert json.loads(nodes[0])["filename"] == "/r/a,b.qcow2"


def test_the_network_is_restricted_unless_it_is_opened() -> None:
    closed = after(arguments_of("pc-bios"), "-netdev")[0]
    assert "restrict=on" in closed
    assert "hostfwd=tcp:127.0.0.1:0-:80" in closed
    assert "hostfwd=tcp:127.0.0.1:40022-:22" in closed
    assert "restrict" not in after(arguments_of("pc-bios", network="open"), "-netdev")[0]


def test_qemu_forwards_udp_only_to_a_guest_that_may_reach_what_it_likes() -> None:
    forwards = (Port(80), Port(53, "udp"))
    opened = after(arguments_of("virt", forwards=forwards, network="open"), "-netdev")[0]
    assert "hostfwd=udp:127.0.0.1:0-:53" in opened
    assert "udp" not in after(arguments_of("virt", forwards=forwards), "-netdev")[0]


def test_the_harness_forwards_udp_over_what_qemu_inherits() -> None:
    arguments = arguments_of("virt", forwards=(Port(53, "udp"),), datagrams=6)
    assert [one for one in after(arguments, "-chardev") if "datagrams" in one] == [
        "socket,id=datagrams0,fd=6",
        "socket,id=datagrams1,fd=7",
    ]
    filters = [one for one in after(arguments, "-object") if one.startswith("filter")]
    assert [one.split(",")[:2] for one in filters] == [
        ["filter-mirror", "queue=rx"],
        ["filter-redirector", "queue=tx"],
    ]
    assert "datagrams" not in " ".join(arguments_of("virt"))


def test_further_disks_come_last_and_nothing_has_another_place_for_them() -> None:
    disks = (Path("/r/a,b.qcow2"), Path("/r/disk3.qcow2"))
    without, arguments = arguments_of("pc-bios"), arguments_of("pc-bios", disks=(Path("/r/disk.qcow2"), *disks))
    assert after(arguments, "-device") == [
        *after(without, "-device"),
        "virtio-blk-pci,drive=disk2,id=disk2",
        "virtio-blk-pci,drive=disk3,id=disk3",
    ]
    files = [json.loads(node)["filename"] for node in after(arguments, "-blockdev") if "filename" in node]
    assert files == ["/r/disk.qcow2", *map(str, disks)]


def test_the_users_own_arguments_are_the_last_and_as_they_are() -> None:
    assert arguments_of("virt", qemu_args=("-d", "int, cpu"))[-2:] == ["-d", "int, cpu"]


def test_the_network_card_has_no_option_rom() -> None:
    card = next(device for device in after(arguments_of("pc-bios"), "-device") if "net0" in device)
    assert card.endswith(",romfile=")


@pytest.mark.parametrize("card", ["e1000", "e1000e", "igb", "rtl8139", "vmxnet3"])
def test_no_card_of_any_make_has_an_option_rom(card: str) -> None:
    (device,) = (one for one in after(arguments_of(f"pc-bios:{card}"), "-device") if "net0" in one)
    assert device == f"{card},netdev=net0,id=nic0,mac=52:54:00:67:6f:6b,romfile="


def test_what_disk_and_card_are_plugged_into_comes_before_them_and_once() -> None:
    devices = after(arguments_of("pc-bios:usb+usb-net"), "-device")
    assert devices[:3] == [
        "qemu-xhci,id=xhci",
        "usb-storage,bus=xhci.0,drive=disk,id=disk0,bootindex=0",
        "usb-net,bus=xhci.0,netdev=net0,id=nic0,mac=40:54:00:67:6f:6b",
    ]
    assert sum(one.startswith("qemu-xhci") for one in devices) == 1


def test_a_card_has_no_place_in_the_order_of_the_firmware() -> None:
    assert "sd-card,drive=disk,id=disk0" in after(arguments_of("pc-bios:sdhci"), "-device")


def test_further_disks_stay_what_they_are_whatever_the_first_one_is() -> None:
    disks = (Path("/r/disk.qcow2"), Path("/r/disk2.qcow2"))
    assert after(arguments_of("pc-bios:nvme", disks=disks), "-device")[-1] == "virtio-blk-pci,drive=disk2,id=disk2"
    micro = after(arguments_of("pc-bios:microvm", disks=disks), "-device")
    assert micro == [
        "virtio-blk-device,drive=disk,id=disk0,bootindex=0",
        "virtio-net-device,netdev=net0,id=nic0,mac=52:54:00:67:6f:6b",
        "virtio-rng-device",
        "virtio-blk-device,drive=disk2,id=disk2",
    ]


def test_parts_change_memory_processors_and_machine() -> None:
    arguments = arguments_of("pc-bios:5gib+8cpus+pc")
    assert after(arguments, "-m") == ["5120"]
    assert after(arguments, "-smp") == ["8"]
    assert after(arguments, "-machine")[0].startswith("pc-i440fx-9.0,graphics=off,")


def test_only_boards_that_the_harness_boots_leave_at_a_reset() -> None:
    leaving = {name for name in OWN if "-no-reboot" in arguments_of(name)}
    assert leaving == {"virt", "raspi-virt", "raspi3b", "raspi4b"}


def test_kernel_and_command_line_are_one_argument_each() -> None:
    loaded = Loaded(kernel=Path("/r/vmlinuz"), append="console=ttyAMA0 root=PARTUUID=1-2/PARTNROFF=1 ro")
    arguments = arguments_of("virt", loaded=loaded)
    assert after(arguments, "-kernel") == ["/r/vmlinuz"]
    assert after(arguments, "-append") == ["console=ttyAMA0 root=PARTUUID=1-2/PARTNROFF=1 ro"]
    assert "-dtb" not in arguments


def test_a_kernel_without_a_command_line_is_our_mistake() -> None:
    with pytest.raises(InternalError):
        arguments_of("virt", loaded=Loaded(kernel=Path("/r/vmlinuz")))


def test_flash_chips_are_named_code_is_read_only() -> None:
    loaded = Loaded(code=Path("/usr/share/code.fd"), vars=Path("/r/vars.fd"))
    arguments = arguments_of("pc-uefi", loaded=loaded)
    assert after(arguments, "-machine")[0].startswith("pc-q35-9.0,pflash0=firmware-code,pflash1=firmware-vars")
    flash = [json.loads(node) for node in after(arguments, "-blockdev")][2:]
    assert [(node["node-name"], node["read-only"]) for node in flash] == [
        ("firmware-code", True),
        ("firmware-vars", False),
    ]


def test_kvm_takes_the_processor_of_the_host() -> None:
    arguments = arguments_of("virt", accelerator=KVM)
    assert after(arguments, "-accel") == ["kvm"]
    assert after(arguments, "-cpu") == ["host"]


def test_memory_and_processors_can_be_set() -> None:
    arguments = arguments_of("virt", memory=192, cpus=1)
    assert after(arguments, "-m") == ["192"]
    assert after(arguments, "-smp") == ["1"]


def test_a_machine_without_console_reader_does_not_fill_a_socket() -> None:
    assert "null,id=console" in arguments_of("virt", console=False)


def test_a_network_card_can_be_left_for_later() -> None:
    arguments = arguments_of("raspi3b", nic=False)
    assert after(arguments, "-device") == []
    assert after(arguments, "-netdev") == after(arguments_of("raspi3b"), "-netdev")


def test_registers_are_open_only_where_a_state_needs_them_and_before_it_is_loaded() -> None:
    incoming = {name for name in OWN if "qtest" in " ".join(arguments_of(name, incoming=True))}
    assert incoming == {name for name in OWN if board(name).workarounds.registers_at_restore} == {"raspi3b"}
    assert not any("qtest" in " ".join(arguments_of(name)) for name in OWN)


def test_an_incoming_machine_waits_for_its_state() -> None:
    assert after(arguments_of("virt", incoming=True), "-incoming") == ["defer"]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("network", ["restricted", "open"])
def test_every_machine_is_hardened(name: str, network: str) -> None:
    loaded = Loaded(
        kernel=Path("/r/vmlinuz"), append="console=ttyS0", code=Path("/r/code.fd"), vars=Path("/r/vars.fd")
    )
    arguments = arguments_of(name, loaded=loaded, network=network)
    sandbox = dict(part.split("=") for part in after(arguments, "-sandbox")[0].removeprefix("on,").split(","))
    assert sandbox == dict.fromkeys(("obsolete", "elevateprivileges", "spawn", "resourcecontrol"), "deny")
    # What QEMU adds unasked: a monitor, a serial port, a network card, a floppy, the user's configuration.
    assert {"-nodefaults", "-no-user-config"} <= set(arguments)
    # Nothing that others could connect to but the forwarded ports, and those on this host only.
    assert not {"-monitor", "-qmp", "-vnc", "-spice", "-gdb", "-s", "-incoming"} & set(arguments)
    for chardev in after(arguments, "-chardev"):
        assert re.search(r"^socket,id=qmp,fd=\d+$|path=/dev/fdset/", chardev), chardev
    assert all(re.match(r"fd=\d+,set=\d+$", added) for added in after(arguments, "-add-fd"))
    for netdev in after(arguments, "-netdev"):
        assert netdev.startswith("user,")
        assert all(part.startswith("tcp:127.0.0.1:") for part in re.findall(r"hostfwd=([^,]*)", netdev))
    # A format that is not named is guessed from what the guest wrote into its own disk.
    for drive in after(arguments, "-drive"):
        assert re.search(r"(^|,)(format|driver)=\w+", drive), drive
    assert not {"-hda", "-sd", "-cdrom", "-fda", "-pflash", "-mtdblock"} & set(arguments)
    nodes = [json.loads(node) for node in after(arguments, "-blockdev")]
    assert nodes
    for node in nodes:
        while isinstance(node, dict):
            assert node["driver"] in {"file", "raw", "qcow2"}, node
            node = node.get("file")


def test_no_program_is_started_through_a_shell() -> None:
    found = []
    for path in sorted(HARNESS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "shell":
                found.append(f"{path}:{node.value.lineno}")
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                name = f"{node.value.id}.{node.attr}"
                if name in {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}:
                    found.append(f"{path}:{node.lineno}")
    assert found == []


def test_memory_has_the_same_name_however_it_is_made() -> None:
    path = Path("/r/ram")
    for ram in (None, Ram(path, shared=True), Ram(path, shared=False)):
        arguments = arguments_of("virt", ram=ram)
        (backend,) = map(json.loads, after(arguments, "-object"))
        assert (backend["id"], backend["size"]) == ("ram", 512 << 20)
        assert "memory-backend=ram" in after(arguments, "-machine")[0]


def test_the_memory_of_a_capture_is_only_read() -> None:
    (backend,) = map(json.loads, after(arguments_of("virt", ram=Ram(Path("/r/ram"), shared=False)), "-object"))
    assert not backend["share"]
    assert backend["readonly"]


def test_a_board_that_cannot_be_captured_has_the_memory_that_qemu_gives_it() -> None:
    assert "-object" not in arguments_of("virt", board=no_snapshots("virt"))
