"""Flattened device trees (.dtb, .dtbo), read and written as the Devicetree Specification lays them out, chapter 5.

Only the format is here; ``dt_overlay`` merges.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAGIC = 0xD00DFEED
VERSION = 17
LAST_COMPATIBLE = 16
DEEPEST = 64
"""Nodes within nodes; the deepest tree of kernel.rpi has 9."""

_HEADER = struct.Struct(">10I")
_BEGIN_NODE, _END_NODE, _PROP, _NOP, _END = 1, 2, 3, 4, 9


class TreeError(ValueError):
    """A blob is no device tree, or a damaged one; the message says what is wrong with it."""


@dataclass
class Node:
    """One node: its properties as they lie in the blob, and the nodes below it, both in their order."""

    name: str = ""
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list[Node] = field(default_factory=list)

    def child(self, name: str) -> Node | None:
        """The child of this name; the unit address may be left out where only one child has the name."""
        for node in self.children:
            if node.name == name:
                return node
        bare = [node for node in self.children if "@" not in name and node.name.split("@")[0] == name]
        return bare[0] if len(bare) == 1 else None

    def find(self, path: str) -> Node | None:
        """The node at ``path``, with the root's slash or without."""
        node: Node | None = self
        for part in path.strip("/").split("/"):
            if part and node is not None:
                node = node.child(part)
        return node

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """This node and every node below it, each with its path."""
        yield path or "/", self
        for node in self.children:
            yield from node.walk(f"{path}/{node.name}")

    def text(self, name: str) -> str:
        """The first string of a property, "" when there is none."""
        return self.properties.get(name, b"").split(b"\0")[0].decode("utf-8", errors="replace")

    @property
    def phandle(self) -> int | None:
        """The number by which other nodes refer to this one, or None."""
        value = self.properties.get("phandle") or self.properties.get("linux,phandle") or b""
        return int.from_bytes(value, "big") if len(value) == 4 else None


@dataclass
class DeviceTree:
    """A whole device tree."""

    root: Node
    reserved: tuple[tuple[int, int], ...] = ()
    """Memory that the kernel must leave alone: address and size, in bytes."""
    boot_cpu: int = 0

    def by_phandle(self, phandle: int) -> Node | None:
        """The node with this phandle, or None."""
        return next((node for _, node in self.root.walk() if node.phandle == phandle), None)

    @property
    def symbols(self) -> dict[str, str]:
        """Label in the source -> path of its node; a tree that was compiled without ``-@`` has none."""
        node = self.root.child("__symbols__")
        return {} if node is None else {label: node.text(label) for label in node.properties}

    @property
    def model(self) -> str:
        """What the tree says it is for, such as "Raspberry Pi 4 Model B"."""
        return self.root.text("model")


def parse(blob: bytes) -> DeviceTree:
    """Read a blob; raises TreeError and no other error, whatever is wrong with it."""
    if len(blob) < _HEADER.size:
        raise TreeError(f"it has only {len(blob)} bytes")
    magic, total, at_nodes, at_strings, at_reserved, _, compatible, cpu, strings_size, nodes_size = (
        _HEADER.unpack_from(blob)
    )
    if magic != MAGIC:
        raise TreeError(f"it does not begin like a device tree, but with {blob[:4].hex(' ')}")
    if total > len(blob):
        raise TreeError(f"it is cut off: it has {len(blob)} bytes, and its header says {total}")
    if compatible > VERSION:
        raise TreeError(f"it is of version {compatible}; versions up to {VERSION} are known")
    if at_nodes + nodes_size > total or at_strings + strings_size > total or at_reserved > total:
        raise TreeError("its header points behind its end")
    blob = blob[:total]
    reader = _Reader(blob[at_nodes : at_nodes + nodes_size], blob[at_strings : at_strings + strings_size])
    return DeviceTree(reader.read(), tuple(_reserved(blob, at_reserved)), cpu)


