"""What the flags of breakglass in config.json say: its port, and where it looks for the keys that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.image.layout import root_in_use
from harness.image.model import Image
from harness.image.squashfs import SquashFs


def flag(args: Sequence[str], name: str) -> str:
    """The value of a flag as Go's package flag reads it, the last one given; "" where there is none."""
    value, words = "", iter(args)
    for word in words:
        if not word.startswith("-") or word in ("-", "--"):
            break  # arguments follow
        told, is_there, text = word[1:].removeprefix("-").partition("=")
        if told == name:
            value = text if is_there else next(words, "")
        elif not is_there and told in ("port", "authorized_keys", "host_key", "forward"):
            next(words, "")
    return value


def port_of(args: Sequence[str], usual: int) -> int:
    """The port that these flags give breakglass, ``usual`` where they give none."""
    port = flag(args, "port")
    return int(port) if port.isdecimal() and 0 < int(port) < 65536 else usual


def with_flags(image: Image) -> Image:
    """The image with breakglass as its flags have it, where these are known: not in a finished image."""
    breakglass = image.breakglass
    service = image.service(breakglass.path) if breakglass is not None else None
    if breakglass is None or service is None or not service.args:
        return image
    keys = flag(service.args, "authorized_keys")
    breakglass = replace(breakglass, port=port_of(service.args, breakglass.port))
    if keys.startswith("/") and keys != breakglass.authorized_keys:
        root = SquashFs(image.path, root_in_use(image.layout, image.cmdline).offset)
        is_there = any(entry.path == keys and entry.kind == "file" for entry in root.entries())
        breakglass = replace(breakglass, authorized_keys=keys, has_keys=is_there)
    return replace(image, breakglass=breakglass)
