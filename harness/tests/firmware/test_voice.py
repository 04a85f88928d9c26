from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.boards import board
from harness.firmware.voice import NO_SERIAL, Voice, kernel_line, voice, voice_at_line, voice_of
from harness.image.model import Extent
from harness.tests.firmware.raspberry.pi import LINE, boot_files, disk

ROOT = "root=PARTUUID=60c24cc1/PARTNROFF=1 ro init=/gokrazy/init panic=10"
PORTS = {"ttyS0": ("pc-bios", "pc-uefi"), "ttyAMA0": ("virt", "virt-uefi", "raspi-virt", "raspi3b", "raspi4b")}


def image(cmdline: str) -> Any:
    return SimpleNamespace(cmdline=cmdline, path=Path("/nowhere"), layout=SimpleNamespace(boot=Extent(0, 0)))


def on(name: str, consoles: str, more: str = "") -> Voice:
    return voice_of(image(f"{consoles} {ROOT} {more}".strip()), board(name))


@pytest.mark.parametrize(("port", "name"), [(port, name) for port, names in PORTS.items() for name in names])
@pytest.mark.parametrize("rate", ["", ",115200", ",9600", ",115200n8"])
def test_the_board_s_own_port_is_heard_at_any_rate(port: str, name: str, rate: str) -> None:
    assert voice(f"console=tty1 console={port}{rate} {ROOT}", board(name)) == Voice(port, kernel=True, init=True)


@pytest.mark.parametrize(
    ("name", "consoles", "why"),
    [
        # What gokrazy writes where SerialConsole is not set: only a Raspberry Pi's firmware replaces it.
        ("virt", "console=tty1 console=serial0,115200", "serial0, a name that only a Raspberry Pi's firmware"),
        ("pc-bios", "console=tty1 console=serial0,115200", 'SerialConsole "ttyS0,115200" would be heard'),
        (
            "virt-uefi",
            "console=tty1 console=ttyS0,115200",
            "is ttyS0, and the serial port of virt-uefi is ttyAMA0",
        ),
        ("raspi-virt", "console=tty1 console=ttyS0,115200", "is ttyS0, and the serial port of raspi-virt is"),
        ("pc-uefi", "console=tty1 console=ttyAMA0,115200", "is ttyAMA0, and the serial port of pc-uefi is ttyS0"),
        ("pc-bios", "console=tty1 console=ttyS1", "is ttyS1"),
        ("pc-bios", "console=hvc0", "is hvc0"),
        ("pc-bios", "console=tty1", "no serial console (SerialConsole is disabled)"),
        ("virt", "console=tty0", "no serial console (SerialConsole is disabled)"),
        ("virt", "", "no serial console (SerialConsole is disabled)"),
    ],
)
def test_a_console_that_is_no_port_of_the_board_is_not_heard(name: str, consoles: str, why: str) -> None:
    heard = on(name, consoles)
    assert (heard.kernel, heard.init, heard.any) == (False, False, False)
    assert why in heard.why


@pytest.mark.parametrize(
    ("consoles", "init"),
    [
        ("console=ttyAMA0 console=tty1", False),
        ("console=tty1 console=ttyAMA0 console=tty1", False),
        # The last one is no device here, so /dev/console is what the kernel registered first.
        ("console=tty1 console=ttyAMA0 console=ttyS0", False),
        ("console=ttyAMA0 console=ttyS0", True),
        ("console=ttyS0 console=ttyAMA0", True),
        ("console=tty1 console=ttyS0 console=ttyAMA0,9600", True),
    ],
)
def test_of_several_consoles_the_kernel_writes_to_each_and_init_to_the_last(consoles: str, init: bool) -> None:
    heard = on("virt", consoles)
    assert heard.kernel
    assert heard.init is init
    assert ("init writes to" in heard.why) is not init


@pytest.mark.parametrize(
    ("more", "kernel"),
    [
        ("quiet", False),
        ("loglevel=3", False),
        ("loglevel=7", True),
        ("quiet loglevel=7", True),
        ("debug quiet", False),
        ("quiet ignore_loglevel", True),
        ("quietly=1 fsck.quiet=1", True),
    ],
)
def test_a_kernel_that_is_ordered_to_be_quiet_is_not_missed(more: str, kernel: bool) -> None:
    heard = on("virt", "console=tty1 console=ttyAMA0,115200", more)
    assert (heard.kernel, heard.init, heard.why) == (kernel, True, "")


def test_the_board_that_plays_a_pi_replaces_serial0_and_nothing_else() -> None:
    given = image(f"console=tty1 console=serial0,115200 a=serial0x {ROOT}")
    assert kernel_line(given, board("raspi-virt")) == f"console=tty1 console=ttyAMA0,115200 a=serial0x {ROOT}"
    assert kernel_line(given, board("virt")) == given.cmdline
    assert on("raspi-virt", "console=tty1 console=serial0,115200") == Voice("ttyAMA0", kernel=True, init=True)


@pytest.mark.parametrize("name", ["raspi3b", "raspi4b"])
@pytest.mark.parametrize(
    ("console", "config", "quirks", "heard"),
    [
        ("serial0", "enable_uart=1", True, True),
        # A real board has the mini UART there; here a quirk has the console on the other port.
        ("ttyS0", "enable_uart=1", True, True),
        ("ttyAMA0", "enable_uart=1", True, True),
        ("serial1", "enable_uart=1", True, False),
        # The owner has chosen, and a real board is silent on ttyS0 as well.
        ("ttyS0", "dtoverlay=disable-bt", True, False),
        ("serial0", "dtoverlay=disable-bt", True, True),
        ("ttyS0", "dtoverlay=miniuart-bt", True, False),
        # Without the quirk the console is on the second port, which nobody reads.
        ("serial0", "enable_uart=1", False, False),
    ],
)
def test_the_firmware_of_a_pi_decides_which_port_it_is(
    tmp_path: Path, name: str, console: str, config: str, quirks: bool, heard: bool
) -> None:
    line = LINE.replace("serial0", console)
    files = boot_files(f"arm_64bit=1\nkernel=vmlinuz\n{config}\n", **{"cmdline.txt": line.encode()})
    made, extent = disk(tmp_path, files)
    given = SimpleNamespace(cmdline=line, path=made.path, layout=SimpleNamespace(boot=extent))
    assert voice_of(given, board(name), quirks=quirks).init is heard  # type: ignore[arg-type]


def test_a_card_that_cannot_start_is_no_matter_of_its_console(tmp_path: Path) -> None:
    made, extent = disk(tmp_path, boot_files(**{"bcm2710-rpi-3-b.dtb": None}))
    line = "console=tty1 console=ttyAMA0,115200"
    given = SimpleNamespace(cmdline=line, path=made.path, layout=SimpleNamespace(boot=extent))
    assert kernel_line(given, board("raspi3b")) == line  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "heard"),
    [
        ("console=tty1 console=serial0,115200", Voice("serial0", kernel=True, init=True)),
        ("console=ttyS0 console=ttyS1,9600 quiet", Voice("ttyS1", kernel=False, init=True)),
        ("console=tty1", Voice("", kernel=False, init=False, why=NO_SERIAL)),
        (
            "console=serial0,115200 console=tty1",
            Voice(
                "serial0",
                kernel=True,
                init=False,
                why="init writes to tty1: of its consoles (serial0, tty1), that is the last one",
            ),
        ),
    ],
)
def test_the_line_of_a_real_device_is_wired_to_the_last_port_that_its_image_names(line: str, heard: Voice) -> None:
    assert voice_at_line(line) == heard
