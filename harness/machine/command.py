"""The command line of QEMU: a pure function of what the machine is to be, and of this start of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.boards import Board
from harness.boards.board import CARD, SD
from harness.errors import InternalError
from harness.firmware.stage import Loaded
from harness.machine.execution_log import LOGGED, arguments, network_filter
from harness.machine.launch import Launch, Ram
from harness.machine.qemu import SANDBOX
from harness.machine.spec import Spec

QMP_FD = 3
CONSOLE_OUT_FD = 4
CONSOLE_IN_FD = 5
REGISTERS_FD = 6
"""QEMU inherits its connections here: no socket file, no port, nothing to find for other users."""
AGENT_BUS = "agent"
"""The controller that takes the channel of a guest agent, where a test needs it."""
SANDBOX_WITH_DOORS = "on,obsolete=deny"
"""A program behind a door inherits it: libslirp calls setsid for it, and Go's runtime asks for its processors."""
LATE = "late"
LATE_MICROSECONDS = 3_000_000
"""How often answers to the guest are let through while they are to come late."""
MAC = "52:54:00:67:6f:6b"
USB_MAC = "40:54:00:67:6f:6b"
"""Linux calls a USB card usb0 where its address is a locally administered one (usbnet.c, ``usbnet_probe``), and
gokrazy's DHCP client asks on eth0. QEMU 10.0.2 showed the guest this first byte whatever was asked for; 10.0.13
shows what was asked for."""


def qemu_command(spec: Spec, launch: Launch) -> list[str]:
    """The argument list for QEMU, program first."""
    board = spec.board
    return [
        str(spec.qemu.path),
        "-name", f"{board.name},debug-threads=on",
        "-nodefaults",
        "-no-user-config",
        *(["-sandbox", _sandbox(spec)] if spec.qemu.sandbox else []),
        "-machine", _machine(spec, launch.loaded),
        "-accel", f"tcg,thread={launch.threads}" if spec.accelerator.name == "tcg" else "kvm",
        # A CPU model with a fixed feature set is TCG's; under KVM only the host's own is sure to run.
        "-cpu", board.cpu if spec.accelerator.name == "tcg" else "host",
        *_memory(spec, launch.ram),
        "-smp", str(spec.equipment.cpus),
        "-display", "none",
        # A date is set off against the host's time at QEMU's start, which is in no log: only utc is replayed so.
        "-rtc", f"base={board.rtc}{',clock=vm' if launch.log is not None and not board.knows_time else ''}",
        "-S",
        "-chardev", f"socket,id=qmp,fd={QMP_FD}",
        "-mon", "chardev=qmp,mode=control",
        *_console(is_read=launch.console),
        *(argument for device in board.controllers for argument in ("-device", device)),
        *_disk(board, launch),
        *_network(spec, launch),
        *(argument for device in board.devices for argument in ("-device", device)),
        *_firmware(board, launch.loaded),
        *_beside(board, launch.disks[1:]),
        *(["-device", f"virtio-serial-pci,id={AGENT_BUS}"] if spec.equipment.agent else []),
        # QEMU 10.0 stands still for ever at a reset of a machine that it records.
        *(["-no-reboot"] if board.ends_at_reset or launch.log is not None else []),
        *(_incoming(board) if launch.incoming else []),
        *arguments(launch.log),
        *spec.equipment.qemu_args,
    ]  # fmt: skip


def _machine(spec: Spec, loaded: Loaded) -> str:
    options = [spec.board.machine]
    if loaded.code:
        options.append("pflash0=firmware-code")
    if loaded.vars:
        options.append("pflash1=firmware-vars")
    if spec.board.can_snapshot:
        options.append("memory-backend=ram")
    return ",".join(options)


def _memory(spec: Spec, ram: Ram | None) -> list[str]:
    """The memory, always under the same name where snapshots are taken: the saved state finds it by that name."""
    size = spec.equipment.memory
    if not spec.board.can_snapshot:
        return ["-m", str(size)]
    backend: dict[str, object] = {"qom-type": "memory-backend-ram", "id": "ram", "size": size << 20}
    if ram is not None:
        backend |= {"qom-type": "memory-backend-file", "mem-path": str(ram.path), "share": ram.shared}
        if not ram.shared:
            # The file is only read: what the guest writes stays in QEMU's own memory.
            backend |= {"readonly": True, "rom": "off"}
    return ["-m", str(size), "-object", json.dumps(backend)]


def _console(*, is_read: bool) -> list[str]:
    if not is_read:
        return ["-chardev", "null,id=console", "-serial", "chardev:console"]
    return [
        *("-add-fd", f"fd={CONSOLE_OUT_FD},set=1"),
        *("-add-fd", f"fd={CONSOLE_IN_FD},set=2"),
        # append: QEMU would truncate a file, and a pipe cannot be.
        *("-chardev", "file,id=console,path=/dev/fdset/1,append=on,input-path=/dev/fdset/2"),
        *("-serial", "chardev:console"),
    ]


def _disk(board: Board, launch: Launch) -> list[str]:
    file, disk = _nodes("disk", launch.disks[0])
    if board.disk == SD:
        # The machine makes the card itself, and takes what it holds from nowhere else than -drive.
        return ["-drive", _flat({"if": "sd", **_dotted(file, "file."), **_dotted(disk, "")})]
    if launch.log is None:
        nodes, seen = (
            ["-blockdev", json.dumps(file), "-blockdev", json.dumps({**disk, "file": "disk-file"})],
            "disk",
        )
    else:
        # By -drive, the first is a drive of its own, where QEMU looks for places to go back to: ``keep_place``.
        direct = _flat({"if": "none", "id": "disk-direct", **_dotted(file, "file."), **_dotted(disk, "")})
        nodes, seen = ["-drive", direct, "-drive", f"if=none,id={LOGGED},driver=blkreplay,image=disk"], LOGGED
    device = f"{board.disk},drive={seen},id=disk0"
    # No firmware asks for the place of a card, and QEMU gives it none.
    is_asked = not board.ends_at_reset and board.disk != CARD
    return [*nodes, "-device", f"{device},bootindex=0" if is_asked else device]


