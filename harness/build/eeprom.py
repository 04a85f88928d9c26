"""The Raspberry Pi's EEPROM file: sections one after the other, the last of them is bootconf.txt.

Format: rpi-eeprom-config in github.com/raspberrypi/rpi-eeprom.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from harness.errors import ConfigError

_SIZES = (512 << 10, 2 << 20)
_MAGIC, _MASK = 0x55AAF00F, 0xFFFFF00F
_FILE = 0x55AAF11F
_NAME_BYTES = 16
"""A file section begins with its name: 12 bytes and 4 of padding."""
_CONFIG = b"bootconf.txt"


def with_settings(eeprom: bytes, lines: Sequence[str], where: str) -> bytes:
    """The file with BootloaderExtraEEPROM's lines in place of those of the same name, as gok writes it.

    A setting that bootconf.txt does not have yet is left out, as by gok. Raises ConfigError for another format.
    """
    start, end = _bootconf(eeprom, where)
    wanted = {line.partition("=")[0]: line for line in lines if "=" in line}
    text = eeprom[start:end].decode("utf-8", "surrogateescape").strip()
    changed = [wanted.get(line.partition("=")[0], line) if "=" in line else line for line in text.split("\n")]
    content = "".join(f"{line}\n" for line in changed).encode("utf-8", "surrogateescape")
    if start + len(content) > len(eeprom):
        raise ConfigError("the EEPROM has no room for these settings", where=where)
    header = start - _NAME_BYTES - 8
    made = eeprom[:header] + struct.pack(">II", _FILE, len(content) + _NAME_BYTES)
    made += _CONFIG.ljust(_NAME_BYTES, b"\0") + content
    return made.ljust(len(eeprom), b"\xff")


def settings_left_out(eeprom: bytes, lines: Sequence[str], where: str) -> list[str]:
    """The names among the lines that bootconf.txt does not have, and that gok therefore leaves out."""
    start, end = _bootconf(eeprom, where)
    present = {line.partition(b"=")[0].decode(errors="replace") for line in eeprom[start:end].split(b"\n")}
    return [name for line in lines if (name := line.partition("=")[0]) not in present or "=" not in line]


def _bootconf(eeprom: bytes, where: str) -> tuple[int, int]:
    """Where the content of bootconf.txt begins and ends."""
    if len(eeprom) not in _SIZES:
        raise ConfigError(f"an EEPROM file has 512 KiB or 2 MiB, not {len(eeprom)} bytes", where=where)
    offset, last = 0, None
    while offset + 8 < len(eeprom):
        magic, length = struct.unpack_from(">II", eeprom, offset)
        if magic in (0, 0xFFFFFFFF):
            break
        if magic & _MASK != _MAGIC or offset + 8 + length > len(eeprom):
            raise ConfigError(f"the EEPROM file is damaged at byte {offset}", where=where)
        last = (magic, offset + 8, length)
        offset = (offset + 8 + length + 7) & ~7
    if last is None or last[0] != _FILE or eeprom[last[1] : last[1] + 12].rstrip(b"\0") != _CONFIG:
        raise ConfigError("the last section of the EEPROM file is not bootconf.txt", where=where)
    _, at, length = last
    return at + _NAME_BYTES, at + length
