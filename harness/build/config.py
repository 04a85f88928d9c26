"""gokrazy's own config.json, read as gokrazy reads it, but with an error that names file, line and JSON path.

The fields are those of ``github.com/gokrazy/internal/config`` and of the packer's newest additions; Go matches
their names without regard to case and takes ``null`` for "not set", and so does this.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from harness.build.positions import Node, parse
from harness.errors import ConfigError

DEFAULT_GOKRAZY_PACKAGES = (
    "github.com/gokrazy/gokrazy/cmd/dhcp",
    "github.com/gokrazy/gokrazy/cmd/ntp",
    "github.com/gokrazy/gokrazy/cmd/randomd",
    "github.com/gokrazy/gokrazy/cmd/heartbeat",
)
DEFAULT_KERNEL_PACKAGE = "github.com/gokrazy/kernel.rpi"
DEFAULT_FIRMWARE_PACKAGE = "github.com/gokrazy/firmware"
DEFAULT_EEPROM_PACKAGE = "github.com/gokrazy/rpi-eeprom"


@dataclass(frozen=True)
class Update:
    """How the device is reached: ports, password and TLS certificate."""

    hostname: str = ""
    use_tls: str = ""
    no_password: bool = False
    http_port: str = ""
    https_port: str = ""
    http_password: str = field(default="", repr=False)
    cert_pem: str = field(default="", repr=False)
    key_pem: str = field(default="", repr=False)


@dataclass(frozen=True)
class PackageConfig:
    """What one package is built with, brings along, and is started with."""

    go_build_environment: tuple[str, ...] = ()
    go_build_flags: tuple[str, ...] = ()
    go_build_tags: tuple[str, ...] = ()
    extra_file_paths: Mapping[str, str] = field(default_factory=dict)
    extra_file_contents: Mapping[str, str] = field(default_factory=dict, repr=False)
    basename: str = ""
    capabilities: str = ""
    environment: tuple[str, ...] = field(default=(), repr=False)
    command_line_flags: tuple[str, ...] = field(default=(), repr=False)
    dont_start: bool = False
    wait_for_clock: bool = False
    wait_for: bool = False
    """Whether WaitFor is set; its value is not needed to refuse it."""


@dataclass(frozen=True)
class MountDevice:
    """A file system that init mounts at boot."""

    source: str = ""
    type: str = ""
    target: str = ""
    options: str = ""


@dataclass(frozen=True)
class InternalFlags:
    """InternalCompatibilityFlags: knobs of scripts, not meant for users."""

    overwrite: str = ""
    overwrite_boot: str = ""
    overwrite_mbr: str = ""
    overwrite_root: str = ""
    sudo: str = ""
    target_storage_bytes: int = 0
    update: str = field(default="", repr=False)
    insecure: bool = False
    testboot: bool = False
    init_pkg: str = ""
    overwrite_init: str = ""


@dataclass(frozen=True)
class Config:
    """A whole config.json; ``lines`` says where each of its values stands."""

    file: Path
    hostname: str = ""
    device_type: str = ""
    update: Update = field(default_factory=Update)
    environment: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    package_config: Mapping[str, PackageConfig] = field(default_factory=dict)
    serial_console: str = ""
    gokrazy_packages: tuple[str, ...] = DEFAULT_GOKRAZY_PACKAGES
    kernel_package: str = DEFAULT_KERNEL_PACKAGE
    firmware_package: str = DEFAULT_FIRMWARE_PACKAGE
    eeprom_package: str = DEFAULT_EEPROM_PACKAGE
    kernel_extra_args: tuple[str, ...] = ()
    bootloader_extra_lines: tuple[str, ...] = ()
    bootloader_extra_eeprom: tuple[str, ...] = ()
    mount_devices: tuple[MountDevice, ...] | None = None
    flags: InternalFlags = field(default_factory=InternalFlags)
    warnings: tuple[str, ...] = ()
    """One sentence for every field that gokrazy does not know, and so ignores."""
    lines: Mapping[str, int] = field(default_factory=dict, repr=False)
    """JSON path -> line; paths are spelled as gokrazy spells the fields."""
    raw: bytes = field(default=b"", repr=False)
    """The bytes of the file."""

    def where(self, path: str) -> str:
        """File, line and JSON path of a value, for an error's ``where``."""
        line = self.lines.get(path)
        return f"{self.file}:{line} ({path})" if line else f"{self.file} ({path})"

    def package(self, name: str) -> PackageConfig:
        """The settings of a package: all at their defaults when config.json says nothing about it."""
        return self.package_config.get(name, PackageConfig())

    @property
    def env(self) -> dict[str, str]:
        """The build environment (GOARCH and such) as a mapping."""
        return dict(entry.split("=", 1) for entry in self.environment)


