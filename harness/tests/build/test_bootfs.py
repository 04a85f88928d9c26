"""The files of the boot partition: their order, the command line, config.txt."""

import gzip
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.build import bootfs
from harness.build.bootfs import BootParts, EfiLoader, boot_files, check_kernel, command_line, find_efi_loaders
from harness.build.config import Config
from harness.build.instance import Instance
from harness.errors import ConfigError
from harness.image.arch import Arch
from harness.image.kernel_file import kernel_arch

ARM_HEAD = b"MZ".ljust(0x38, b"\0") + b"ARMd"
AMD_HEAD = b"MZ".ljust(0x1FE, b"\0") + b"\x55\xaa\0\0HdrS" + bytes(0x30) + b"\x7f\0"


def instance(folder: Path, *, hostname: str = "rpi", arch: Arch = "arm64", **fields: Any) -> Instance:
    return Instance(folder, Config(file=folder / "config.json", hostname=hostname, **fields), arch)


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    folder = tmp_path / "kernel"
    (folder / "overlays").mkdir(parents=True)
    (folder / "vmlinuz").write_bytes(ARM_HEAD)
    (folder / "b.dtb").write_bytes(b"b")
    (folder / "a.dtb").write_bytes(b"a")
    (folder / "overlays" / "x.dtbo").write_bytes(b"x")
    (folder / "cmdline.txt").write_text("root=/dev/mmcblk0p2 init=/gokrazy/init rootwait panic=10 oops=panic\n")
    (folder / "config.txt").write_text("enable_uart=0\n")
    return folder


def files(instance: Instance, kernel: Path, **options: Any) -> list[tuple[str, bytes | Path]]:
    parts = BootParts(kernel, firmware=None, eeprom=None, loaders=(), serial=None, fast_boot=False, time=1)
    return boot_files(instance, replace(parts, **options))


@pytest.mark.parametrize(("name", "serial"), [("rpi", "ttyAMA0,115200"), ("amd", "ttyS0,115200")])
def test_the_command_line_is_that_of_real_images(
    kernel: Path, tmp_path: Path, reference: Path, name: str, serial: str
) -> None:
    if name == "amd":
        (kernel / "cmdline.txt").write_text(
            "root=/dev/sda2 ro init=/gokrazy/init panic=10 oops=panic rootdelay=10 pci=nommconf\n"
        )
    made = dict(files(instance(tmp_path, hostname=name, serial_console=serial), kernel))
    expected = (reference / f"{name}-cmdline.txt").read_bytes()
    assert made["cmdline.txt"] == expected
    assert made["loader/entries/gokrazy.conf"] == b"title gokrazy\nlinux /vmlinuz\noptions " + expected


@pytest.mark.parametrize(
    ("console", "begin"),
    [
        ("", "console=tty1 console=serial0,115200 root="),
        ("UART0", "console=tty1 console=serial0,115200 root="),
        ("disabled", "console=tty1 root="),
        ("off", "console=tty1 root="),
        ("ttyS0,115200", "console=tty1 console=ttyS0,115200 root="),
    ],
)
def test_serial_console(kernel: Path, tmp_path: Path, console: str, begin: str) -> None:
    made = command_line(instance(tmp_path, serial_console=console), kernel, serial=None, fast_boot=False)
    assert made.startswith(begin)
    other = command_line(instance(tmp_path), kernel, serial=console or None, fast_boot=False)
    assert other.startswith(begin)


def test_extra_arguments_come_last_and_fast_boot_after_them(kernel: Path, tmp_path: Path) -> None:
    made = command_line(instance(tmp_path, kernel_extra_args=("a=1", "b")), kernel, serial=None, fast_boot=True)
    assert made.endswith(" oops=panic a=1 b rootdelay=0")


@pytest.mark.parametrize(("console", "uart"), [("", 1), ("disabled", 1), ("off", 0)])
def test_config_txt(kernel: Path, tmp_path: Path, console: str, uart: int) -> None:
    made = dict(files(instance(tmp_path, serial_console=console, bootloader_extra_lines=("x=1", "y=2")), kernel))
    assert made["config.txt"] == f"enable_uart={uart}\n\nx=1\ny=2".encode()


