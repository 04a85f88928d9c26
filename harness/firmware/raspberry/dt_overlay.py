"""Device tree overlays (.dtbo), merged as the Raspberry Pi's firmware merges them; here "overlay" for short.

The rules are those of the firmware's own library, published as ``dtmerge`` in raspberrypi/utils. They go beyond
libfdt's fdt_overlay_apply:

- References are resolved before parameters are set.
- A fragment may be switched off (``__dormant__``), or be for a node of its own overlay.
- Only exported labels stay visible.
- Aliases are changed so that they point into the tree.
- ``bootargs`` are added to those of the tree.

libfdt's own program knows no parameters. It refuses 131 of the 328 overlays of kernel.rpi that fit a Raspberry
Pi 4, most of them for labels in fragments that are switched off. Where it merges one, a test compares the results.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.firmware.raspberry.flat_tree import DeviceTree, Node, TreeError

FRAGMENTS = ("fragment@", "fragment-")
ACTIVE, DORMANT = "__overlay__", "__dormant__"


class MissingNode(TreeError):
    """The device tree lacks a node or label that an overlay is for; the overlay itself is sound."""


def resolve(base: DeviceTree, overlay: DeviceTree) -> None:
    """Turn the overlay's references into phandles of ``base``; raises MissingNode when ``base`` lacks a label."""
    offset = max((node.phandle or 0 for _, node in base.root.walk()), default=0)
    # Local references first: the phandles of the base, which are written below, must not be shifted.
    _shift_phandles(overlay.root, offset)
    local = overlay.root.child("__local_fixups__")
    if local is not None:
        _shift_references(local, overlay.root, offset)
    fixups = overlay.root.child("__fixups__")
    labels = base.symbols
    highest = max((node.phandle or 0 for _, node in overlay.root.walk()), default=0)
    highest = max(highest, offset)
    for label, places in (fixups.properties if fixups is not None else {}).items():
        target = base.root.find(label if label.startswith("/") else labels.get(label, "/__no_such_label__"))
        if target is None:
            raise MissingNode(f"it refers to {label!r}, which the device tree does not have")
        if target.phandle is None:
            highest += 1
            target.properties["phandle"] = highest.to_bytes(4, "big")
        for place in strings(places):
            _patch(overlay, place, target.phandle or 0)


def _shift_phandles(root: Node, offset: int) -> None:
    for _, node in root.walk():
        for name in ("phandle", "linux,phandle"):
            value = node.properties.get(name)
            if value is not None and len(value) == 4:
                node.properties[name] = _plus(value, offset)


def _shift_references(places: Node, node: Node, offset: int) -> None:
    for name, cells in places.properties.items():
        value = bytearray(node.properties.get(name, b""))
        for start in range(0, len(cells) - 3, 4):
            at = int.from_bytes(cells[start : start + 4], "big")
            if at + 4 > len(value):
                raise TreeError(f"its local references point outside of {node.name}:{name}")
            value[at : at + 4] = _plus(value[at : at + 4], offset)
        node.properties[name] = bytes(value)
    for child in places.children:
        below = next((other for other in node.children if other.name == child.name), None)
        if below is None:
            raise TreeError(f"its local references name {child.name}, which it does not have")
        _shift_references(child, below, offset)


def _plus(value: bytes | bytearray, offset: int) -> bytes:
    return ((int.from_bytes(value, "big") + offset) & 0xFFFFFFFF).to_bytes(4, "big")


def _patch(overlay: DeviceTree, place: str, phandle: int) -> None:
    path, _, rest = place.partition(":")
    name, _, at_text = rest.partition(":")
    node = overlay.root.find(path)
    value = None if node is None else node.properties.get(name)
    at = int(at_text) if at_text.isdecimal() and at_text.isascii() and len(at_text) < 9 else -1
    if node is None or value is None or not 0 <= at <= len(value) - 4:
        raise TreeError(f"its references point at {place}, which it does not have")
    node.properties[name] = value[:at] + phandle.to_bytes(4, "big") + value[at + 4 :]