def _beside(board: Board, paths: Sequence[Path]) -> list[str]:
    """The further disks. They come last, so that no other device gets another address because of them."""
    arguments: list[str] = []
    for number, path in enumerate(paths, 2):
        name = f"disk{number}"
        file, disk = _nodes(name, path)
        arguments += ["-blockdev", json.dumps(file), "-blockdev", json.dumps({**disk, "file": file["node-name"]})]
        arguments += ["-device", f"{board.further_disk},drive={name},id={name}"]
    return arguments


def _nodes(name: str, path: Path) -> tuple[dict[str, object], dict[str, object]]:
    """The block nodes of an overlay: its file, and the qcow2 in it."""
    # A flush of the guest reaches the kernel of this host but does not wait for the platter: that is the same for
    # a guest that is killed, and the overlay does not outlive this host anyway.
    cache = {"direct": False, "no-flush": True}
    file: dict[str, object] = {
        "driver": "file",
        "node-name": f"{name}-file",
        "filename": str(path),
        "cache": cache,
    }
    disk: dict[str, object] = {
        "driver": "qcow2",
        "node-name": name,
        "cache": cache,
        "discard": "unmap",
        "detect-zeroes": "unmap",
    }
    return file, disk


def _network(spec: Spec, launch: Launch) -> list[str]:
    options = ["user", "id=net0"]
    if spec.equipment.network == "restricted":
        options.append("restrict=on")
    for port in spec.equipment.by_qemu:
        options.append(f"hostfwd={port.protocol}:127.0.0.1:{launch.prefer.get(port, 0)}-:{port.number}")
    options += _doors(spec)
    arguments = ["-netdev", ",".join(options)]
    if launch.nic:
        driver, *options = (f"{key}={value}" for key, value in nic(spec.board).items())
        arguments += ["-device", ",".join([driver.removeprefix("driver="), *options])]
    if launch.datagrams:
        for number, kind in enumerate(("filter-mirror,queue=rx,outdev", "filter-redirector,queue=tx,indev")):
            name = f"datagrams{number}"
            arguments += ["-chardev", f"socket,id={name},fd={launch.datagrams + number}"]
            arguments += ["-object", f"{kind}={name},id={name}-filter,netdev=net0"]
    if spec.board.workarounds.late_answers:
        late = f"filter-buffer,id={LATE},netdev=net0,queue=tx,interval={LATE_MICROSECONDS},status=off"
        arguments += ["-object", late]
    return arguments + network_filter(launch.log)


def _sandbox(spec: Spec) -> str:
    """What QEMU may do; it starts programs only where there are doors, with a program behind each."""
    return SANDBOX_WITH_DOORS if spec.equipment.doors else SANDBOX


def _doors(spec: Spec) -> list[str]:
    """The doors as options of the user network; one that a bundle names has nobody behind it, and is shut."""
    open_ = (door for door in spec.equipment.doors if door.command)
    # A comma within an option of QEMU is doubled.
    rules = (f"guestfwd=tcp:{door.address}-cmd:{shlex.join(door.command)}" for door in open_)
    return [rule.replace(",", ",,") for rule in rules]


def nic(board: Board) -> dict[str, str]:
    """The network card as ``device_add`` takes it."""
    driver, *options = board.nic.split(",")
    card = {"driver": driver, **dict(option.split("=", 1) for option in options)}
    on_usb = driver.startswith("usb-")
    card |= {"netdev": "net0", "id": "nic0", "mac": USB_MAC if on_usb else MAC}
    if not on_usb and not driver.endswith("-device"):
        # No network boot, so no option ROM to load and wait for.
        card["romfile"] = ""
    return card


def _incoming(board: Board) -> list[str]:
    if board.workarounds.registers_at_restore is None:
        return ["-incoming", "defer"]
    channel = f"socket,id=registers,fd={REGISTERS_FD}"
    return ["-incoming", "defer", "-chardev", channel, "-object", "qtest,id=qtest,chardev=registers,log=none"]


def _dotted(options: Mapping[str, object], prefix: str) -> dict[str, str]:
    """Options of a block node as ``-drive`` takes them; a comma within a value is doubled."""
    flat: dict[str, str] = {}
    for key, value in options.items():
        if isinstance(value, Mapping):
            flat.update(_dotted(value, f"{prefix}{key}."))
        else:
            text = str(value) if not isinstance(value, bool) else "on" if value else "off"
            flat[f"{prefix}{key}"] = text.replace(",", ",,")
    return flat


def _flat(options: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in options.items())


def _firmware(board: Board, loaded: Loaded) -> list[str]:
    arguments: list[str] = []
    for name, path, read_only in (("code", loaded.code, True), ("vars", loaded.vars, False)):
        if path:
            node = {"driver": "raw", "node-name": f"firmware-{name}", "read-only": read_only}
            node["file"] = {"driver": "file", "filename": str(path)}
            arguments += ["-blockdev", json.dumps(node)]
    if loaded.kernel:
        if loaded.append is None:
            raise InternalError(f"{board.name}: a kernel without a command line")
        arguments += ["-kernel", str(loaded.kernel), "-append", loaded.append]
        if loaded.dtb:
            arguments += ["-dtb", str(loaded.dtb)]
        if loaded.initrd:
            arguments += ["-initrd", str(loaded.initrd)]
    return arguments