def read_config(file: Path) -> Config:
    """Read and check a config.json; raises ConfigError for anything that gokrazy or the harness cannot use."""
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            "there is no config.json", where=str(file), hint="name a gokrazy instance folder"
        ) from None
    except OSError as error:
        raise ConfigError(f"config.json cannot be read: {error.strerror}", where=str(file)) from error
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError("config.json is not UTF-8", where=f"{file}:{line} ($)") from error
    if text.startswith("\ufeff"):
        raise ConfigError(
            "config.json begins with a byte order mark",
            where=f"{file}:1 ($)",
            hint="save it as UTF-8 without BOM: gokrazy refuses it too",
        )
    return _Decoder(file, raw).config(parse(text, file))


_Setter = Callable[["_Decoder", Node, str], object]


class _Decoder:
    """Turns nodes into dataclasses, collecting warnings and lines."""

    def __init__(self, file: Path, raw: bytes) -> None:
        self.file = file
        self.raw = raw
        self.lines: dict[str, int] = {}
        self.warnings: list[str] = []

    def fail(self, what: str, node: Node, hint: str = "") -> NoReturn:
        raise ConfigError(what, where=f"{self.file}:{node.line} ({node.path})", hint=hint)

    def config(self, node: Node) -> Config:
        values = self.fields(node, "$", _CONFIG)
        if not values.get("hostname"):
            self.fail("Hostname is missing", node, hint="every gokrazy instance has one")
        _check_values(self, node, values)
        return Config(
            file=self.file,
            raw=self.raw,
            warnings=tuple(self.warnings),
            lines=self.lines,
            **values,  # type: ignore[arg-type]  # the table below pairs names and types
        )

    def fields(self, node: Node, path: str, table: Mapping[str, tuple[str, _Setter]]) -> dict[str, object]:
        """Read an object by its table: Go name -> (attribute, reader); the last of repeated names counts."""
        if node.kind != "object":
            self.fail(f"an object is expected here, this is {_a(node)}", node)
        values: dict[str, object] = {}
        by_fold = {name.casefold(): name for name in table}
        for written, member in node.members:
            name = by_fold.get(written.casefold())
            if name is None:
                self.unknown(written, member, table)
                continue
            attribute, setter = table[name]
            self.lines[f"{path}.{name}"] = member.line
            if member.kind != "null":
                values[attribute] = setter(self, member, f"{path}.{name}")
        return values

    def unknown(self, written: str, node: Node, table: Mapping[str, tuple[str, _Setter]]) -> None:
        close = difflib.get_close_matches(written.lower(), [name.lower() for name in table], n=1, cutoff=0.6)
        meant = next((name for name in table if close and name.lower() == close[0]), None)
        guess = f": did you mean {meant}?" if meant else ""
        self.warnings.append(
            f"{self.file}:{node.line} ({node.path}): gokrazy knows no field {written!r} and ignores it{guess}"
        )


def _a(node: Node) -> str:
    article = "an" if node.kind in ("object", "array") else "a"
    return f"{article} {node.kind}"


def _string(decoder: _Decoder, node: Node, path: str) -> str:
    if node.kind != "string":
        decoder.fail(f"a string is expected here, this is {_a(node)}", node, hint="put it in double quotes")
    decoder.lines[path] = node.line
    return str(node.value)


