"""What gok needs to talk to an appliance through forwarded ports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

BUILDS = ("update", "overwrite", "sbom", "get", "add", "push", "vm")
"""The verbs of gok that build the instance or read its packages; the others only talk to the device."""


@dataclass(frozen=True)
class Reached:
    """Where the web interface of an appliance is reached from here."""

    url: str
    """Without user and password."""
    password: str = field(repr=False)
    folder: Path
    """Where what gok needs is to be written: a new folder."""


@dataclass(frozen=True)
class GokConfig:
    """Two copies of an instance, for what gok does in two ways.

    ``gok update`` builds an image, which has the instance's own ports, and finds the device by
    InternalCompatibilityFlags.Update. All other verbs find it by Update.Hostname and the ports (httpclient.For in
    github.com/gokrazy/internal), which must be those of this host.
    """

    builds: Path
    """The instance for ``gok update``, ``gok sbom``."""
    talks: Path
    """The instance for ``gok logs``, ``gok ps``, ``gok run``."""

    def command(self, verb: str, *arguments: str) -> list[str]:
        """The command line: ``command("logs", "-s", "hello")``."""
        instance = self.builds if verb in BUILDS else self.talks
        return ["gok", "--parent_dir", str(instance.parent), "-i", instance.name, verb, *arguments]


GokWriter: TypeAlias = Callable[[Reached], GokConfig]
"""Writes what gok needs for the image that runs; raises OptionError for one that is of no instance."""
