"""What an image must have on a board for a scenario to apply to it, by the names that ``gk_needs`` takes."""

from __future__ import annotations

from harness.boards import Board
from harness.boards.hardware import DISPLAY
from harness.errors import OptionError
from harness.firmware.voice import Voice
from harness.gokrazy.browser import no_browser
from harness.image.model import PERM_TITLES, Image

OF_MACHINES = ("image", "update", "power", "disk")
"""What every machine of this host has, and a real device may lack; see ``RealTarget.missing``."""
ABILITIES = (
    *("console", "http", "breakglass", "breakglass-shell", "serial-shell", "slot", "perm", "perm-files"),
    *("checkpoint", "ready"),
    *("browser", "screen", "agent"),
    *OF_MACHINES,
)
NO_KEY = "no key is known that breakglass on this image accepts (give --gk-ssh-key)"
BREAKGLASS = "github.com/gokrazy/breakglass"
SHELL = "github.com/gokrazy/serial-busybox"
NOT = "not applicable: "
SOCKET_ONLY = "the web interface listens on a Unix socket of the device only (NoPassword)"
OVER_HTTP = f"breakglass is started over HTTP, and {SOCKET_ONLY}"
NO_BREAKGLASS = "the image has no breakglass"
UNHEARD = "init is not heard on the console"
NO_CONSOLE_SHELL = "there is no shell on the console"
NO_SCREEN = (
    f"{NOT}there is no screen (a PC has one for an image with a program that draws and a kernel with the driver)"
)
NO_AGENT = f"{NOT}no program of the image is a guest agent for QEMU"
CHANNEL_DRIVER = "virtio_console"
NO_SHELL = "the image has no shell on a serial console"
NO_SHELL_AT_ALL = f"the image has no shell for breakglass to run commands with ({SHELL} brings one)"


def missing(image: Image, ability: str, *, voice: Voice, no_key: str, board: Board | None = None) -> str:
    """Return what an image lacks for this ability, and why, "" when it has all; raises OptionError for no ability.

    ``voice`` is who is heard on the board's serial port; ``no_key`` says why nobody here can enter breakglass,
    "" when a key is known that can; ``board`` is the board as it is for this image, None for a real device.
    """
    if ability not in ABILITIES:
        raise OptionError(f"gk_needs does not know {ability!r}", hint=f"choose from: {', '.join(ABILITIES)}")

    def lacks(other: str) -> str:
        return missing(image, other, voice=voice, no_key=no_key, board=board).removeprefix(NOT)

    if ability == "console":
        return f"{NOT}{UNHEARD}: {voice.why}" if voice.why else ""
    if ability == "checkpoint":
        return f"{NOT}{board.no_checkpoint}" if board is not None and board.no_checkpoint else ""
    if ability == "screen":
        return "" if board is None or DISPLAY in board.has else NO_SCREEN
    if ability == "agent":
        return _no_agent(image, board)
    if ability == "browser":
        lack = no_browser() or lacks("http")
        return f"{NOT}{lack}" if lack else ""
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
        lack = lacks("breakglass") or ("" if image.has_shell else NO_SHELL_AT_ALL)
        return f"{NOT}{lack}" if lack else ""
    if ability == "slot" and not voice.any and lacks("breakglass-shell"):
        return f"{NOT}neither console nor breakglass shows which slot runs"
    if ability == "ready" and lacks("http") and lacks("console"):
        return f"{NOT}nothing says when it is up: {SOCKET_ONLY}, and {UNHEARD}: {voice.why}"
    if ability == "perm-files":
        return _no_perm_files(image)
    return _no_perm(image) if ability == "perm" else ""


def _no_perm_files(image: Image) -> str:
    if lack := _no_perm(image):
        return lack
    if image.perm_is_elsewhere:
        return f"{NOT}MountDevices puts another disk on /perm"
    if image.perm == "ext4":
        return ""
    return f"{NOT}this host writes no files into a /perm that is {PERM_TITLES[image.perm]}"


def _no_perm(image: Image) -> str:
    if image.layout.perm is None:
        return f"{NOT}the image has no permanent partition"
    if image.perm == "blank":
        return f"{NOT}/perm is not formatted in the image (--gk-perm ext4 does it on each test's disk)"
    return ""


def _no_agent(image: Image, board: Board | None) -> str:
    if not image.has_agent:
        return NO_AGENT
    if board is not None and board.fixed:
        return f"{NOT}{board.name} has no place for a guest agent's channel: it has {board.fixed}"
    driven = not image.kernel.drivers or CHANNEL_DRIVER in image.kernel.drivers
    return "" if driven else f"{NOT}the kernel has no driver for a guest agent's channel ({CHANNEL_DRIVER})"
