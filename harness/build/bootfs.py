"""The boot file system of an image: kernel, firmware, command line and boot loaders, in the packer's order."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.build.device_type import device_type
from harness.build.eeprom import settings_left_out, with_settings
from harness.build.instance import Instance, wrong_kernel
from harness.errors import ConfigError
from harness.image.arch import ARCHITECTURES, Arch, architecture_of
from harness.image.disk import root_argument
from harness.image.kernel_file import is_zipped, kernel_arch
from harness.store.root import default_root

BootFile = tuple[str, bytes | Path]

KERNEL_GLOBS = ("boot.scr", "vmlinuz", "*.dtb", "overlays/*.dtbo", "overlays/overlay_map.dtb")
FIRMWARE_GLOBS = ("*.bin", "*.dat", "*.elf", "*.upd", "*.sig", "overlays/*.dtbo")
PADDING = 64
"""Blanks after the command line, for flags that an update adds in place."""
EFI_FOLDER_VARIABLE = "GOKHARNESS_EFI_DIR"
"""Names folders (with ':' between them) to look for systemd-boot in, before Debian's."""

_EFI_FOLDER = Path("/usr/lib/systemd/boot/efi")
_EFI_VERSION = re.compile(rb"LoaderInfo: systemd-boot ([^ #\0]+)")
_ROOT_DEVICES = ("root=/dev/mmcblk0p2", "root=/dev/sda2")


@dataclass(frozen=True)
class EfiLoader:
    """A systemd-boot of this machine."""

    arch: Arch
    dest: str
    file: Path
    content: bytes

    @property
    def title(self) -> str:
        """Name, version and digest, for reports."""
        match = _EFI_VERSION.search(self.content)
        version = match.group(1).decode(errors="replace") if match else "of unknown version"
        digest = hashlib.sha256(self.content).hexdigest()
        return f"systemd-boot {version} ({self.dest.rsplit('/', 1)[-1]}, sha256:{digest})"


def find_efi_loaders(environ: Mapping[str, str] = os.environ) -> tuple[EfiLoader, ...]:
    """The systemd-boot files that this machine has, for any architecture.

    Those of the folders that GOKHARNESS_EFI_DIR names come first, then fetched ones, then
    Debian's package systemd-boot-efi, which has only the host's own architecture.
    """
    given = [Path(part) for part in environ.get(EFI_FOLDER_VARIABLE, "").split(os.pathsep) if part]
    found: list[EfiLoader] = []
    for row in ARCHITECTURES:
        name = row.systemd_boot
        for folder in (*given, default_root(environ) / "systemd-boot", _EFI_FOLDER):
            if (folder / name).is_file():
                content = (folder / name).read_bytes()
                found.append(EfiLoader(row.name, row.efi_loader, folder / name, content))
                break
    return tuple(found)


def serial_arguments(serial: str) -> str:
    """The console arguments for a SerialConsole setting ("" is gokrazy's default), with a blank after each."""
    if serial in ("disabled", "off"):
        return "console=tty1 "
    device = "serial0,115200" if serial in ("", "UART0") else serial
    return f"console=tty1 console={device} "


def command_line(instance: Instance, kernel: Path, *, serial: str | None, fast_boot: bool) -> str:
    """The kernel's command line, without padding; raises ConfigError when the kernel package has none."""
    config = instance.config
    parts = [serial_arguments(config.serial_console if serial is None else serial)]
    parts.append(_text(kernel, "cmdline.txt").strip())
    if config.kernel_extra_args:
        parts.append(" " + " ".join(config.kernel_extra_args))
    if fast_boot:
        parts.append(" rootdelay=0")  # the kernel takes the last one
    line = "".join(parts)
    for root in _ROOT_DEVICES:
        line = line.replace(root, root_argument(config.hostname, device_type(config)))
    return line


@dataclass(frozen=True)
class BootParts:
    """What goes into a boot file system beside the settings of its instance; the folders are those of packages."""

    kernel: Path
    firmware: Path | None
    eeprom: Path | None
    loaders: Sequence[EfiLoader]
    serial: str | None
    """The serial console that was asked for; None for that of the instance."""
    fast_boot: bool
    time: int
    """What EEPROM signatures carry: seconds since 1970."""