def test_order_is_the_packers(kernel: Path, tmp_path: Path) -> None:
    firmware, eeprom = tmp_path / "firmware", tmp_path / "eeprom"
    firmware.mkdir()
    eeprom.mkdir()
    for name in ("start.elf", "bootcode.bin", "fixup.dat", "README.md"):
        (firmware / name).write_bytes(b"f")
    for name in ("pieeprom-2025-01-01.bin", "pieeprom-2026-01-01.bin", "vl805-0.bin", "recovery.bin"):
        (eeprom / name).write_bytes(name.encode())
    loader = EfiLoader("arm64", "EFI/BOOT/BOOTAA64.EFI", Path("x"), b"efi")
    made = files(instance(tmp_path), kernel, firmware=firmware, eeprom=eeprom, loaders=(loader,), time=7)
    assert [name for name, _ in made] == [
        *("vmlinuz", "a.dtb", "b.dtb", "overlays/x.dtbo", "bootcode.bin", "fixup.dat", "start.elf"),
        *("pieeprom.upd", "pieeprom.sig", "vl805.bin", "vl805.sig", "recovery.bin"),
        *("cmdline.txt", "loader/entries/gokrazy.conf", "config.txt", "EFI/BOOT/BOOTAA64.EFI"),
    ]
    by_name = dict(made)
    assert by_name["pieeprom.upd"] == eeprom / "pieeprom-2026-01-01.bin"
    signature = by_name["pieeprom.sig"]
    assert isinstance(signature, bytes)
    assert signature.endswith(b"\nts: 7\n")


def test_two_packages_with_the_same_file(kernel: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"two packages bring the boot file overlays/x\.dtbo"):
        files(instance(tmp_path), kernel, firmware=kernel)


@pytest.mark.parametrize("missing", ["vmlinuz", "cmdline.txt", "config.txt"])
def test_an_incomplete_kernel_package(kernel: Path, tmp_path: Path, missing: str) -> None:
    (kernel / missing).unlink()
    with pytest.raises(ConfigError, match=missing.replace(".", r"\.")):
        files(instance(tmp_path), kernel)


def test_the_kernels_architecture_is_read_from_its_first_bytes(kernel: Path, tmp_path: Path) -> None:
    assert kernel_arch(ARM_HEAD) == "arm64"
    assert kernel_arch(AMD_HEAD) == "amd64"
    assert kernel_arch(b"MZ" * 512) == ""
    check_kernel(instance(tmp_path), kernel)
    (kernel / "vmlinuz").write_bytes(AMD_HEAD)
    with pytest.raises(ConfigError, match="is one for amd64"):
        check_kernel(instance(tmp_path), kernel)


@pytest.mark.parametrize(("head", "arch", "starts"), [(ARM_HEAD, "arm64", True), (AMD_HEAD, "amd64", False)])
def test_a_zipped_kernel_is_one_only_where_something_unpacks_it(
    kernel: Path, tmp_path: Path, head: bytes, arch: Arch, starts: bool
) -> None:
    (kernel / "vmlinuz").write_bytes(gzip.compress(head))
    mine = replace(instance(tmp_path), arch=arch)
    with nullcontext() if starts else pytest.raises(ConfigError, match="packed with gzip"):
        check_kernel(mine, kernel)


def test_systemd_boot_is_taken_from_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootfs, "_EFI_FOLDER", tmp_path / "none")
    content = b"..#### LoaderInfo: systemd-boot 257.8-1 ####.."
    (tmp_path / "systemd-bootaa64.efi").write_bytes(content)
    (found,) = find_efi_loaders({"GOKHARNESS_EFI_DIR": f"/nowhere:{tmp_path}", "HOME": str(tmp_path)})
    assert (found.arch, found.dest, found.content) == ("arm64", "EFI/BOOT/BOOTAA64.EFI", content)
    assert found.title.startswith("systemd-boot 257.8-1 (BOOTAA64.EFI, sha256:")
    assert find_efi_loaders({"HOME": str(tmp_path)}) == ()
