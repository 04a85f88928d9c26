"""The command line of QEMU: a pure function from what the machine is to be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.boards import Board
from harness.boards.board import SD
from harness.errors import InternalError
from harness.firmware.stage import Loaded
from harness.machine.equipment import Equipment
from harness.machine.ports import Port
from harness.machine.qemu import SANDBOX

Threads = Literal["multi", "single"]

QMP_FD = 3
CONSOLE_OUT_FD = 4
CONSOLE_IN_FD = 5
REGISTERS_FD = 6
"""QEMU inherits its connections here: no socket file, no port, nothing to find for other users."""
LATE = "late"
LATE_MICROSECONDS = 3_000_000
"""How often answers to the guest are let through while they are to come late."""
MAC = "52:54:00:67:6f:6b"


@dataclass(frozen=True)
class Ram:
    """The guest's memory as a file: ``shared``, the file is the memory; else only what it begins with."""

    path: Path
    shared: bool


@dataclass(frozen=True)
class Spec:
    """What decides the command line, beside the board."""

    board: Board
    qemu: str
    """The program."""
    sandbox: bool
    disk: Path
    """A qcow2 overlay; its header names what lies under it."""
    accelerator: Literal["tcg", "kvm"]
    loaded: Loaded = field(default_factory=Loaded)
    equipment: Equipment = field(default_factory=Equipment)
    """What it is to be beyond its board."""
    prefer: Mapping[Port, int] = field(default_factory=dict)
    """Port of the guest -> port of this host; for those not named here QEMU chooses."""
    beside: tuple[Path, ...] = ()
    """The overlays of its further disks."""
    datagrams: int = 0
    """The first of two descriptors over which the harness forwards UDP itself (see ``Datagrams``), 0 for none."""
    threads: Threads = "multi"
    """Whether TCG has a thread for each processor, or one for all."""
    console: bool = True
    incoming: bool = False
    """Whether the machine waits for a captured state instead of starting its firmware."""
    nic: bool = True
    """Whether the network card is plugged in from the beginning."""
    ram: Ram | None = None


def command(spec: Spec) -> list[str]:
    """The argument list for QEMU, program first."""
    board = spec.board
    return [
        spec.qemu,
        "-name", f"{board.name},debug-threads=on",
        "-nodefaults",
        "-no-user-config",
        *(["-sandbox", SANDBOX] if spec.sandbox else []),
        "-machine", _machine(spec),
        "-accel", f"tcg,thread={spec.threads}" if spec.accelerator == "tcg" else "kvm",
        # A CPU model with a fixed feature set is TCG's; under KVM only the host's own is sure to run.
        "-cpu", board.cpu if spec.accelerator == "tcg" else "host",
        *_memory(spec),
        "-smp", str(spec.equipment.on(board).cpus),
        "-display", "none",
        "-rtc", f"base={board.rtc}",
        "-S",
        "-chardev", f"socket,id=qmp,fd={QMP_FD}",
        "-mon", "chardev=qmp,mode=control",
        *_console(spec),
        *_disk(spec),
        *_network(spec),
        *(argument for device in board.devices for argument in ("-device", device)),
        *_firmware(spec),
        *_beside(spec),
        *(["-no-reboot"] if board.ends_at_reset else []),
        *(_incoming(spec) if spec.incoming else []),
        *spec.equipment.qemu_args,
    ]  # fmt: skip


def _machine(spec: Spec) -> str:
    options = [spec.board.machine]
    if spec.loaded.code:
        options.append("pflash0=firmware-code")
    if spec.loaded.vars:
        options.append("pflash1=firmware-vars")
    if spec.board.can_capture:
        options.append("memory-backend=ram")
    return ",".join(options)


def _memory(spec: Spec) -> list[str]:
    """Always by the same name where a machine may be captured: its state tells the memory by that."""
    size = spec.equipment.on(spec.board).memory
    if not spec.board.can_capture:
        return ["-m", str(size)]
    backend: dict[str, object] = {"qom-type": "memory-backend-ram", "id": "ram", "size": size << 20}
    if spec.ram is not None:
        backend |= {"qom-type": "memory-backend-file", "mem-path": str(spec.ram.path), "share": spec.ram.shared}
        if not spec.ram.shared:
            # The file is only read: what the guest writes stays in QEMU's own memory.
            backend |= {"readonly": True, "rom": "off"}
    return ["-m", str(size), "-object", json.dumps(backend)]


