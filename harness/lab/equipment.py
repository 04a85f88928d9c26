"""What the machines of an image get beyond their board: what was asked for, and the ways into that image."""

from __future__ import annotations

from dataclasses import replace

from harness.image.model import Image
from harness.machine.equipment import Equipment
from harness.machine.ports import Port
from harness.options import Settings
from harness.package_data import images_folder


def equipment(settings: Settings, image: Image) -> Equipment:
    """What the machines of this image are to be beyond their board; the image's own ways in come first."""
    ways_in = [image.http_port, image.https_port]
    if image.breakglass is not None:
        ways_in.append(image.breakglass.port)
    own = own_ports() if settings.is_own else ()
    asked = settings.equipment
    return replace(asked, forwards=tuple(dict.fromkeys([*map(Port, ways_in), *asked.forwards, *own])))


def own_ports() -> tuple[Port, ...]:
    """What the programs of the project's own images listen on, as the file beside them says."""
    lines = (images_folder() / "ports.txt").read_text("utf-8").splitlines()
    return tuple(Port.parse(line) for line in lines if line and not line.startswith("#"))
