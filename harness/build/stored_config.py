"""config.json as gok stores it, and hashes it for the bill of materials (FormatForFile of gokrazy's config.go).

What gokrazy does not know is gone, its fields stand in its order, and what is empty is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.build.config import Config
from harness.build.positions import Node, parse
from harness.image.sbom import go_json

_Maker = Callable[[Node], Any]


@dataclass(frozen=True)
class _Field:
    """A field of one of gokrazy's structs."""

    make: _Maker
    keeps_empty: bool = False
    """Whether it is written though it is empty: a pointer in Go, unless it is nil."""
    is_always: bool = False
    """Whether it is written though it was not there at all."""
    absent: Any = None
    """What is written then."""


def _scalar(node: Node) -> Any:
    return int(str(node.value)) if node.kind == "number" else node.value


def _strings(node: Node) -> list[str]:
    return ["" if item.kind == "null" else str(item.value) for item in node.items]


def _string_map(node: Node) -> dict[str, str]:
    found = {name: "" if one.kind == "null" else str(one.value) for name, one in node.members}
    return dict(sorted(found.items()))


def _struct(fields: Mapping[str, _Field]) -> _Maker:
    def make(node: Node) -> dict[str, Any]:
        by_fold = {name.casefold(): name for name in fields}
        # The last of repeated names counts, and null is as though it were not there.
        written = {by_fold.get(name.casefold()): one for name, one in node.members if one.kind != "null"}
        made: dict[str, Any] = {}
        for name, one in fields.items():
            value = one.make(written[name]) if name in written else one.absent
            if value or one.is_always or (value is not None and one.keeps_empty):
                made[name] = value
        return made

    return make


def _packages(node: Node) -> dict[str, Any]:
    make = _struct(_PACKAGE)
    return dict(sorted((name, make(one)) for name, one in node.members))


def _mounts(node: Node) -> list[Any]:
    return [_struct(_MOUNT)(one) for one in node.items]


def _plain(names: str, field: _Field) -> dict[str, _Field]:
    return dict.fromkeys(names.split(), field)


_TEXT, _TEXTS = _Field(_scalar), _Field(_strings)
_POINTER = _Field(_scalar, keeps_empty=True)
_UPDATE = _plain("Hostname UseTLS NoPassword HTTPPort HTTPSPort HTTPPassword CertPEM KeyPEM", _TEXT)
_FLAGS = _plain(
    "Overwrite OverwriteBoot OverwriteMBR OverwriteRoot Sudo TargetStorageBytes Update Insecure Testboot "
    "InitPkg OverwriteInit",
    _TEXT,
)
_PACKAGE = {
    "GoBuildEnvironment": _TEXTS,
    "GoBuildFlags": _TEXTS,
    "GoBuildTags": _TEXTS,
    "ExtraFilePaths": _Field(_string_map),
    "ExtraFileContents": _Field(_string_map),
    "Basename": _TEXT,
    "Environment": _TEXTS,
    "CommandLineFlags": _TEXTS,
    "DontStart": _TEXT,
    "WaitForClock": _TEXT,
    "WaitFor": _TEXTS,
}
_MOUNT = _plain("Source Type Target Options", _Field(_scalar, is_always=True, absent=""))
_CONFIG = {
    "Hostname": _Field(_scalar, is_always=True),
    "DeviceType": _TEXT,
    # Where it is not there, gokrazy reads it as an empty one, and writes that.
    "Update": _Field(_struct(_UPDATE), is_always=True, absent={}),
    "Environment": _TEXTS,
    "Packages": _Field(_strings, is_always=True),
    "PackageConfig": _Field(_packages),
    "SerialConsole": _TEXT,
    "GokrazyPackages": _Field(_strings, keeps_empty=True),
    "KernelPackage": _POINTER,
    "FirmwarePackage": _POINTER,
    "EEPROMPackage": _POINTER,
    "KernelExtraArgs": _TEXTS,
    "BootloaderExtraLines": _TEXTS,
    "BootloaderExtraEEPROM": _TEXTS,
    "MountDevices": _Field(_mounts),
    "InternalCompatibilityFlags": _Field(_struct(_FLAGS), is_always=True, absent={}),
}


def stored_config(config: Config) -> bytes:
    """The bytes that gok would store, and that it hashes."""
    node = parse(config.raw.decode(), Path(config.file))
    return f"{go_json(_struct(_CONFIG)(node))}\n".encode()
