"""What a Go program says of itself: its architecture, its modules, and the value of a string variable."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.image.arch import ARCHITECTURES

_MACHINES = {3: "386", 40: "arm", 243: "riscv64"} | {row.elf: row.name for row in ARCHITECTURES}
_BUILDINFO_MAGIC = b"\xff Go buildinf:"
_INLINE_STRINGS = 2
HEAD_BYTES = 32 * 1024
"""Of a program, in which Go's build id is."""
_TIMESTAMP = re.compile(rb"20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\d(?:Z|[+-][0-2]\d:[0-5]\d)")
_LAYOUT_OF_RFC3339 = b"2006-01-02T15:04:05"


@dataclass(frozen=True)
class BuildInfo:
    """What ``go version -m`` prints; ``modules`` maps module paths to versions, the main module included."""

    package: str = ""
    go: str = ""
    modules: Mapping[str, str] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    """What it says but the version of Go, line by line."""


def architecture(program: bytes) -> str | None:
    """GOARCH of an ELF program, the number of its machine if that has no name here, None if it is no ELF."""
    if len(program) < 20 or program[:4] != b"\x7fELF":
        return None
    machine = struct.unpack_from("<H" if program[5] == 1 else ">H", program, 18)[0]
    return _MACHINES.get(machine, f"ELF machine {machine}")


def build_info(program: bytes) -> BuildInfo:
    """Read the build information that the Go linker embeds (Go 1.18 and later); empty when there is none."""
    start = program.find(_BUILDINFO_MAGIC)
    while start >= 0 and start % 16:
        start = program.find(_BUILDINFO_MAGIC, start + 1)
    if start < 0 or len(program) < start + 32 or not program[start + 15] & _INLINE_STRINGS:
        return BuildInfo()
    version, rest = _string(program, start + 32)
    text, _ = _string(program, rest)
    # The module list stands between two 16-byte marks.
    lines = text[16:-16].decode(errors="replace").splitlines() if len(text) > 32 else []
    package, modules, last = "", dict[str, str](), ""
    for line in lines:
        kind, *values = line.split("\t")
        if kind == "path" and values:
            package = values[0]
        elif kind in ("mod", "dep") and values:
            last = values[0]
            modules[last] = values[1] if len(values) > 1 else ""
        elif kind == "=>" and values:
            # A folder of the machine that built it, and where that was is nobody's business.
            is_local = values[0].startswith((".", "/"))
            modules[last] = (
                "(local)" if is_local else f"{values[0]} {values[1] if len(values) > 1 else ''}".strip()
            )
    return BuildInfo(package, version.decode(errors="replace"), modules, tuple(filter(None, lines)))


def build_id(head: bytes) -> str:
    """Go's build id of an ELF program, from its note in the first HEAD_BYTES; "" when it has none."""
    # A note: sizes of name and content, type 4, then the name "Go" padded to four bytes.
    mark = struct.pack("<I", 4) + b"Go\0\0"
    at = head.find(mark)
    if at < 8:
        return ""
    (size,) = struct.unpack_from("<I", head, at - 4)
    return head[at + len(mark) : at + len(mark) + size].decode("ascii", errors="replace")


def build_timestamp(init: bytes) -> str:
    """The RFC 3339 time that an init was generated with: its variable main.buildTimestamp; "" if unknown.

    Where the symbols were stripped, the only time stamp among its strings is taken.
    """
    value = string_variable(init, "main.buildTimestamp")
    if value is not None and _TIMESTAMP.fullmatch(value):
        return value.decode()
    found = {match for match in _TIMESTAMP.findall(init) if not match.startswith(_LAYOUT_OF_RFC3339)}
    return found.pop().decode() if len(found) == 1 else ""


def string_variable(program: bytes, name: str) -> bytes | None:
    """The value that a Go string variable starts with, through the ELF symbol table; None when it has none."""
    try:
        address = _symbol(program, name)
        if address is None:
            return None
        header = _memory(program, address, 16)
        pointer, length = struct.unpack("<QQ", header)
        return _memory(program, pointer, length) if length <= 4096 else None
    except (struct.error, ValueError, OverflowError):
        return None  # a damaged or foreign program says nothing


def _symbol(program: bytes, name: str) -> int | None:
    if program[:6] != b"\x7fELF\x02\x01":
        return None
    table, strings = None, None
    offset = struct.unpack_from("<Q", program, 40)[0]
    entry_size, count = struct.unpack_from("<HH", program, 58)
    for index in range(count):
        kind, place, size, link = struct.unpack_from("<4xI16xQQI", program, offset + index * entry_size)
        if kind == 2:  # SHT_SYMTAB
            table = program[place : place + size]
            place, size = struct.unpack_from("<24xQQ", program, offset + link * entry_size)
            strings = program[place : place + size]
    if table is None or strings is None:
        return None
    wanted = strings.find(b"\0" + name.encode() + b"\0") + 1
    if wanted == 0:
        return None
    for name_at, value in struct.iter_unpack("<I4xQ8x", table[: len(table) // 24 * 24]):
        if name_at == wanted:
            return int(value)
    return None


def _memory(program: bytes, address: int, size: int) -> bytes:
    """The bytes that the program has at an address once it is loaded."""
    offset = struct.unpack_from("<Q", program, 32)[0]
    entry_size, count = struct.unpack_from("<HH", program, 54)
    for index in range(count):
        kind, place, start, length = struct.unpack_from("<I4xQQ8xQ", program, offset + index * entry_size)
        if kind == 1 and start <= address and address + size <= start + length:
            return program[place + address - start : place + address - start + size]
    raise ValueError(f"no segment holds address {address:#x}")


def _string(program: bytes, offset: int) -> tuple[bytes, int]:
    """A string behind its length as a varint, and where it ends; empty when it makes no sense."""
    length, shift = 0, 0
    while offset < len(program) and shift < 35:
        byte = program[offset]
        offset += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return program[offset : offset + length], offset + length
    return b"", offset
