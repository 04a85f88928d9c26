"""What an image must have on a board for a scenario to apply to it, by the names that ``gk_needs`` takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.errors import OptionError
from harness.firmware.voice import NO_SERIAL, Voice
from harness.image.model import Image

if TYPE_CHECKING:
    from harness.build.instance import Instance

ABILITIES = ("console", "http", "breakglass", "breakglass-shell", "serial-shell", "slot", "perm", "ready")
NO_KEY = "no key is known that breakglass on this image accepts (give --gk-ssh-key)"
BREAKGLASS = "github.com/gokrazy/breakglass"
SHELL = "github.com/gokrazy/serial-busybox"
NOT = "not applicable: "
SOCKET_ONLY = "the web interface listens on a Unix socket of the device only (NoPassword)"
OVER_HTTP = f"breakglass is started over HTTP, and {SOCKET_ONLY}"
NO_BREAKGLASS = "the image has no breakglass"
UNHEARD = "init is not heard on the console"
NO_CONSOLE_SHELL = "there is no shell on the console"
NO_SHELL = "the image has no shell on a serial console"
NO_SHELL_AT_ALL = f"the image has no shell for breakglass to run commands with ({SHELL} brings one)"


def why_not(image: Image, ability: str, *, voice: Voice, no_key: str) -> str:
    """Return why an image cannot do what a scenario needs, "" when it can; raises OptionError for no ability.

    ``voice`` is who is heard on the board's serial port; ``no_key`` tells why nobody here can enter breakglass,
    "" when a key is known that can.
    """
    if ability not in ABILITIES:
        raise OptionError(f"gk_needs does not know {ability!r}", hint=f"choose from: {', '.join(ABILITIES)}")

    def lacks(other: str) -> str:
        return why_not(image, other, voice=voice, no_key=no_key).removeprefix(NOT)

    if ability == "console":
        return f"{NOT}{UNHEARD}: {voice.why}" if voice.why else ""
    if ability == "http":
        return "" if image.serves_tcp else NOT + SOCKET_ONLY
    if ability == "serial-shell":
        if voice.why:
            return f"{NOT}{NO_CONSOLE_SHELL}: {voice.why}"
        return "" if image.has_serial_shell else f"{NOT}{NO_SHELL}"
    if ability == "breakglass":
        if image.breakglass is None:
            return f"{NOT}{NO_BREAKGLASS}"
        if lacks("http"):
            return f"{NOT}{OVER_HTTP}"
        return f"{NOT}{no_key}" if no_key else ""
    if ability == "breakglass-shell":
        missing = lacks("breakglass") or ("" if image.has_shell else NO_SHELL_AT_ALL)
        return f"{NOT}{missing}" if missing else ""
    if ability == "slot" and not voice.any and lacks("breakglass-shell"):
        return f"{NOT}neither console nor breakglass show which slot runs"
    if ability == "ready" and lacks("http") and lacks("console"):
        return f"{NOT}nothing tells when it is up: {SOCKET_ONLY}, and {UNHEARD}: {voice.why}"
    return _no_perm(image) if ability == "perm" else ""


def foreseen(instance: Instance, needs: Iterable[str], *, serial: bool) -> str:
    """Return what ``why_not`` will say of the image of an instance, as far as its config.json tells.

    ``serial`` tells that it is built with a serial console, whatever that says.
    """
    packages = instance.config.packages
    silent = instance.config.serial_console in ("disabled", "off") and not serial
    no_http = instance.password is None
    breakglass = (OVER_HTTP if no_http else "") if BREAKGLASS in packages else NO_BREAKGLASS
    shell = "" if SHELL in packages else NO_SHELL
    lacks = {
        "http": SOCKET_ONLY if no_http else "",
        "breakglass": breakglass,
        # A shell may also be among the extra files: the image will tell.
        "breakglass-shell": breakglass,
        "console": f"{UNHEARD}: {NO_SERIAL}" if silent else "",
        "serial-shell": f"{NO_CONSOLE_SHELL}: {NO_SERIAL}" if silent else shell,
    }
    return next((f"{NOT}{lacks[need]}" for need in needs if lacks.get(need)), "")


def _no_perm(image: Image) -> str:
    if image.layout.perm is None:
        return f"{NOT}the image has no permanent partition"
    if image.perm == "blank":
        return f"{NOT}/perm is not formatted in the image (--gk-perm ext4 does it on each test's disk)"
    return ""
