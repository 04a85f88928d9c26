"""Which boards an instance is offered to: what its packages contain decides, and nothing is built for that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.boards import board
from harness.errors import ConfigError
from harness.lab.images import Images
from harness.lab.journal import Journal
from harness.options import Settings
from harness.tests.boards.own import OWN
from harness.tests.lab.played import PlayedFolders

PI_BOARDS = {"raspi-virt", "raspi3b", "raspi4b"}
VIRTUAL = {"virt", "virt-uefi"}
FIRMWARE = ("bootcode.bin", "start.elf", "start4.elf", "fixup4.dat")
TREES = ("bcm2710-rpi-3-b.dtb", "bcm2711-rpi-4-b.dtb")


def package(folder: Path, name: str, *files: str) -> str:
    """A package of this machine with these files, as an instance may have one by ``replace``."""
    made = folder / name
    made.mkdir()
    (made / "go.mod").write_text(f"module example.test/{name}\n")
    (made / "package.go").write_text(f"package {name}\n")
    for file in ("cmdline.txt", "config.txt", *files):
        (made / file).write_text("x")
    return f"example.test/{name}"


def instance(folder: Path, *packages: str, **config: Any) -> Images:
    """The images of a run on an instance that has these packages beside it."""
    home = folder / "instance"
    home.mkdir()
    replaced = "".join(
        f"require {name} v0.0.0\nreplace {name} => ../../{name.rsplit('/', 1)[-1]}\n" for name in packages
    )
    (home / "builddir").mkdir()
    (home / "builddir" / "go.mod").write_text(f"module gokrazy/build/x\n\ngo 1.21\n\n{replaced}")
    made = {"Hostname": "x", "Update": {"HTTPPassword": "pw"}, "Packages": [], "EEPROMPackage": "", **config}
    (home / "config.json").write_text(json.dumps(made))
    return Images(Settings(instance=str(home)), PlayedFolders(folder), Journal())


def fits(images: Images) -> set[str]:
    return {name for name in OWN if not images.misfit(board(name))}


def test_a_firmware_package_that_is_the_kernel_s_makes_no_pi(tmp_path: Path) -> None:
    kernel = package(tmp_path, "kernel", "vmlinuz")
    images = instance(tmp_path, kernel, KernelPackage=kernel, FirmwarePackage=kernel)
    assert fits(images) == VIRTUAL
    assert "lacks start.elf or start4.elf" in images.misfit(board("raspi-virt"))


def test_a_package_of_another_name_with_a_pi_s_files_makes_one(tmp_path: Path) -> None:
    both = package(tmp_path, "vendor", "vmlinuz", *FIRMWARE, *TREES)
    assert fits(instance(tmp_path, both, KernelPackage=both, FirmwarePackage=both)) == PI_BOARDS | VIRTUAL


def test_a_pi_s_firmware_with_a_kernel_without_its_trees_makes_none(tmp_path: Path) -> None:
    kernel, firmware = package(tmp_path, "kernel", "vmlinuz"), package(tmp_path, "firmware", *FIRMWARE)
    images = instance(tmp_path, kernel, firmware, KernelPackage=kernel, FirmwarePackage=firmware)
    assert fits(images) == VIRTUAL
    assert "lacks bcm2710-rpi-3-b.dtb" in images.misfit(board("raspi3b"))


def test_a_kernel_for_one_model_is_offered_to_that_one(tmp_path: Path) -> None:
    both = package(tmp_path, "vendor", "vmlinuz", *FIRMWARE, "bcm2711-rpi-4-b.dtb")
    images = instance(tmp_path, both, KernelPackage=both, FirmwarePackage=both)
    assert fits(images) == {"raspi-virt", "raspi4b"} | VIRTUAL


def test_gokrazy_s_own_packages_are_known_without_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert fits(instance(tmp_path)) == PI_BOARDS | VIRTUAL


def test_without_firmware_no_go_is_needed_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    images = instance(tmp_path, KernelPackage="github.com/gokrazy/kernel.arm64", FirmwarePackage="")
    assert fits(images) == VIRTUAL


def test_what_cannot_be_built_is_known_before_a_build(tmp_path: Path) -> None:
    images = instance(tmp_path, DeviceType="toaster", KernelPackage="github.com/gokrazy/kernel.rpi")
    with pytest.raises(ConfigError, match="toaster"):
        images.check()
