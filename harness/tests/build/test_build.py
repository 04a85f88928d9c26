"""Whole images of small local modules, in the shapes that instances have: nothing of gokrazy is compiled."""

import json
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.build.build import BuildRequest, build
from harness.build.cache import Cache
from harness.build.carried import BOOT_SECTOR_SHA256, INTERNAL
from harness.build.timestamp import rfc3339, version_time
from harness.errors import ConfigError, ToolMissing
from harness.image.boot_sector import most_loaded
from harness.image.fat_volume import FatVolume
from harness.image.layout import read_table
from harness.image.model import Image
from harness.image.squashfs import SquashFs
from harness.tests.build.test_eeprom import eeprom
from harness.tests.image import synthetic

MAIN = "package main\n\nfunc main() {}\n"
ENVIRON: Mapping[str, str] = {**os.environ, "GOPROXY": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True)
class Shape:
    """An instance of local modules: ``vendor`` is what a maker of devices puts beside it."""

    folder: Path
    vendor: Path

    def config(self, **fields: Any) -> None:
        """Write config.json with these fields."""
        base: dict[str, Any] = {
            "Hostname": "shape",
            "Update": {"HTTPPassword": "pw"},
            "Environment": ["GOARCH=amd64"],
            "GokrazyPackages": [],
            "Packages": ["vendor.test/programs/cmd/one"],
            "KernelPackage": "vendor.test/kernel",
            "FirmwarePackage": "",
            "EEPROMPackage": "",
            "InternalCompatibilityFlags": {"InitPkg": "vendor.test/programs/init"},
        }
        (self.folder / "config.json").write_text(json.dumps({**base, **fields}, indent=1))

    def build(self, **options: Any) -> Image:
        """Build it."""
        with Cache(self.folder.parent / "cache") as cache:
            return build(
                BuildRequest(self.folder, builder="own", perm="blank", **options),
                cache=cache,
                environ={**ENVIRON, "HOME": str(self.folder.parent), **_go_folders()},
            )

    def boot(self, image: Image) -> FatVolume:
        """The image's boot file system."""
        return FatVolume.open(image.path, offset=image.layout.boot.offset, size=image.layout.boot.size)


def _go_folders() -> dict[str, str]:
    home = Path.home()
    return {
        "GOCACHE": os.environ.get("GOCACHE", str(home / ".cache" / "go-build")),
        "GOMODCACHE": os.environ.get("GOMODCACHE", str(home / "go" / "pkg" / "mod")),
    }


@pytest.fixture
def shape(tmp_path: Path) -> Shape:
    """One go.mod for everything in the instance's folder, with replace lines, as vendors of devices have it."""
    made = Shape(tmp_path / "instance", tmp_path / "vendor")
    made.folder.mkdir()
    kernel = made.vendor / "kernel"
    (kernel / "lib" / "modules" / "7.1.2").mkdir(parents=True)
    (kernel / "lib" / "modules" / "7.1.2" / "modules.dep").write_text("")
    (kernel / "go.mod").write_text("module vendor.test/kernel\n\ngo 1.21\n")
    (kernel / "kernel.go").write_text("package kernel\n")
    head = bytearray(synthetic.bzimage())
    head[0x236] = 1
    head[0x1FE:0x200] = b"\x55\xaa"
    (kernel / "vmlinuz").write_bytes(head)
    (kernel / "cmdline.txt").write_text("root=/dev/sda2 ro init=/gokrazy/init\n")
    (kernel / "config.txt").write_text("enable_uart=0\n")
    programs = made.vendor / "programs"
    for name in ("cmd/one", "cmd/two", "init"):
        (programs / name).mkdir(parents=True)
        (programs / name / "main.go").write_text(MAIN)
    (programs / "go.mod").write_text("module vendor.test/programs\n\ngo 1.21\n")
    (made.folder / "go.mod").write_text(
        "module vendor.test/device\n\ngo 1.21\n\n"
        "require (\n\tvendor.test/kernel v0.0.0\n\tvendor.test/programs v0.0.0\n)\n\n"
        "replace vendor.test/kernel => ../vendor/kernel\n\nreplace vendor.test/programs => ../vendor/programs\n"
    )
    made.config()
    return made


def test_a_vendors_go_mod_a_local_kernel_and_an_init_of_its_own(shape: Shape) -> None:
    image = shape.build()
    files = {entry.path for entry in SquashFs(image.path, image.layout.root_a.offset).entries()}
    assert {"/gokrazy/init", "/user/one", "/lib/modules/7.1.2/modules.dep"} <= files
    assert "/user/two" not in files
    assert [service.path for service in image.services] == ["/user/one"]
    assert "its init is vendor.test/programs/init (InitPkg), not gokrazy's" in image.notes
    assert image.modules["vendor.test/kernel"] == "(local)"
    assert BOOT_SECTOR_SHA256 in image.boot_sector
    with image.path.open("rb") as disk:
        code = disk.read(432)
    assert (most_loaded(code) or 0) > 1 << 30, "no go.mod of the instance names a module with a boot sector"
    assert sorted(path.name for path in shape.folder.iterdir()) == ["config.json", "go.mod"], "only read"


def test_firmware_and_kernel_in_one_package(shape: Shape) -> None:
    shape.config(FirmwarePackage="vendor.test/kernel")
    (shape.vendor / "kernel" / "extra.bin").write_bytes(b"firmware")
    image = shape.build()
    assert shape.boot(image).read("extra.bin") == b"firmware"
    (shape.vendor / "kernel" / "overlays").mkdir()
    (shape.vendor / "kernel" / "overlays" / "x.dtbo").write_bytes(b"x")
    with pytest.raises(ConfigError, match=r"two packages bring the boot file overlays/x\.dtbo"):
        shape.build()


