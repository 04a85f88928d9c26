"""Parameters of device trees and their overlays: what ``dtparam=`` and ``dtoverlay=name,parameter=value`` set.

The node ``__overrides__`` says for each parameter which places its value is written to, and how. The forms are
those of "Device Tree parameters" in the Raspberry Pi documentation, read as ``dtoverlay.c`` in raspberrypi/utils
reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.firmware.raspberry.config_txt import integer
from harness.firmware.raspberry.dt_overlay import ACTIVE, DORMANT, fragments, set_property
from harness.firmware.raspberry.flat_tree import DeviceTree, Node

Kind = Literal["text", "integer", "flag", "inverted flag", "bytes", "fragments"]

_SIZES = {".": 1, ";": 2, ":": 4, "#": 8}
_TRUE = frozenset({"y", "yes", "on", "true", "down"})
_FALSE = frozenset({"n", "no", "off", "false"})
_LONGEST_BYTES = 32
_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_HIGHEST_OFFSET = 1 << 16


class ParameterError(ValueError):
    """A parameter cannot be set: the firmware skips it. The message says why."""


@dataclass(frozen=True)
class _Target:
    """One place that a parameter writes to."""

    kind: Kind
    phandle: int
    name: str
    """The property; for fragments, which of them to switch and how, such as ``+1-2``."""
    value: str
    offset: int = 0
    size: int = 0


def has_parameter(tree: DeviceTree, name: str) -> bool:
    """Whether the device tree, or device tree overlay, has this parameter."""
    overrides = tree.root.child("__overrides__")
    return overrides is not None and name in overrides.properties


def set_parameter(tree: DeviceTree, name: str, value: str | None) -> None:
    """Set a parameter of a device tree, or of a resolved device tree overlay; None stands for "true".

    Raises ParameterError for a value that does not fit, or a parameter that is damaged.
    """
    overrides = tree.root.child("__overrides__")
    data = b"" if overrides is None else overrides.properties.get(name, b"")
    for target in _targets(data, "true" if value is None else value):
        if target.kind == "fragments":
            _switch_fragments(tree, target)
            continue
        node = tree.by_phandle(target.phandle)
        if node is None:
            raise ParameterError("it is for a node that does not exist")
        _write(tree, node, target)


# -- reading what a parameter is for


def _targets(data: bytes, value: str) -> Iterator[_Target]:
    at = 0
    while at < len(data):
        phandle = int.from_bytes(data[at : at + 4], "big")
        declared, at = _string(data, at + 4)
        if phandle == 0:
            yield _Target("fragments", 0, declared, value)
            continue
        head = re.split(r"[={]", declared, maxsplit=1)[0]
        mark = declared[len(head) : len(head) + 1]
        kind, name, offset, size = _place(head)
        used = value
        if mark == "=":
            used, at = _literal(data, at, kind, declared[len(head) + 1 :])
        elif mark == "{":
            # ``declared`` ends at a zero byte, which a cell in the table may have: read the table from the bytes.
            used, at = _look_up(data, at - 1 - len(declared) + len(head) + 1, value)
        yield _Target(kind, phandle, name, used, offset, size)


def _place(head: str) -> tuple[Kind, str, int, int]:
    """Kind, property, offset and size (bytes) of what stands before a literal or a table."""
    found = re.match(r"([^.;:#?!\[]*)([.;:#?!\[]?)(.*)", head, re.DOTALL)
    assert found is not None  # it matches anything
    name, mark, rest = found.groups()
    if mark == "":
        return "text", name, 0, 0
    if mark in "?!":
        return ("flag" if mark == "?" else "inverted flag"), name, 0, 0
    if mark == "[":
        return "bytes", name, 0, 0
    digits = re.match(r"[0-9]{0,6}", rest)
    offset = int(digits.group() or 0) if digits is not None else 0
    if offset > _HIGHEST_OFFSET:
        raise ParameterError(f"its offset {offset} lies far outside of {name}")
    return "integer", name, offset, _SIZES[mark]


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\0", at)
    if end < 0 or at > len(data):
        raise ParameterError("its definition is cut off")
    return data[at:end].decode("latin-1"), end + 1


def _literal(data: bytes, at: int, kind: Kind, text: str) -> tuple[str, int]:
    """The value after ``=``: the text there; if that is empty, the next string for a text, else the next cell."""
    if text or kind == "bytes":
        return text, at
    if kind != "text":
        return _cell(data, at)
    return ("", at) if at >= len(data) else _string(data, at)


def _cell(data: bytes, at: int) -> tuple[str, int]:
    cell = data[at : at + 4]
    if len(cell) != 4:
        raise ParameterError("a number in its definition is cut off")
    return str(int.from_bytes(cell, "big")), at + 4


def _look_up(data: bytes, at: int, key: str) -> tuple[str, int]:
    """The value of ``key`` in a table ``key=value,other,=default}``; a value may be a cell behind a zero byte."""
    result: str | None = None
    default: str | None = None
    while at < len(data) and data[at : at + 1] not in (b"}", b"\0"):
        length = re.match(rb"[^=,}\0]*", data[at:])
        assert length is not None  # it matches anything
        name = length.group().decode("latin-1")
        at += length.end()
        mark = data[at : at + 1]
        if mark == b"=":
            found, at = _table_value(data, at + 1)
        else:
            found = name or key
            at += mark == b","
        if name:
            if name == key and result is None:
                result = found
        elif default is None:
            default = found
    if data[at : at + 2] != b"}\0":
        raise ParameterError("its table is damaged")
    if default is None and data[at - 1 : at] == b",":
        default = key  # a comma at the end: any other value is used as it is
    chosen = default if result is None else result
    if chosen is None:
        raise ParameterError(f"{key!r} is none of its values")
    return chosen, at + 2


def _table_value(data: bytes, at: int) -> tuple[str, int]:
    if data[at : at + 1] == b"\0":
        return _cell(data, at + 1)
    if data[at : at + 1] == b"'":
        end = data.find(b"'", at + 1)
        if end < 0:
            raise ParameterError("a quote in its table does not end")
        value, at = data[at + 1 : end], end + 1
    else:
        found = re.match(rb"[^,}\0]*", data[at:])
        assert found is not None  # it matches anything
        value, at = found.group(), at + found.end()
    return value.decode("latin-1"), at + (data[at : at + 1] == b",")


# -- writing


def _write(tree: DeviceTree, node: Node, target: _Target) -> None:
    name, value = target.name, target.value
    if target.kind == "text":
        text = _unescaped(_status(value) if name == "status" else value)
        if name == "name":
            _rename(tree, node, text.decode("latin-1"))
        else:
            set_property(node, name, text + b"\0")
    elif target.kind == "bytes":
        node.properties[name] = _byte_string(value)
    elif target.kind == "integer":
        _write_integer(tree, node, target)
    elif bool(_number(value)) != (target.kind == "inverted flag"):
        node.properties[name] = b""
    else:
        node.properties.pop(name, None)


def _write_integer(tree: DeviceTree, node: Node, target: _Target) -> None:
    number = _number(target.value) & ((1 << 8 * target.size) - 1)
    end = target.offset + target.size
    old = node.properties.get(target.name, b"")
    # "reg" is neither added nor extended: where it is missing, only the node's name changes.
    if target.name != "reg" or len(old) >= end:
        data = bytearray(old.ljust(end, b"\0"))
        data[target.offset : end] = number.to_bytes(target.size, "big")
        node.properties[target.name] = bytes(data)
    if target.name == "reg" and target.offset == 0 and "@" in node.name:
        _rename(tree, node, f"{node.name.partition('@')[0]}@{number & 0xFFFFFFFF:x}")


def _rename(tree: DeviceTree, node: Node, name: str) -> None:
    if not name or not name.isascii() or "/" in name or "\0" in name:
        raise ParameterError(f"{name!r} is no name for a node")
    old = next(path for path, other in tree.root.walk() if other is node)
    node.name = name
    new = f"{old.rpartition('/')[0]}/{name}"
    symbols = tree.root.child("__symbols__")
    for label, path in list(symbols.properties.items()) if symbols is not None else ():
        if path.rstrip(b"\0") == old.encode() or path.startswith(old.encode() + b"/"):
            symbols.properties[label] = new.encode() + path[len(old) :]  # type: ignore[union-attr]


def _switch_fragments(tree: DeviceTree, target: _Target) -> None:
    """Switch fragments: ``+1`` on, ``-2`` off, ``=3`` as the value says, ``!4`` the other way round."""
    if not re.fullmatch(r"([-+=!]\d+)*", target.name):
        raise ParameterError(f"{target.name!r} does not say which fragments")
    for mark, digits in re.findall(r"([-+=!])(\d{1,9})", target.name):
        active = mark == "+" or (mark in "=!" and _truth(target.value) == (mark == "="))
        names = (f"fragment@{int(digits)}", f"fragment-{int(digits)}")
        fragment = next((node for node in fragments(tree) if node.name in names), None)
        if fragment is None:
            raise ParameterError(f"there is no fragment {digits}")
        for body in fragment.children:
            if body.name in (ACTIVE, DORMANT):
                body.name = ACTIVE if active else DORMANT


def _number(value: str) -> int:
    if not value:
        return 0
    number = integer(value)
    if number is not None:
        return number
    if value in _TRUE:
        return 1
    if value in _FALSE:
        return 0
    if value == "up":
        return 2
    raise ParameterError(f"{value!r} is no number")


def _truth(value: str) -> bool:
    """Whether a value is true; any text that is no number is, for fragments."""
    try:
        return bool(_number(value))
    except ParameterError:
        return True


def _status(value: str) -> str:
    if value in (_TRUE - {"down"}) | {"enable", "1"}:
        return "okay"
    return "disabled" if value in _FALSE | {"0"} else value


def _byte_string(value: str) -> bytes:
    digits = re.sub(r"[: \t]", "", value)
    if not re.fullmatch(r"([0-9a-fA-F]{2})*", digits):
        raise ParameterError(f"{value!r} is not made of bytes in hexadecimal digits")
    if len(digits) > 2 * _LONGEST_BYTES:
        raise ParameterError(f"{value!r} has more than {_LONGEST_BYTES} bytes")
    return bytes.fromhex(digits)


def _unescaped(value: str) -> bytes:
    def character(found: re.Match[str]) -> str:
        octal, hexadecimal, other = found.groups()
        if octal or hexadecimal:
            code = int(octal, 8) if octal else int(hexadecimal, 16)
            if code <= 255:
                return chr(code)
        elif other in _ESCAPES:
            return _ESCAPES[other]
        raise ParameterError(f"there is a wrong escape in {value!r}")

    text = re.sub(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{2})|(.?))", character, value, flags=re.DOTALL)
    return text.encode("latin-1", errors="replace")
