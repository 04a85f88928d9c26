"""QEMU by hand: the least that any harness can cost."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.figures import Failed
from harness.boards import Board, Boot
from harness.firmware.choice import stage_for
from harness.gokrazy.client import FEATURES
from harness.image.model import Image
from harness.machine.disk_overlay import DiskOverlay
from harness.machine.processor_time import processor_time
from harness.machine.snapshot import Snapshot

LIMIT = 300.0
PAUSE = 0.01
"""Seconds between two tries where a connection is refused at once: small against what is measured."""


@dataclass(frozen=True)
class Cost:
    """What something took: seconds of the clock, and of all processors together."""

    wall: float
    processor: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.wall + other.wall, self.processor + other.processor)

    def __mul__(self, times: float) -> Cost:
        return Cost(self.wall * times, self.processor * times)

    def __str__(self) -> str:
        return f"{self.wall:.2f} s ({self.processor:.2f} of processors)"


class Monitor:
    """A QEMU with QMP on a socket pair, driven without threads."""

    def __init__(self, arguments: list[str]) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            qmp = ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control", "-S"]
            # It costs a millisecond, and a benchmark that is killed leaves no QEMU.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *arguments, *qmp],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
            )
        self._ours.settimeout(LIMIT)
        self._lines = self._ours.makefile("rb")
        try:
            self._next()
            self.execute("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def execute(self, command: str, **arguments: object) -> Any:
        """Run a QMP command; raises Failed when QEMU refuses it."""
        self._ours.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while True:
            message = self._next()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise Failed(f"the bare QEMU refused {command}: {message['error']['desc']}")

    def wait_loaded(self) -> None:
        """Wait until the captured state is there."""
        while True:
            message = self._next()
            if message.get("event") == "MIGRATION" and message["data"]["status"] == "completed":
                return

    def port(self, guest: int) -> int:
        """The port of this host for one of the guest's."""
        said = self.execute("human-monitor-command", **{"command-line": "info usernet"})
        found = re.search(rf"HOST_FORWARD\]\s+\S+\s+\S+\s+(\d+)\s+\S+\s+{guest}\b", said)
        assert found is not None
        return int(found[1])

    def close(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()
        self._ours.close()

    def _next(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line:
            raise Failed(f"the bare QEMU ended with {self.process.wait()}")
        return dict(json.loads(line))


def arguments(board: Board, image: Image, disk: Path, loaded: Any, ram: dict[str, object]) -> list[str]:
    """The same machine as the harness's, without guard, console and sandbox; one to be restored with ``ram``."""
    threads = "single" if board.workarounds.one_thread_at_boot and not ram else "multi"
    machine = f"{board.machine},memory-backend=ram"
    firmware: list[str] = []
    if loaded.code:
        machine += ",pflash0=code,pflash1=vars"
        for name, path, read_only in (("code", loaded.code, True), ("vars", loaded.vars, False)):
            file = {"driver": "file", "filename": str(path)}
            node = {"driver": "raw", "node-name": name, "read-only": read_only, "file": file}
            firmware += ["-blockdev", json.dumps(node)]
    if loaded.kernel:
        firmware += ["-kernel", str(loaded.kernel), "-append", str(loaded.append)]
    backend = {"qom-type": "memory-backend-ram", "id": "ram", "size": board.memory << 20, **ram}
    first = "" if board.boot is Boot.HARNESS else ",bootindex=0"
    return [
        board.qemu, "-nodefaults", "-no-user-config", "-machine", machine, "-accel", f"tcg,thread={threads}",
        "-cpu", board.cpu, "-m", str(board.memory), "-object", json.dumps(backend), "-smp", str(board.cpus),
        "-display", "none", "-rtc", "base=utc", "-chardev", "null,id=console", "-serial", "chardev:console",
        "-drive", f"file={disk},format=qcow2,if=none,id=disk",
        "-device", f"{board.disk},drive=disk,id=disk0{first}",
        "-netdev", f"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:{image.http_port}",
        "-device", f"{board.nic},netdev=net0,id=nic0,romfile=",
        *(word for device in board.fitted(image).devices for word in ("-device", device)),
        *firmware,
    ]  # fmt: skip


class Clock:
    """Counts what a QEMU costs from one question to the next; the first part began with the process."""

    def __init__(self) -> None:
        self._wall, self._ran = time.monotonic(), 0.0

    def part(self, qemu: Monitor) -> Cost:
        """What the part cost that ends now."""
        now, got = time.monotonic(), processor_time(qemu.process.pid)
        ran = got.ran if got is not None else self._ran
        cost = Cost(now - self._wall, ran - self._ran)
        self._wall, self._ran = now, ran
        return cost


def cold(board: Board, image: Image) -> Cost:
    """From starting QEMU to HTTP 200; disk and kernel are prepared before the clock runs."""
    with contextlib.closing(life(board, image, b"")) as parts:
        return next(parts)


def life(board: Board, image: Image, root: bytes) -> Generator[Cost, None, None]:
    """What the parts of a life cost in turn: a cold start, the upload of ``root``, a reboot."""
    with _folder() as folder:
        overlay = DiskOverlay.create(image.path, folder)
        (folder / "firmware").mkdir()
        loaded = stage_for(board, image.layout, folder / "firmware").prepare(overlay)
        clock = Clock()
        with contextlib.closing(Monitor(arguments(board, image, overlay.path, loaded, {}))) as qemu:
            port = qemu.port(image.http_port)
            qemu.execute("cont")
            wait_for_page(port, image, "/")
            yield clock.part(qemu)
            _demand(port, image, "PUT", "/update/root", root)
            yield clock.part(qemu)
            _demand(port, image, "POST", "/reboot")
            # It answers before it goes.
            wait_for_page(port, image, FEATURES, gone=True)
            wait_for_page(port, image, "/")
            yield clock.part(qemu)


def restored(board: Board, image: Image, snapshot: Snapshot) -> Cost:
    """From starting QEMU for a snapshot to HTTP 200; the disk is prepared before the clock runs."""
    with _folder() as folder:
        disk = folder / "disk.qcow2"
        shutil.copyfile(snapshot.disks[0].blank, disk)
        (folder / "firmware").mkdir()
        loaded = stage_for(board, image.layout, folder / "firmware").adopt(snapshot.loaded)
        assert snapshot.ram is not None
        ram = {
            "qom-type": "memory-backend-file", "mem-path": str(snapshot.ram.path), "share": False,
            "readonly": True, "rom": "off",
        }  # fmt: skip
        clock = Clock()
        command = [*arguments(board, image, disk, loaded, ram), "-incoming", "defer"]
        with contextlib.closing(Monitor(command)) as qemu:
            wanted = [{"capability": name, "state": True} for name in ("x-ignore-shared", "events")]
            qemu.execute("migrate-set-capabilities", capabilities=wanted)
            qemu.execute("migrate-incoming", uri=f"file:{snapshot.state}")
            qemu.wait_loaded()
            port = qemu.port(image.http_port)
            qemu.execute("cont")
            wait_for_page(port, image, FEATURES)
            return clock.part(qemu)


def wait_for_page(port: int, image: Image, path: str, *, gone: bool = False) -> None:
    """Until the page comes with status 200, or does not any more.

    There is no event to wait for: QEMU accepts a forwarded connection before anybody in the guest listens, and
    this side does without a console. So it tries again and again, which costs it up to PAUSE.
    """
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        try:
            comes = _ask(port, image, "GET", path, timeout=1) == 200
        except (OSError, http.client.HTTPException):
            comes = False
        if comes is not gone:
            return
        time.sleep(PAUSE)
    raise Failed(f"the bare QEMU {'did not go' if gone else 'did not answer'} within {LIMIT:.0f} s")


def _demand(port: int, image: Image, method: str, path: str, body: bytes = b"") -> None:
    """Ask for something that it must do; raises Failed where it does not."""
    try:
        status = _ask(port, image, method, path, body, timeout=LIMIT)
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"the bare QEMU did not answer {method} {path}: {error!r}") from None
    if status != 200:
        raise Failed(f"the bare QEMU answered {method} {path} with status {status}")


def _ask(port: int, image: Image, method: str, path: str, body: bytes = b"", *, timeout: float) -> int:
    """The status of the answer, once all of it is there."""
    secret = base64.b64encode(f"gokrazy:{image.password or ''}".encode()).decode()
    headers = {"Authorization": f"Basic {secret}", "X-Gokrazy-Update-Hash": "crc32"}
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)) as connection:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gk-bench-") as name:
        yield Path(name)