def _bool(decoder: _Decoder, node: Node, _path: str) -> bool:
    if node.kind != "bool":
        decoder.fail(f"true or false is expected here, this is {_a(node)}", node)
    return bool(node.value)


def _integer(decoder: _Decoder, node: Node, _path: str) -> int:
    if node.kind != "number" or not re.fullmatch(r"-?[0-9]+", str(node.value)):
        decoder.fail(f"a whole number is expected here, this is {_a(node)}", node)
    return int(str(node.value))


def _strings(decoder: _Decoder, node: Node, path: str) -> tuple[str, ...]:
    if node.kind != "array":
        decoder.fail(f"an array of strings is expected here, this is {_a(node)}", node)
    return tuple(
        "" if item.kind == "null" else _string(decoder, item, f"{path}[{number}]")
        for number, item in enumerate(node.items)
    )


def _string_map(decoder: _Decoder, node: Node, path: str) -> dict[str, str]:
    if node.kind != "object":
        decoder.fail(f"an object of strings is expected here, this is {_a(node)}", node)
    result: dict[str, str] = {}
    for name, member in node.members:
        key = f'{path}["{name}"]'
        decoder.lines[key] = member.line
        result[name] = "" if member.kind == "null" else _string(decoder, member, key)
    return result


def _set_at_all(_decoder: _Decoder, node: Node, _path: str) -> bool:
    """For a field whose value nothing here uses: whether it holds anything."""
    return bool(node.value or node.items or node.members)


def _update(decoder: _Decoder, node: Node, path: str) -> Update:
    return Update(**decoder.fields(node, path, _UPDATE))  # type: ignore[arg-type]


def _flags(decoder: _Decoder, node: Node, path: str) -> InternalFlags:
    return InternalFlags(**decoder.fields(node, path, _FLAGS))  # type: ignore[arg-type]


def _mounts(decoder: _Decoder, node: Node, path: str) -> tuple[MountDevice, ...]:
    if node.kind != "array":
        decoder.fail(f"an array of objects is expected here, this is {_a(node)}", node)
    return tuple(
        MountDevice(**decoder.fields(item, f"{path}[{number}]", _MOUNT))  # type: ignore[arg-type]
        for number, item in enumerate(node.items)
    )


def _packages(decoder: _Decoder, node: Node, path: str) -> dict[str, PackageConfig]:
    if node.kind != "object":
        decoder.fail(f"an object is expected here, this is {_a(node)}", node)
    result: dict[str, PackageConfig] = {}
    for name, member in node.members:
        key = f'{path}["{name}"]'
        decoder.lines[key] = member.line
        values = decoder.fields(member, key, _PACKAGE) if member.kind != "null" else {}
        for which in ("go_build_environment", "environment"):
            _check_environment(decoder, member, values.get(which, ()), which)
        result[name] = PackageConfig(**values)  # type: ignore[arg-type]
    return result


def _check_environment(decoder: _Decoder, node: Node, entries: object, name: str) -> None:
    for entry in entries if isinstance(entries, tuple) else ():
        key, equals, _ = entry.partition("=")
        if not equals or not key:
            # The value may be a secret: only the place is named.
            inner = next((child for _, child in node.members if any(i.value == entry for i in child.items)), node)
            item = next((i for i in inner.items if i.value == entry), inner)
            decoder.fail(f"an entry of {name.title().replace('_', '')} is not of the form key=value", item)


_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62})")


