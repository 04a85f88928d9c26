"""What is to be built, and who builds it: gok, or the own packer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.errors import OptionError
from harness.image.model import Image, PermState

NEXT = {"/etc/gokrazy-harness/release": "next\n"}
"""What the own packer adds to the root file system of an update, so that it differs in content."""


@dataclass(frozen=True)
class BuildRequest:
    """What to build. Everything that is None or empty is as the instance, or the host, has it."""

    instance: Path | str
    """The folder, or a name that gok knows."""
    builder: Literal["auto", "gok", "own"] = "auto"
    kernel: str | None = None
    """MODULE@VERSION, or a folder with vmlinuz."""
    with_modules: tuple[str, ...] = ()
    """MODULE@VERSION of modules that the instance uses."""
    serial: str | None = None
    """Another SerialConsole."""
    perm: PermState = "ext4"
    timestamp: str | None = None
    """RFC 3339; None: $SOURCE_DATE_EPOCH, else derived from all that goes in (see ``timestamp``)."""
    ca_bundle: Path | None = None
    localtime: Path | None = None
    """A zoneinfo file; None: UTC."""
    after: Image | None = None
    """The image of the same instance that this one is to update: by the same builder, and other in content."""
    fast_boot: bool = False
    """Whether the kernel is told not to wait for its disk (rootdelay=0)."""
    size: int | None = None
    """Bytes of the disk; None: TargetStorageBytes, else the smallest that does."""


def builder_of(request: BuildRequest, environ: Mapping[str, str] = os.environ) -> Literal["gok", "own"]:
    """Who builds what is asked for; raises OptionError when gok is asked for what only the own packer does."""
    if request.after is not None and request.after.builder != "given":
        return request.after.builder
    beyond = beyond_gok(request)
    if request.builder == "gok":
        if beyond:
            raise OptionError(
                f"gok cannot be asked for this: {', '.join(beyond)}",
                hint="leave it out, or have the own packer build (--gk-builder own)",
            )
        return "gok"
    if request.builder == "auto" and not beyond and shutil.which("gok", path=environ.get("PATH")):
        return "gok"
    return "own"


def beyond_gok(request: BuildRequest) -> list[str]:
    """What was asked for and gok has no way to be told, in the words of the options."""
    names = {"kernel": "--gk-kernel", "with_modules": "--gk-with", "serial": "--gk-serial"}
    names |= {"timestamp": "--gk-timestamp", "fast_boot": "--gk-fast-boot"}
    names |= {"ca_bundle": "other CA certificates", "localtime": "another time zone"}
    return [name for field, name in names.items() if getattr(request, field)]
