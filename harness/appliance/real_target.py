"""RealTarget: a real device, and all that is known of it before a test has it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from harness.appliance.abilities import NOT, missing
from harness.appliance.device_options import At
from harness.appliance.real_power import Wiring
from harness.boards import Board
from harness.errors import OptionError
from harness.firmware.voice import Voice, voice_at_line
from harness.gokrazy.status import ServiceStatus, Status
from harness.image.arch import ARCHITECTURES, Arch
from harness.image.model import Breakglass, Extent, Image, Kernel, Layout, Service

EMULATION = f"{NOT}this needs emulation"
UNKNOWN = "it is not known what the device runs (--gk-image says it)"
NO_LINE = "no serial line to it is known (--gk-device-serial)"
_MACHINE = re.compile(r"\((\S+)\)$")
_ROOT = re.compile(r"\broot=PARTUUID=([0-9A-Fa-f-]+?)(?:-0\d|/PARTNROFF=\d)(?!\d)")


@dataclass
class RealTarget:
    """The device of a run; what was found at first is kept, so that a test can leave it so."""

    board: Board
    """What stands for it."""
    image: Image
    """What runs on it at first."""
    known: bool
    """Whether that is known by a file; else only what the device says."""
    at: At
    ssh: At | None
    """Where breakglass answers, None for the same host."""
    wiring: Wiring
    key: Path | None
    no_key: str
    """Why no key is known that breakglass accepts, "" when one is."""
    in_use: str = ""
    """Why breakglass is left alone, "" when it is not."""
    found: dict[str, ServiceStatus] = field(default_factory=dict)
    """Its services as they were when the run began, or after the last restart that the run asked for."""

    def voice(self, image: Image) -> Voice:
        """Who is heard on the serial line when this image runs."""
        if self.wiring.serial is None:
            return Voice("", kernel=False, init=False, why=NO_LINE)
        if not self.known:
            return Voice("", kernel=False, init=False, why=UNKNOWN)
        return voice_at_line(image.cmdline)

    def missing(self, ability: str, image: Image, voice: Voice) -> str:
        """Return what it lacks for this ability with this image, and why; "" when it has all."""
        if lack := missing(image, ability, voice=voice, no_key=self.no_key):
            return lack
        may = self.wiring.may
        shell = "" if ability == "serial-shell" else self.in_use
        reason = {
            "image": "" if self.known else UNKNOWN,
            "update": may.refusal("update") or may.refusal("reboot") or ("" if self.known else UNKNOWN),
            "power": self.wiring.no_power,
            "screen": "this needs emulation: nobody here sees the screen of a real device",
            "agent": "this needs emulation: QEMU has the channel to a guest agent",
            "disk": "this needs emulation: nobody here reads the disk of a real device",
            "breakglass": may.refusal("shell") or shell,
            "breakglass-shell": may.refusal("shell") or shell,
            "serial-shell": may.refusal("shell"),
        }.get(ability, "")
        if ability == "perm-files":
            return self.missing("disk", image, voice)
        if ability in ("slot", "perm"):
            return self.missing("breakglass-shell", image, voice)
        return f"{NOT}{reason}" if reason else ""

    def misfit(self, image: Image) -> str:
        """Why an update to this image would leave a device that does not start; "" where it is fine."""
        if other := self.board.other_than(image.arch):
            return other
        roots = [_ROOT.search(one.cmdline) for one in (self.image, image)]
        disks = [found[1].lower() if found else "" for found in roots]
        if disks[0] != disks[1]:
            return (
                f"its root is on a disk with the id {disks[1] or '?'}, and the device's disk has {disks[0] or '?'}"
            )
        return ""


def arch_of(status: Status) -> Arch:
    """The architecture that a device says it has; raises OptionError where it does not say."""
    found = _MACHINE.search(status.kernel)
    arch = next((one.name for one in ARCHITECTURES if found and one.machine == found[1]), None)
    if arch is None:
        raise OptionError(
            f"the device does not say what it is built for (its kernel: {status.kernel or 'not named'})",
            hint="give the image that it runs (--gk-image)",
        )
    return arch


def image_of(status: Status, at: At, password: str | None) -> Image:
    """What runs on a device, by its own word alone."""
    paths = {one.name: one for one in status.services}
    nothing = Extent(0, 0)
    mounted = status.perm_is_mounted
    breakglass = paths.get("breakglass")
    return Image(
        path=Path(),
        digest="",
        size=0,
        arch=arch_of(status),
        hostname=status.hostname,
        build=status.build_timestamp,
        builder="given",
        layout=Layout(nothing, nothing, nothing, Extent(0, status.perm_total) if mounted else None),
        kernel=Kernel(status.kernel_release),
        cmdline="",
        services=tuple(Service(one.path, args=one.args[1:]) for one in status.services),
        perm="other" if mounted else "blank",
        http_port=at.port if at.scheme == "http" else 80,
        https_port=at.port if at.scheme == "https" else 443,
        tls=at.scheme == "https",
        password=password,
        breakglass=Breakglass(breakglass.path) if breakglass is not None else None,
        has_serial_shell="serial-busybox" in paths,
        sbom_hash=status.sbom_hash,
    )
