"""The DeviceType of an instance, and the boot loaders that it takes out of the kernel package."""

from __future__ import annotations

from pathlib import Path

from harness.build.config import Config
from harness.errors import ConfigError
from harness.image.device_types import DEVICE_TYPES, DeviceType, known_type


def device_type(config: Config) -> DeviceType:
    """The device type of an instance; raises ConfigError for one that gok does not know."""
    found = known_type(config.device_type)
    if found is not None:
        return found
    raise ConfigError(
        f"gokrazy knows no DeviceType {config.device_type!r}",
        where=config.where("$.DeviceType"),
        hint=f"one of: {', '.join(known.name for known in DEVICE_TYPES)}; without any it is a usual disk",
    )


def raw_files(device: DeviceType, kernel: Path, config: Config) -> list[tuple[int, bytes]]:
    """The boot loaders of a device out of its kernel package, with their offsets; raises ConfigError."""
    found = []
    for file in device.files:
        try:
            content = (kernel / file.name).read_bytes()
        except OSError as error:
            raise ConfigError(
                f"DeviceType {device.name} needs {file.name} of the kernel package: {error.strerror}",
                where=config.where("$.DeviceType"),
                hint="use the kernel package for this device, or leave DeviceType out",
            ) from error
        if len(content) > file.most:
            raise ConfigError(
                f"{file.name} has {len(content)} bytes, and its place on the disk {file.most}",
                where=str(kernel / file.name),
            )
        found.append((file.offset, content))
    return found
