"""What is to be built, and who builds it: gok, or the own packer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from harness.errors import OptionError
from harness.image.arch import Arch, architecture_of
from harness.image.model import Image, PermState
from harness.option import Option, names, path_if_there, rows

NEXT = {"/etc/gokrazy-harness/release": "next\n"}
"""What the own packer adds to the root file system of an update, so that it differs in content."""
COMMANDS = ("check", "build", "boot", "run", "bump", "hardware", "measure")
"""The commands of gokharness that build."""
_KEYED_OTHERWISE = frozenset({"builder", "kernel", "with_modules", "timestamp", "serial", "perm"})
"""Options that an image's key has in other words: only the own packer has this key, it digests the kernel's files
and each staged go.mod, the timestamp is added last, and the other two count by what they come to."""
BAUD = 115200
"""Bits a second of the SerialConsole of a build with ``serial``."""


@dataclass(frozen=True, kw_only=True)
class BuildOptions:
    """How a build is to differ from what the instance, or the host, has. Every field is an option.

    gok is not asked for what its row does not say that it can.
    """

    builder: Literal["auto", "gok", "own"] = Option(
        "builder",
        "who packs the image: gok, or the harness's own packer; auto takes gok if that is on PATH and can do it",
        metavar="NAME",
        choices=("auto", "gok", "own"),
        commands=COMMANDS,
        gok=True,
    ).default("auto")
    kernel: str | None = Option(
        "kernel",
        "build with another kernel: a module version, or a folder with vmlinuz",
        metavar="MODULE@VERSION|DIR",
        place=path_if_there,
        commands=COMMANDS,
    ).default(None)
    with_modules: tuple[str, ...] = Option(
        "with",
        "build with another version of a module that the instance uses; may be repeated",
        kind="list",
        metavar="MODULE@VERSION",
        reader=names,
        commands=COMMANDS,
    ).default(())
    serial: bool = Option(
        "serial", "build with a console on the board's serial port", kind="flag", commands=COMMANDS
    ).default(False)
    perm: Literal["ext4", "blank"] | None = Option(
        "perm",
        "/perm before the first start: formatted, or blank (default: a finished image keeps its own; an instance "
        "is built with a formatted one, unless one of its programs formats it)",
        metavar="STATE",
        choices=("ext4", "blank"),
        commands=COMMANDS,
        gok=True,
    ).default(None)
    fast_boot: bool = Option(
        "fast-boot", "drop rootdelay from the kernel's command line", kind="flag", commands=COMMANDS
    ).default(False)
    timestamp: str | None = Option(
        "timestamp", "build timestamp to write into the image", metavar="RFC3339"
    ).default(None)
    """None: $SOURCE_DATE_EPOCH, else derived from all that goes in (see ``timestamp``)."""


@dataclass(frozen=True)
class BuildRequest(BuildOptions):
    """One build. Everything that is None or empty is as the instance, or the host, has it."""

    instance: Path | str
    """The folder, or a name that gok knows."""
    ca_bundle: Path | None = None
    localtime: Path | None = None
    """A zoneinfo file; None: UTC."""
    after: Image | None = None
    """The image of the same instance that this one is to update: by the same builder, and other in content."""
    size: int | None = None
    """Bytes of the disk; None: TargetStorageBytes, else the smallest that does."""

    @classmethod
    def of(cls, instance: Path | str, options: BuildOptions, *, after: Image | None = None) -> BuildRequest:
        """A build of this instance with these options, all of them."""
        said: dict[str, Any] = {one.name: getattr(options, one.name) for one in fields(BuildOptions)}
        return cls(instance, after=after, **said)

    @property
    def perm_state(self) -> PermState:
        """What /perm is to be, unless a program of the instance formats it."""
        return self.perm or "ext4"

    def facts(self, arch: Arch) -> dict[str, Any]:
        """What its options do to an image, for the image's key."""
        options = [one.field for one in rows(type(self)) if one.field not in _KEYED_OTHERWISE]
        return {
            "serial": self.console(arch),
            "perm": self.perm_state,
            **{field: getattr(self, field) for field in options},
        }

    def console(self, arch: Arch) -> str | None:
        """The SerialConsole to build with in place of the instance's own; None to keep that."""
        return f"{architecture_of(arch).serial},{BAUD}" if self.serial else None


def builder_of(request: BuildRequest, environ: Mapping[str, str] = os.environ) -> Literal["gok", "own"]:
    """Who builds what is asked for; raises OptionError when gok is asked for what only the own packer does."""
    if request.after is not None and request.after.builder != "given":
        return request.after.builder
    beyond = beyond_gok(request)
    if request.builder == "gok":
        if beyond:
            raise OptionError(
                f"gok cannot do {', '.join(beyond)}",
                hint="leave it out, or have the own packer build (--gk-builder own)",
            )
        return "gok"
    if request.builder == "auto" and not beyond and shutil.which("gok", path=environ.get("PATH")):
        return "gok"
    return "own"


def beyond_gok(request: BuildRequest) -> list[str]:
    """What is asked for that gok cannot build, by the options' flags."""
    usual = BuildRequest(request.instance)
    beyond = [
        option.flag
        for option in rows(BuildOptions)
        if not option.gok and getattr(request, option.field) != getattr(usual, option.field)
    ]
    others = {"ca_bundle": "other CA certificates", "localtime": "another time zone"}
    return beyond + [title for name, title in others.items() if getattr(request, name) is not None]
