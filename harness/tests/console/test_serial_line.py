"""SerialLine: a pseudo-terminal in the place of a serial port."""

from __future__ import annotations

import fcntl
import os
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.console.console import Console
from harness.console.serial_line import SerialLine, SerialPort
from harness.errors import HarnessError, HostFault, KernelPanic, NotOnDevice, OptionError
from harness.gokrazy.may import May


class Line:
    """Both ends, and what went wrong."""

    def __init__(self) -> None:
        self.device, self.port = os.openpty()
        self.path = Path(os.ttyname(self.port))
        self.lost: list[HarnessError] = []

    def open(self, *kinds: str) -> SerialLine:
        may = May(frozenset(kinds))
        return SerialPort(self.path).open(gate=lambda: may.demand("shell"), on_lost=self.lost.append)

    def pull(self) -> None:
        """The adapter is unplugged."""
        os.close(self.device)
        self.device = -1

    def close(self) -> None:
        for end in (self.device, self.port):
            if end >= 0:
                os.close(end)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.close()


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    console = Console(tmp_path, name="mine")
    yield console
    console.close()


@pytest.mark.parametrize(
    ("typed", "port"),
    [
        ("/dev/ttyUSB0", SerialPort(Path("/dev/ttyUSB0"), 115200)),
        ("/dev/ttyS1@9600", SerialPort(Path("/dev/ttyS1"), 9600)),
    ],
)
def test_a_port_as_people_write_it(typed: str, port: SerialPort) -> None:
    assert SerialPort.parse(typed) == port


@pytest.mark.parametrize("speed", ["fast", "115201", "-1", "0"])
def test_a_speed_that_is_none_is_refused(speed: str) -> None:
    with pytest.raises(OptionError, match="is no speed of a serial port"):
        SerialPort.parse(f"/dev/ttyUSB0@{speed}")


def test_what_the_device_says_arrives_as_it_is_and_nothing_comes_back(line: Line, console: Console) -> None:
    os.write(line.device, b"from before, of which nobody knows the beginning\r\n")
    # A terminal echoes until it is told otherwise.
    assert b"from before" in os.read(line.device, 99)
    console.attach(line.open())
    before = console.mark()
    os.write(line.device, b"\x04\x11\x13 hello\r\n")
    console.wait_for_line("hello", timeout=10, since=before)
    assert "from before" not in console.excerpt()
    os.set_blocking(line.device, False)
    with pytest.raises(BlockingIOError):
        os.read(line.device, 99)


def test_a_panic_on_the_line_ends_a_wait(line: Line, console: Console) -> None:
    console.attach(line.open())
    os.write(line.device, b"[    3.000000] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n")
    with pytest.raises(KernelPanic, match="Unable to mount root"):
        console.wait(30)


def test_what_is_typed_arrives_only_where_that_is_allowed(line: Line, console: Console) -> None:
    console.attach(line.open())
    with pytest.raises(NotOnDevice, match="--gk-device-may shell"):
        console.send("rm -r /\n")
    console.detach()
    console.attach(line.open("shell"))
    console.send("ls\n")
    assert os.read(line.device, 99) == b"ls\n"


def test_a_line_that_is_pulled_is_a_fault_of_this_host(line: Line, console: Console) -> None:
    port = line.open()
    console.attach(port)
    port._on_lost = console.abort
    line.pull()
    with pytest.raises(HostFault, match="the serial port is gone"):
        console.wait(30)


def test_the_speed_is_set_and_echo_is_not(line: Line) -> None:
    line.open().close()
    _, _, control, local, into, out, _ = termios.tcgetattr(line.port)
    assert (into, out, local & termios.ECHO) == (termios.B115200, termios.B115200, 0)
    assert control & termios.CLOCAL


def test_a_port_that_is_taken_or_none_is_refused_by_its_name(line: Line, tmp_path: Path) -> None:
    fcntl.flock(line.port, fcntl.LOCK_EX)
    with pytest.raises(OptionError, match="somebody else has the serial port") as caught:
        line.open()
    assert caught.value.where == str(line.path)
    (tmp_path / "file").touch()
    for path, why in ((tmp_path / "file", "it is no serial port"), (tmp_path / "none", "No such file")):
        with pytest.raises(OptionError, match=why):
            SerialPort(path).open(gate=lambda: None, on_lost=line.lost.append)