def test_an_init_that_is_none(shape: Shape) -> None:
    shape.config(InternalCompatibilityFlags={"InitPkg": "vendor.test/programs/cmd/two"})
    with pytest.raises(ConfigError, match="no program of the name init") as raised:
        shape.build()
    assert raised.value.where.endswith("($.InternalCompatibilityFlags.InitPkg)")


def test_a_disk_without_gpt(shape: Shape) -> None:
    shape.config(DeviceType="qemumbrtesting")
    image = shape.build()
    table = read_table(image.path)
    assert table.kind == "mbr"
    assert [partition.type for partition in table.partitions] == ["0c", "83", "83", "83"]
    assert f"root=PARTUUID={table.signature:08x}-02 " in f"{image.cmdline} "
    assert table.partitions[1].uuid == f"{table.signature:08x}-02"
    assert image.layout.perm is not None
    assert image.layout.perm.offset + image.layout.perm.size == image.size
    names = image.boot_files
    assert not [name for name in names if name.startswith(("EFI", "loader"))]
    assert image.boot_loader == ""


def test_a_disk_with_its_boot_loader_before_the_first_partition(shape: Shape) -> None:
    shape.config(DeviceType="rock64")
    with pytest.raises(ConfigError, match=r"rock64 needs u-boot-rockchip\.bin"):
        shape.build()
    (shape.vendor / "kernel" / "u-boot-rockchip.bin").write_bytes(b"u-boot" * 1000)
    image = shape.build()
    assert image.size == (1200 << 20) + 32768
    assert image.layout.boot.offset == 32768 * 512
    with image.path.open("rb") as disk:
        sector = disk.read(512)
        disk.seek(64 * 512)
        assert disk.read(6000) == b"u-boot" * 1000
        disk.seek(struct.unpack_from("<I", sector, 432)[0] * 512 + 0x202)
        assert disk.read(4) == b"HdrS"
    assert read_table(image.path).kind == "gpt"


def test_eeprom_settings_and_their_time(shape: Shape) -> None:
    package = shape.vendor / "eeprom"
    package.mkdir()
    (package / "go.mod").write_text("module vendor.test/eeprom\n\ngo 1.21\n")
    (package / "eeprom.go").write_text("package eeprom\n")
    (package / "pieeprom-2026-01-01.bin").write_bytes(eeprom())
    (package / "recovery.bin").write_bytes(b"r")
    mod = shape.folder / "go.mod"
    mod.write_text(
        f"{mod.read_text()}\nrequire vendor.test/eeprom v0.0.0\n\nreplace vendor.test/eeprom => ../vendor/eeprom\n"
    )
    fields = {"EEPROMPackage": "vendor.test/eeprom", "BootloaderExtraEEPROM": ["BOOT_UART=1", "NEW=1"]}
    shape.config(**fields)
    image = shape.build()
    assert b"BOOT_UART=1\n" in shape.boot(image).read("pieeprom.upd")
    assert any("gok leaves out NEW" in note for note in image.notes)
    following = shape.build(after=image)

    def time(of: Image) -> int:
        return int(shape.boot(of).read("pieeprom.sig").split(b"ts: ")[1])

    assert time(image) < time(following), "what an update installs is newer"


def test_the_old_layout_reaches_the_build(shape: Shape) -> None:
    folder = shape.folder / "dontstart" / "vendor.test" / "programs" / "cmd" / "one"
    folder.mkdir(parents=True)
    first = shape.build()
    (folder / "dontstart.txt").touch()
    second = shape.build()
    assert first.services[0].starts == "boot"
    assert second.services[0].starts == "manual"
    assert first.path != second.path


def test_the_same_inputs_give_the_same_image(shape: Shape) -> None:
    first = shape.build()
    with Cache(shape.folder.parent / "cache") as cache:
        assert len(cache.prune()) == 1
    assert shape.build().digest == first.digest
    pinned = version_time(INTERNAL.version)
    assert pinned is not None
    assert first.build < rfc3339(pinned), "nothing else here has a time"


def test_what_a_reader_should_know_is_noted(shape: Shape) -> None:
    (shape.folder / "true").write_bytes(synthetic.elf("arm64"))
    (shape.folder / "true").chmod(0o755)
    one = {
        "ExtraFilePaths": {"/bin/true": "true"},
        "WaitFor": ["net-route"],
        "CommandLineFlags": ["-x"],
    }
    shape.config(PackageConfig={"vendor.test/programs/cmd/one": one}, Fork=True)
    (shape.folder / "builddir" / "init").mkdir(parents=True)
    (shape.folder / "builddir" / "init" / "go.mod").write_text("module init\n")
    notes = "\n".join(shape.build().notes)
    assert "a program for arm64 in an image for amd64, which will not run: /bin/true" in notes
    assert "gok ignores WaitFor" in notes
    assert "builddir/init/go.mod is ignored, as by gok" in notes
    assert "gokrazy knows no field 'Fork'" in notes


def test_a_go_that_is_too_old_is_what_is_said_first(shape: Shape) -> None:
    mod = shape.folder / "go.mod"
    mod.write_text(mod.read_text().replace("go 1.21", "go 1.999"))
    with pytest.raises(ToolMissing, match=r"^Go is too old: go1\.\d+(\.\d+)?, and 1\.999 is needed\n") as raised:
        shape.build()
    assert raised.value.fault.value == 12
