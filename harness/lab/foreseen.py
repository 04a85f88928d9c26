"""What an image will lack for a test, as far as that is known before the image is built."""

from __future__ import annotations

from collections.abc import Iterable

from harness.appliance.abilities import (
    BREAKGLASS,
    NO_BREAKGLASS,
    NO_CONSOLE_SHELL,
    NO_SHELL,
    NOT,
    OVER_HTTP,
    SHELL,
    SOCKET_ONLY,
    UNHEARD,
)
from harness.build.instance import Instance
from harness.firmware.voice import NO_SERIAL


def foreseen(instance: Instance, needs: Iterable[str], *, serial: bool, no_checkpoint: str = "") -> str:
    """Return what ``missing`` will say of the image of an instance, as far as its config.json shows that.

    ``serial``: it is built with a serial console, whatever its config.json says. ``no_checkpoint``: why its board
    allows none.
    """
    packages = instance.config.packages
    silent = instance.config.serial_console in ("disabled", "off") and not serial
    no_http = instance.password is None
    breakglass = (OVER_HTTP if no_http else "") if BREAKGLASS in packages else NO_BREAKGLASS
    shell = "" if SHELL in packages else NO_SHELL
    lacks = {
        "http": SOCKET_ONLY if no_http else "",
        "breakglass": breakglass,
        # A shell may also be among the extra files: that is known when the image is built.
        "breakglass-shell": breakglass,
        "checkpoint": no_checkpoint,
        "console": f"{UNHEARD}: {NO_SERIAL}" if silent else "",
        "serial-shell": f"{NO_CONSOLE_SHELL}: {NO_SERIAL}" if silent else shell,
    }
    return next((f"{NOT}{lacks[need]}" for need in needs if lacks.get(need)), "")
