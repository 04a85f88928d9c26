"""What an image must have for a scenario to apply to it, by the names that ``gk_needs`` takes."""

from __future__ import annotations

from harness.errors import OptionError
from harness.image.model import Image

ABILITIES = ("console", "breakglass", "serial-shell", "slot", "perm")
NO_KEY = "no key is known that breakglass on this image accepts (give --gk-ssh-key)"


def why_not(image: Image, ability: str, *, no_key: str) -> str:
    """Return why an image cannot do what a scenario needs, "" when it can; raises OptionError for no ability.

    ``no_key`` tells why nobody here can enter breakglass on it, "" when a key is known that can.
    """
    if ability not in ABILITIES:
        raise OptionError(f"gk_needs does not know {ability!r}", hint=f"choose from: {', '.join(ABILITIES)}")
    if ability == "console" and image.serial is None:
        return "not applicable: the image has no serial console (SerialConsole is disabled; see --gk-serial)"
    if ability == "serial-shell" and not (image.serial and image.has_serial_shell):
        return "not applicable: the image has no shell on a serial console"
    if ability == "slot" and image.serial is None and why_not(image, "breakglass", no_key=no_key):
        return "not applicable: neither console nor breakglass show which slot runs"
    if ability == "breakglass":
        if image.breakglass is None:
            return "not applicable: the image has no breakglass"
        return f"not applicable: {no_key}" if no_key else ""
    return _no_perm(image) if ability == "perm" else ""


def _no_perm(image: Image) -> str:
    if image.layout.perm is None:
        return "not applicable: the image has no permanent partition"
    if image.perm == "blank":
        return "not applicable: /perm is not formatted in the image (--gk-perm ext4 does it on each test's disk)"
    return ""
