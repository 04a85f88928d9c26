"""Copies of an instance that lead gok to a device at a forwarded port; the instance itself is only read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from harness.build.instance_copy import copy_instance

CONFIG = "config.json"


def write_for_building(instance: Path, url: str, password: str, folder: Path) -> Path:
    """A copy for ``gok update``: the image that it builds is the instance's, its target is this address."""
    at = urlsplit(url)
    copy = copy_instance(instance, folder)
    config = _read(copy)
    flags = {**(config.get("InternalCompatibilityFlags") or {})}
    flags["Update"] = f"{at.scheme}://gokrazy:{quote(password, safe='')}@{at.netloc}/"
    flags["Insecure"] = True  # the certificate is for the device's own name
    _write(copy, {**config, "InternalCompatibilityFlags": flags})
    return copy


def write_for_talking(instance: Path, url: str, password: str, folder: Path) -> Path:
    """A config.json for the verbs that build no image: host name, port and password are those that reach it."""
    at = urlsplit(url)
    config = _read(instance)
    # gok puts the password into an address as it is.
    port = str(at.port or (443 if at.scheme == "https" else 80))
    update = {**(config.get("Update") or {}), "Hostname": at.hostname, "HTTPPassword": quote(password, safe="")}
    update |= {"HTTPPort": port, "HTTPSPort": port}
    if at.scheme == "http":
        update["UseTLS"] = "off"
    flags = {**(config.get("InternalCompatibilityFlags") or {}), "Insecure": True}
    flags.pop("Update", None)
    copy = folder / instance.name
    copy.mkdir(parents=True)
    _write(copy, {**config, "Update": update, "InternalCompatibilityFlags": flags})
    return copy


def _read(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
    return read


def _write(folder: Path, config: dict[str, Any]) -> None:
    """It holds the password: only its owner may read it."""
    file = folder / CONFIG
    file.unlink(missing_ok=True)
    file.touch(0o600)
    file.write_text(json.dumps(config, indent=4) + "\n", "utf-8")
