"""What an image must have for a scenario to apply to it, by the names that ``gk_needs`` takes."""

from __future__ import annotations

from harness.errors import OptionError
from harness.image.model import Image

ABILITIES = ("console", "breakglass", "serial-shell", "slot")


def why_not(image: Image, ability: str, *, has_key: bool) -> str:
    """Return why an image cannot do what a scenario needs, "" when it can; raises OptionError for no ability."""
    if ability not in ABILITIES:
        raise OptionError(f"gk_needs does not know {ability!r}", hint=f"choose from: {', '.join(ABILITIES)}")
    if ability == "console" and image.serial is None:
        return "not applicable: the image has no serial console (SerialConsole is disabled; see --gk-serial)"
    if ability == "serial-shell" and not (image.serial and image.has_serial_shell):
        return "not applicable: the image has no shell on a serial console"
    if ability == "slot" and image.serial is None and why_not(image, "breakglass", has_key=has_key):
        return "not applicable: neither console nor breakglass show which slot runs"
    if ability == "breakglass":
        if image.breakglass is None:
            return "not applicable: the image has no breakglass"
        if not has_key:
            return "not applicable: no key is known that breakglass on this image accepts (give --gk-ssh-key)"
    return ""
