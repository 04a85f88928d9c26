"""How a person reaches an appliance that runs: addresses, user, and where the password is, never the password."""

from __future__ import annotations

from harness.appliance.appliance import Appliance
from harness.build.instance import load_instance
from harness.build.subject import is_image
from harness.errors import ConfigError
from harness.options import Settings

IN_THE_IMAGE = "the image's own (/etc/gokr-pw.txt)"


def password_place(source: str, settings: Settings) -> str:
    """Where the password of what was made of ``source`` is, an instance or an image."""
    if is_image(source) or not source:
        return str(settings.password_file) if settings.password_file is not None else IN_THE_IMAGE
    try:
        return load_instance(source).password_place
    except ConfigError:
        # Somebody edits it just now. The image has what it had.
        return IN_THE_IMAGE


def ways_in(appliance: Appliance, password: str) -> list[str]:
    """What to type to reach it, a line each; ``password`` is where the password is."""
    image, lines = appliance.running, []
    if appliance.can("http"):
        tls = appliance.device.speaks_tls
        url = appliance.url(image.https_port if tls else image.http_port, "/", scheme="https" if tls else "http")
        lines.append(f"web interface: {url}  user gokrazy, password: {password}")
    if command := appliance.ssh_command:
        lines.append(f"SSH, once breakglass is started: {command}")
    return lines
