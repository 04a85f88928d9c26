"""DeviceType: devices whose disk begins otherwise (github.com/gokrazy/internal/deviceconfig)."""

from __future__ import annotations

from dataclasses import dataclass

from harness.image.model import SECTOR


@dataclass(frozen=True)
class RawFile:
    """A boot loader that lies on the disk itself: a file of the kernel package, and its place in bytes."""

    name: str
    offset: int
    most: int


@dataclass(frozen=True)
class DeviceType:
    """How the disk of a device differs from the usual one."""

    name: str
    has_gpt: bool = True
    boot_first: int = 8192
    """Sectors before the boot partition."""
    files: tuple[RawFile, ...] = ()

    @property
    def smallest_disk(self) -> int:
        """Bytes; the smallest ``--target_storage_bytes`` that gok takes: it adds sectors to bytes."""
        return (1200 << 20) + self.boot_first


USUAL = DeviceType("")


def _raw(name: str, first: int, sectors: int) -> RawFile:
    return RawFile(name, first * SECTOR, sectors * SECTOR)


DEVICE_TYPES = (
    DeviceType("rock64", boot_first=32768, files=(_raw("u-boot-rockchip.bin", 64, 32704),)),
    DeviceType(
        "odroidhc1",
        has_gpt=False,
        files=(
            _raw("bl1.bin", 1, 30),
            _raw("bl2.bin", 31, 32),
            _raw("u-boot.bin", 63, 1440),
            _raw("tzsw.bin", 1503, 512),
        ),
    ),
    DeviceType("nanopi_neo", has_gpt=False, boot_first=2048, files=(_raw("u-boot-sunxi-with-spl.bin", 16, 2032),)),
    DeviceType("qemumbrtesting", has_gpt=False),
)


def known_type(name: str) -> DeviceType | None:
    """The device type of this name, None when there is none."""
    return next((known for known in (USUAL, *DEVICE_TYPES) if known.name == name), None)