def boot_files(instance: Instance, parts: BootParts) -> list[BootFile]:
    """All files of the boot partition in their order.

    Raises ConfigError when a package lacks what it is there for, or two packages bring the same file.
    """
    kernel, serial = parts.kernel, parts.serial
    files: list[BootFile] = list(_glob(kernel, KERNEL_GLOBS))
    if not any(name == "vmlinuz" for name, _ in files):
        raise ConfigError("the kernel package has no vmlinuz", where=f"{instance.config.kernel_package}: {kernel}")
    if parts.firmware is not None:
        files += _glob(parts.firmware, FIRMWARE_GLOBS)
    if parts.eeprom is not None:
        files += _eeprom(parts.eeprom, parts.time, instance.config.bootloader_extra_eeprom)
    padded = command_line(instance, kernel, serial=serial, fast_boot=parts.fast_boot) + " " * PADDING
    files.append(("cmdline.txt", padded.encode()))
    with_uefi = device_type(instance.config).has_gpt
    if with_uefi:
        files.append(("loader/entries/gokrazy.conf", f"title gokrazy\nlinux /vmlinuz\noptions {padded}".encode()))
    files.append(("config.txt", _config_txt(instance, kernel, serial).encode()))
    if with_uefi:
        files += [(loader.dest, loader.content) for loader in parts.loaders]
    seen: set[str] = set()
    for name, _ in files:
        if name.lower() in seen:
            raise ConfigError(
                f"two packages bring the boot file {name}",
                where=instance.config.where("$.FirmwarePackage"),
                hint="kernel, firmware and EEPROM package must not overlap",
            )
        seen.add(name.lower())
    return files


def _config_txt(instance: Instance, kernel: Path, serial: str | None) -> str:
    text = _text(kernel, "config.txt")
    if (instance.config.serial_console if serial is None else serial) != "off":
        text = text.replace("enable_uart=0", "enable_uart=1")
    return text + "\n" + "\n".join(instance.config.bootloader_extra_lines)


def _glob(folder: Path, patterns: Sequence[str]) -> Iterator[BootFile]:
    for pattern in patterns:
        for path in sorted(folder.glob(pattern)):
            if path.is_file():
                yield path.relative_to(folder).as_posix(), path


def _eeprom(folder: Path, time: int, settings: Sequence[str]) -> Iterator[BootFile]:
    """The newest EEPROM contents with their signatures, and the program that writes them.

    A package without a VL805 (the USB chip of a Raspberry Pi 4) is as good as one with it.
    """
    for pattern, dest, must in (
        ("pieeprom-*.bin", "pieeprom.upd", True),
        ("vl805-*.bin", "vl805.bin", False),
        ("recovery.bin", "", True),
    ):
        found = sorted(folder.glob(pattern))
        if not found:
            if must:
                raise ConfigError(f"the EEPROM package has no {pattern}", where=str(folder))
            continue
        newest = found[-1]
        if not dest:
            yield newest.name, newest
            continue
        content: bytes | Path = newest
        if settings and dest == "pieeprom.upd":
            content = with_settings(newest.read_bytes(), settings, str(newest))
        yield dest, content
        digest = hashlib.sha256(content if isinstance(content, bytes) else content.read_bytes()).hexdigest()
        yield f"{dest.rsplit('.', 1)[0]}.sig", f"{digest}\nts: {time}\n".encode()


def eeprom_notes(instance: Instance, eeprom: Path | None) -> list[str]:
    """What of BootloaderExtraEEPROM gok leaves out; raises ConfigError for an EEPROM file of another format."""
    settings = instance.config.bootloader_extra_eeprom
    where = instance.config.where("$.BootloaderExtraEEPROM")
    if not settings:
        return []
    found = sorted(eeprom.glob("pieeprom-*.bin")) if eeprom is not None else []
    if not found:
        return [f"{where}: without an EEPROM package it changes nothing"]
    left_out = settings_left_out(found[-1].read_bytes(), settings, str(found[-1]))
    return [f"{where}: gok leaves out {name}, for bootconf.txt has no line of that name" for name in left_out]


def _text(kernel: Path, name: str) -> str:
    try:
        return (kernel / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"the kernel package has no usable {name}", where=str(kernel), hint="a kernel package needs one"
        ) from error


def check_kernel(instance: Instance, kernel: Path) -> None:
    """Raise ConfigError unless vmlinuz is for the architecture that the programs are built for."""
    path = kernel / "vmlinuz"
    try:
        with path.open("rb") as file:
            head = file.read(1024)
    except OSError as error:
        raise ConfigError(f"the kernel cannot be read: {error.strerror}", where=str(path)) from error
    arch = kernel_arch(head)
    if arch == "":
        raise ConfigError("vmlinuz is no kernel that is known here", where=str(path))
    if arch != instance.arch:
        raise wrong_kernel(instance.config, instance.arch, arch)
    if is_zipped(head) and architecture_of(instance.arch).has_boot_sector:
        raise ConfigError(
            "vmlinuz is packed with gzip, which nothing on a PC unpacks",
            where=str(path),
            hint="unpack it (gunzip)",
        )
