"""The bill of materials in an image, in gokrazy's format, without paths of the build host."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.build.extrafiles import Extra
from harness.image.squashfs import File

_ESCAPED = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
_HEAD_BYTES = 32 * 1024


def go_json(value: object, *, indent: int | None = 4) -> str:
    """JSON as Go's encoding/json writes it."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    for char, escaped in _ESCAPED.items():
        text = text.replace(char, escaped)
    return text


def sbom(
    *,
    config: bytes,
    extras: Sequence[Extra],
    programs: Mapping[str, tuple[Path, str]],
    instance: Path,
) -> bytes:
    """The document: digests of config.json and of extra files, build id and build info of each program.

    ``programs`` maps a path on the device to the binary and to what Go noted in it. Where gokrazy writes absolute
    paths of the build host, these are relative to the instance, so that two machines write the same.
    """
    content = {
        "config_hash": {"path": "config.json", "hash": hashlib.sha256(config).hexdigest()},
        "extra_file_hashes": sorted(
            (
                {"path": _shown(extra.origin, instance), "hash": _digest(extra.node)}
                for extra in extras
                if extra.origin is not None
                and isinstance(extra.node, File)
                and isinstance(extra.node.content, Path)
            ),
            key=lambda entry: entry["path"],
        )
        or None,
        "go_packages": [
            {"path": path, "BuildID": build_id(binary), "BuildInfo": info}
            for path, (binary, info) in sorted(programs.items())
        ]
        or None,
    }
    inner = go_json(content) + "\n"
    return (go_json({"sbom_hash": hashlib.sha256(inner.encode()).hexdigest(), "sbom": content}) + "\n").encode()


def _shown(path: Path, instance: Path) -> str:
    try:
        return path.resolve().relative_to(instance.resolve()).as_posix()
    except ValueError:
        return path.name


def _digest(node: File) -> str:
    content = node.content.read_bytes() if isinstance(node.content, Path) else node.content
    return hashlib.sha256(content).hexdigest()


def build_id(binary: Path) -> str:
    """Go's build id of an ELF program, from its note; "" when it has none."""
    with binary.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    # A note: sizes of name and content, type 4, then the name "Go" padded to four bytes.
    mark = struct.pack("<I", 4) + b"Go\0\0"
    at = head.find(mark)
    if at < 8:
        return ""
    (size,) = struct.unpack_from("<I", head, at - 4)
    return head[at + len(mark) : at + len(mark) + size].decode("ascii", errors="replace")