def _check_values(decoder: _Decoder, root: Node, values: Mapping[str, object]) -> None:
    def node(*names: str) -> Node:
        found = root
        for name in names:
            found = next((m for n, m in found.members if n.casefold() == name.casefold()), found)
        return found

    if not _HOSTNAME.fullmatch(str(values["hostname"])):
        decoder.fail("Hostname is not a host name", node("Hostname"), hint="letters, digits, '-' and '.'")
    _check_environment(decoder, root, values.get("environment", ()), "environment")
    update = values.get("update")
    if isinstance(update, Update):
        for name, port in (("HTTPPort", update.http_port), ("HTTPSPort", update.https_port)):
            if port and not is_port(port):
                decoder.fail(f"{name} is not a port number between 1 and 65535", node("Update", name))
        if update.use_tls not in ("", "off", "self-signed") and update.use_tls.count(",") != 1:
            decoder.fail(
                "UseTLS is none of: empty, off, self-signed, CERTIFICATE,KEY",
                node("Update", "UseTLS"),
                hint="two file names with a comma between them, or one of the words",
            )
    packages = values.get("packages", ())
    for number, package in enumerate(packages if isinstance(packages, tuple) else ()):
        if not package or package != package.strip() or "@" in package:
            items = node("Packages").items
            decoder.fail(f"{package!r} is not a Go import path", items[number], hint="versions belong into go.mod")


def is_port(text: str) -> bool:
    """Whether this is a TCP port as gokrazy writes it."""
    return text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535


_UPDATE: dict[str, tuple[str, _Setter]] = {
    "Hostname": ("hostname", _string),
    "UseTLS": ("use_tls", _string),
    "NoPassword": ("no_password", _bool),
    "HTTPPort": ("http_port", _string),
    "HTTPSPort": ("https_port", _string),
    "HTTPPassword": ("http_password", _string),
    "CertPEM": ("cert_pem", _string),
    "KeyPEM": ("key_pem", _string),
}
_FLAGS: dict[str, tuple[str, _Setter]] = {
    "Overwrite": ("overwrite", _string),
    "OverwriteBoot": ("overwrite_boot", _string),
    "OverwriteMBR": ("overwrite_mbr", _string),
    "OverwriteRoot": ("overwrite_root", _string),
    "Sudo": ("sudo", _string),
    "TargetStorageBytes": ("target_storage_bytes", _integer),
    "Update": ("update", _string),
    "Insecure": ("insecure", _bool),
    "Testboot": ("testboot", _bool),
    "InitPkg": ("init_pkg", _string),
    "OverwriteInit": ("overwrite_init", _string),
}
_MOUNT: dict[str, tuple[str, _Setter]] = {
    "Source": ("source", _string),
    "Type": ("type", _string),
    "Target": ("target", _string),
    "Options": ("options", _string),
}
_PACKAGE: dict[str, tuple[str, _Setter]] = {
    "GoBuildEnvironment": ("go_build_environment", _strings),
    "GoBuildFlags": ("go_build_flags", _strings),
    "GoBuildTags": ("go_build_tags", _strings),
    "ExtraFilePaths": ("extra_file_paths", _string_map),
    "ExtraFileContents": ("extra_file_contents", _string_map),
    "Basename": ("basename", _string),
    "Capabilities": ("capabilities", _string),
    "Environment": ("environment", _strings),
    "CommandLineFlags": ("command_line_flags", _strings),
    "DontStart": ("dont_start", _bool),
    "WaitForClock": ("wait_for_clock", _bool),
    "WaitFor": ("wait_for", _set_at_all),
}
_CONFIG: dict[str, tuple[str, _Setter]] = {
    "Hostname": ("hostname", _string),
    "DeviceType": ("device_type", _string),
    "Update": ("update", _update),
    "Environment": ("environment", _strings),
    "Packages": ("packages", _strings),
    "PackageConfig": ("package_config", _packages),
    "SerialConsole": ("serial_console", _string),
    "GokrazyPackages": ("gokrazy_packages", _strings),
    "KernelPackage": ("kernel_package", _string),
    "FirmwarePackage": ("firmware_package", _string),
    "EEPROMPackage": ("eeprom_package", _string),
    "KernelExtraArgs": ("kernel_extra_args", _strings),
    "BootloaderExtraLines": ("bootloader_extra_lines", _strings),
    "BootloaderExtraEEPROM": ("bootloader_extra_eeprom", _strings),
    "MountDevices": ("mount_devices", _mounts),
    "InternalCompatibilityFlags": ("flags", _flags),
}