def merge(base: DeviceTree, overlay: DeviceTree) -> None:
    """Merge a resolved overlay into ``base``; raises MissingNode when ``base`` lacks a target."""
    _merge_within(overlay)
    exported = overlay.root.child("__exports__")
    symbols = overlay.root.child("__symbols__")
    base_symbols = base.root.child("__symbols__")
    for fragment in fragments(overlay):
        body = fragment.child(ACTIVE)
        if body is None:
            continue
        target = _target(base, fragment)
        if target.name == "aliases":
            _adopt_paths(base, overlay, target, body.properties)
        else:
            merge_node(target, body, top=True)
    if exported is not None and symbols is not None and base_symbols is not None:
        kept = {label: path for label, path in symbols.properties.items() if label in exported.properties}
        _adopt_paths(base, overlay, base_symbols, kept)


def fragments(overlay: DeviceTree) -> Iterator[Node]:
    """The fragments of an overlay, active or not."""
    return (node for node in overlay.root.children if node.name.startswith(FRAGMENTS))


def _merge_within(overlay: DeviceTree) -> None:
    """Merge the fragments that are for a node of the overlay itself, and switch them off."""
    for fragment in list(fragments(overlay)):
        body = fragment.child(ACTIVE)
        cell = fragment.properties.get("target", b"")
        if body is None or "target-path" in fragment.properties or len(cell) != 4:
            continue
        target = overlay.by_phandle(int.from_bytes(cell, "big"))
        if target is not None:
            merge_node(target, body, top=True)
            body.name = DORMANT


def _target(base: DeviceTree, fragment: Node) -> Node:
    path = fragment.text("target-path")
    cell = fragment.properties.get("target", b"")
    if path:
        found = base.root.find(path) if path.startswith("/") else _alias(base, path)
    elif len(cell) == 4:
        found = base.by_phandle(int.from_bytes(cell, "big"))
    else:
        raise TreeError(f"{fragment.name} has no target")
    if found is None:
        raise MissingNode(f"{fragment.name} is for {path or 'a node'}, which the device tree does not have")
    return found


def _alias(base: DeviceTree, path: str) -> Node | None:
    head, _, rest = path.partition("/")
    aliases = base.root.child("aliases")
    start = aliases.text(head) if aliases is not None else ""
    return base.root.find(f"{start}/{rest}") if start else None


def merge_node(target: Node, body: Node, *, top: bool) -> None:
    """Merge the properties and children of ``body`` into ``target``.

    ``top`` is for the body of a fragment: its phandle is the fragment's own, and is left out.
    """
    for name, value in body.properties.items():
        if name == "name" or (top and name in ("phandle", "linux,phandle")):
            continue
        set_property(target, name, value)
    for child in body.children:
        below = next((node for node in target.children if node.name == child.name), None)
        if below is None:
            below = Node(child.name)
            target.children.append(below)
        merge_node(below, child, top=False)


def set_property(node: Node, name: str, value: bytes) -> None:
    """Set a property; ``bootargs`` are added to those that the node has."""
    old = node.properties.get(name, b"")
    if name == "bootargs" and old.strip(b"\0"):
        value = old.rstrip(b"\0") + b" " + value
    node.properties[name] = value


def _adopt_paths(base: DeviceTree, overlay: DeviceTree, into: Node, paths: dict[str, bytes]) -> None:
    """Copy labels or aliases to ``into``; a path within a fragment becomes the path in ``base``."""
    places = {id(node): path for path, node in base.root.walk()}
    for name, value in paths.items():
        parts = value.split(b"\0")[0].decode("ascii", errors="replace").split("/", 3)
        fragment = overlay.root.child(parts[1]) if len(parts) > 2 and parts[2] == ACTIVE else None
        if fragment is not None:
            where = places.get(id(_target(base, fragment)), "").rstrip("/")
            value = "/".join([where, *parts[3:]]).encode("ascii", errors="replace") + b"\0"
        into.properties[name] = value


def strings(value: bytes) -> list[str]:
    """The strings of a list of strings."""
    return [part.decode("ascii", errors="replace") for part in value.split(b"\0") if part]
