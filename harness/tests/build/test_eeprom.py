"""BootloaderExtraEEPROM changes settings in bootconf.txt, the last section of the EEPROM file."""

import hashlib
import struct
from pathlib import Path

import pytest

from harness.build.bootfs import BootParts, boot_files
from harness.build.config import Config
from harness.build.eeprom import settings_left_out, with_settings
from harness.build.instance import Instance
from harness.errors import ConfigError

CODE = 0x55AAF00F
FILE = 0x55AAF11F


def section(magic: int, content: bytes) -> bytes:
    made = struct.pack(">II", magic, len(content)) + content
    return made.ljust(len(made) + -len(made) % 8, b"\xff")


def file_section(name: bytes, content: bytes) -> bytes:
    return section(FILE, name.ljust(16, b"\0") + content)


def eeprom(bootconf: bytes = b"[all]\nBOOT_UART=0\nWAKE_ON_GPIO=1\n", size: int = 512 << 10) -> bytes:
    made = section(CODE, b"first stage") + file_section(b"logo.bin", b"picture")
    return (made + file_section(b"bootconf.txt", bootconf)).ljust(size, b"\xff")


def test_a_setting_is_replaced_and_nothing_else_moves() -> None:
    made = with_settings(eeprom(), ["BOOT_UART=1"], "x")
    assert made == eeprom(b"[all]\nBOOT_UART=1\nWAKE_ON_GPIO=1\n")


def test_a_longer_setting_makes_the_section_longer() -> None:
    made = with_settings(eeprom(size=2 << 20), ["BOOT_UART=1 # and why"], "x")
    assert made == eeprom(b"[all]\nBOOT_UART=1 # and why\nWAKE_ON_GPIO=1\n", size=2 << 20)


def test_a_setting_that_is_not_there_is_left_out_as_by_gok() -> None:
    lines = ["BOOT_ORDER=0xf41", "BOOT_UART=1"]
    assert with_settings(eeprom(), lines, "x") == eeprom(b"[all]\nBOOT_UART=1\nWAKE_ON_GPIO=1\n")
    assert settings_left_out(eeprom(), lines, "x") == ["BOOT_ORDER"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (bytes(100), "512 KiB or 2 MiB, not 100 bytes"),
        (b"\xff" * (512 << 10), "last section"),
        ((section(CODE, b"x") + b"junk junk").ljust(512 << 10, b"\xff"), "damaged at byte 16"),
        (section(CODE, b"x").ljust(512 << 10, b"\xff"), "last section"),
        (eeprom()[:56] + struct.pack(">II", CODE, 1 << 30) + eeprom()[64:], "damaged"),
    ],
)
def test_another_format_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as raised:
        with_settings(data, ["A=1"], "pieeprom.bin")
    assert raised.value.where == "pieeprom.bin"


def test_the_signature_is_of_what_was_changed_and_a_usb_chip_need_not_be(tmp_path: Path) -> None:
    kernel, package = tmp_path / "kernel", tmp_path / "eeprom"
    kernel.mkdir()
    package.mkdir()
    (kernel / "vmlinuz").write_bytes(bytes(0x38) + b"ARMd")
    (kernel / "cmdline.txt").write_text("root=/dev/mmcblk0p2")
    (kernel / "config.txt").touch()
    (package / "pieeprom-2026-01-01.bin").write_bytes(eeprom())
    (package / "recovery.bin").write_bytes(b"r")
    config = Config(file=tmp_path / "config.json", hostname="pi", bootloader_extra_eeprom=("BOOT_UART=1",))
    parts = BootParts(kernel, firmware=None, eeprom=package, loaders=(), serial=None, fast_boot=False, time=5)
    made = dict(boot_files(Instance(tmp_path, config, "arm64"), parts))
    changed = with_settings(eeprom(), ["BOOT_UART=1"], "x")
    assert made["pieeprom.upd"] == changed
    assert made["pieeprom.sig"] == f"{hashlib.sha256(changed).hexdigest()}\nts: 5\n".encode()
    assert "vl805.bin" not in made