def _reserved(blob: bytes, at: int) -> Iterator[tuple[int, int]]:
    while at + 16 <= len(blob):
        address, size = struct.unpack_from(">QQ", blob, at)
        if not address and not size:
            return
        yield address, size
        at += 16
    raise TreeError("its list of reserved memory does not end")


class _Reader:
    """The structure block of a blob, token by token."""

    def __init__(self, nodes: bytes, strings: bytes) -> None:
        self._nodes = nodes
        self._strings = strings
        self._at = 0

    def read(self) -> Node:
        open_nodes: list[Node] = []
        root: Node | None = None
        while True:
            token = self._word()
            if token == _NOP:
                continue
            if token == _END:
                break
            if token == _BEGIN_NODE:
                node = Node(self._name())
                if len(open_nodes) >= DEEPEST:
                    raise TreeError(f"its nodes are more than {DEEPEST} levels deep")
                if open_nodes:
                    open_nodes[-1].children.append(node)
                elif root is None:
                    root = node
                else:
                    raise TreeError("it has two roots")
                open_nodes.append(node)
            elif token == _END_NODE and open_nodes:
                open_nodes.pop()
            elif token == _PROP and open_nodes:
                size, name = self._word(), self._word()
                open_nodes[-1].properties[self._string(name)] = self._take(size)
            else:
                raise TreeError(f"it is damaged: token {token:#x} at byte {self._at - 4} of its nodes")
        if root is None or open_nodes:
            raise TreeError("it ends in the middle of a node")
        return root

    def _word(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def _take(self, size: int) -> bytes:
        data = self._nodes[self._at : self._at + size]
        if len(data) != size:
            raise TreeError("it ends in the middle of a node")
        self._at += -(-size // 4) * 4
        return data

    def _name(self) -> str:
        end = self._nodes.find(b"\0", self._at)
        if end < 0:
            raise TreeError("it ends in the middle of a node's name")
        return _text(self._take(end + 1 - self._at)[:-1])

    def _string(self, at: int) -> str:
        end = self._strings.find(b"\0", at)
        if end < 0:
            raise TreeError(f"a property's name lies outside of its strings, at {at}")
        return _text(self._strings[at:end])


def _text(name: bytes) -> str:
    try:
        return name.decode("ascii")
    except UnicodeDecodeError as error:
        raise TreeError(f"a name is no text: {name[:32]!r}") from error


def dump(tree: DeviceTree) -> bytes:
    """Write a tree as a blob; the same tree gives the same bytes."""
    strings: dict[str, int] = {}
    heap = bytearray()
    nodes = bytearray()

    def intern(name: str) -> int:
        if name not in strings:
            strings[name] = len(heap)
            heap.extend(name.encode("ascii") + b"\0")
        return strings[name]

    def padded(data: bytes) -> bytes:
        return data + bytes(-len(data) % 4)

    def add(node: Node) -> None:
        nodes.extend(struct.pack(">I", _BEGIN_NODE) + padded(node.name.encode("ascii") + b"\0"))
        for name, value in node.properties.items():
            nodes.extend(struct.pack(">III", _PROP, len(value), intern(name)) + padded(value))
        for child in node.children:
            add(child)
        nodes.extend(struct.pack(">I", _END_NODE))

    add(tree.root)
    nodes.extend(struct.pack(">I", _END))
    reserved = b"".join(struct.pack(">QQ", *entry) for entry in (*tree.reserved, (0, 0)))
    at_nodes = _HEADER.size + len(reserved)
    at_strings = at_nodes + len(nodes)
    header = _HEADER.pack(
        MAGIC, at_strings + len(heap), at_nodes, at_strings, _HEADER.size, VERSION, LAST_COMPATIBLE, tree.boot_cpu,
        len(heap), len(nodes),
    )  # fmt: skip
    return header + reserved + bytes(nodes) + bytes(heap)
