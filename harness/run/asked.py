"""What machines are asked to be, read from the options: ports, memory, processors, disks, arguments for QEMU."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.errors import OptionError
from harness.machine.extra_disk import ExtraDisk
from harness.machine.ports import Port

LEAST_MEMORY = 128
"""MiB: gokrazy's arm64 kernel does not come up with less."""
MOST_CPUS = 64


def _forward(value: object) -> tuple[Port, ...]:
    parts = [part for item in _items(value) for part in item.split(",") if part.strip()]
    try:
        return tuple(Port.parse(part) for part in parts)
    except OptionError as error:
        raise OptionError(f"--gk-forward: {error.what}", hint=error.hint) from None


def _disk(value: object) -> tuple[ExtraDisk, ...]:
    return tuple(ExtraDisk.parse(item, option="--gk-disk") for item in _items(value))


def _qemu_arg(value: object) -> tuple[str, ...]:
    return tuple(_items(value))


def _memory(value: object) -> int:
    return _number("--gk-memory", value, "MiB", LEAST_MEMORY, 1 << 20)


def _cpus(value: object) -> int:
    return _number("--gk-cpus", value, "processors", 1, MOST_CPUS)


def _number(option: str, value: object, unit: str, least: int, most: int) -> int:
    text = str(value).strip()
    if not text.isdecimal() or not least <= int(text) <= most:
        raise OptionError(f"{option} {text!r} is not a number of {unit}", hint=f"from {least} to {most}")
    return int(text)


def _items(value: object) -> list[str]:
    """What a list option was given, from the command line or from a file."""
    return list(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else [str(value)]


READ: Mapping[str, Callable[[object], object]] = {
    "forward": _forward,
    "memory": _memory,
    "cpus": _cpus,
    "disk": _disk,
    "qemu_arg": _qemu_arg,
}
"""How each is read, by the field that it is kept in."""