def _console(spec: Spec) -> list[str]:
    if not spec.console:
        return ["-chardev", "null,id=console", "-serial", "chardev:console"]
    return [
        *("-add-fd", f"fd={CONSOLE_OUT_FD},set=1"),
        *("-add-fd", f"fd={CONSOLE_IN_FD},set=2"),
        # append: QEMU would truncate a file, and a pipe cannot be.
        *("-chardev", "file,id=console,path=/dev/fdset/1,append=on,input-path=/dev/fdset/2"),
        *("-serial", "chardev:console"),
    ]


def _disk(spec: Spec) -> list[str]:
    file, disk = _nodes("disk", spec.disk)
    if spec.board.disk == SD:
        # The machine makes the card itself, and takes what it holds from nowhere else than -drive.
        options = {**_dotted(file, "file."), **_dotted(disk, "")}
        return ["-drive", ",".join(f"{key}={value}" for key, value in {"if": "sd", **options}.items())]
    device = f"{spec.board.disk},drive=disk,id=disk0"
    return [
        *("-blockdev", json.dumps(file)),
        *("-blockdev", json.dumps({**disk, "file": "disk-file"})),
        *("-device", device if spec.board.ends_at_reset else f"{device},bootindex=0"),
    ]


def _beside(spec: Spec) -> list[str]:
    """The further disks, after everything else: so nothing has another place for their sake."""
    arguments: list[str] = []
    for number, path in enumerate(spec.beside, 2):
        name = f"disk{number}"
        file, disk = _nodes(name, path)
        arguments += ["-blockdev", json.dumps(file), "-blockdev", json.dumps({**disk, "file": file["node-name"]})]
        arguments += ["-device", f"{spec.board.disk},drive={name},id={name}"]
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


def _network(spec: Spec) -> list[str]:
    options = ["user", "id=net0"]
    if spec.equipment.network == "restricted":
        options.append("restrict=on")
    for port in spec.equipment.by_qemu:
        options.append(f"hostfwd={port.protocol}:127.0.0.1:{spec.prefer.get(port, 0)}-:{port.number}")
    arguments = ["-netdev", ",".join(options)]
    if spec.nic:
        driver, *options = (f"{key}={value}" for key, value in nic(spec.board).items())
        arguments += ["-device", ",".join([driver.removeprefix("driver="), *options])]
    if spec.datagrams:
        for number, kind in enumerate(("filter-mirror,queue=rx,outdev", "filter-redirector,queue=tx,indev")):
            name = f"datagrams{number}"
            arguments += ["-chardev", f"socket,id={name},fd={spec.datagrams + number}"]
            arguments += ["-object", f"{kind}={name},id={name}-filter,netdev=net0"]
    if spec.board.workarounds.late_answers:
        late = f"filter-buffer,id={LATE},netdev=net0,queue=tx,interval={LATE_MICROSECONDS},status=off"
        arguments += ["-object", late]
    return arguments


def nic(board: Board) -> dict[str, str]:
    """The network card as ``device_add`` takes it."""
    driver, *options = board.nic.split(",")
    card = {"driver": driver, **dict(option.split("=", 1) for option in options)}
    card |= {"netdev": "net0", "id": "nic0", "mac": MAC}
    if driver.endswith("-pci"):
        # No network boot, so no option ROM to load and wait for.
        card["romfile"] = ""
    return card


def _incoming(spec: Spec) -> list[str]:
    if spec.board.workarounds.registers_at_restore is None:
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


def _firmware(spec: Spec) -> list[str]:
    loaded = spec.loaded
    arguments: list[str] = []
    for name, path, read_only in (("code", loaded.code, True), ("vars", loaded.vars, False)):
        if path:
            node = {"driver": "raw", "node-name": f"firmware-{name}", "read-only": read_only}
            node["file"] = {"driver": "file", "filename": str(path)}
            arguments += ["-blockdev", json.dumps(node)]
    if loaded.kernel:
        if loaded.append is None:
            raise InternalError(f"{spec.board.name}: a kernel without a command line")
        arguments += ["-kernel", str(loaded.kernel), "-append", loaded.append]
        if loaded.dtb:
            arguments += ["-dtb", str(loaded.dtb)]
        if loaded.initrd:
            arguments += ["-initrd", str(loaded.initrd)]
    return arguments
