"""What the flags of breakglass in config.json say of an image, put into its record."""

from __future__ import annotations

from dataclasses import replace

from harness.image.breakglass_flags import flag, port_of
from harness.image.model import Image
from harness.image.root import root_of


def with_flags(image: Image) -> Image:
    """The image with breakglass as its flags have it, where these are known: not in a finished image."""
    breakglass = image.breakglass
    service = image.service(breakglass.path) if breakglass is not None else None
    if breakglass is None or service is None or not service.args:
        return image
    keys = flag(service.args, "authorized_keys")
    breakglass = replace(breakglass, port=port_of(service.args, breakglass.port))
    if keys.startswith("/") and keys != breakglass.authorized_keys:
        root = root_of(image)
        is_there = any(entry.path == keys and entry.kind == "file" for entry in root.entries())
        breakglass = replace(breakglass, authorized_keys=keys, has_keys=is_there)
    return replace(image, breakglass=breakglass)
