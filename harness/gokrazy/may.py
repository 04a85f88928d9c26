"""May: what a run may do to a real device; what it may not is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.errors import NotOnDevice, OptionError

ASKS = "GET"
"""The method that changes nothing on a gokrazy device: it is always allowed."""


@dataclass(frozen=True)
class Kind:
    """A kind of what a test may do to a device."""

    name: str
    does: str
    """In words that follow "may"."""
    paths: tuple[str, ...] = ()
    """Beginnings of the paths of its web interface that do this."""


KINDS = (
    Kind("services", "start, stop and restart services", ("/restart", "/stop")),
    Kind("shell", "start breakglass, and run commands there or on the console", ("/divert", "/uploadtemp/")),
    Kind("reboot", "reboot the device", ("/reboot",)),
    Kind("update", "write an image to the slot that is down, and switch to it", ("/update/",)),
    Kind("power", "switch the device off and on", ("/poweroff",)),
)
"""All of them. Source of the paths: gokrazy's update.go and status.go."""
BREAKGLASS = "breakglass"
"""The service that is a way in: to start it belongs to the shell."""


@dataclass
class May:
    """What a run may do to its device, and what it did to services."""

    allowed: frozenset[str] = frozenset()
    touched: set[str] = field(default_factory=set)
    """The paths of services that were started, stopped or restarted here."""
    restarted: bool = False
    """Whether a reboot, or a power cycle, was asked for here since this was last set to False."""

    def refusal(self, kind: str) -> str:
        """Why what belongs to this kind is refused, "" where it is allowed."""
        if kind in self.allowed:
            return ""
        does = next(one.does for one in KINDS if one.name == kind)
        return f"on a real device a test may not {does} (--gk-device-may {kind} allows it)"

    def demand(self, kind: str) -> None:
        """Raise NotOnDevice where this kind is not allowed."""
        if reason := self.refusal(kind):
            raise NotOnDevice(reason)

    def request(self, method: str, path: str, form: object) -> None:
        """Raise NotOnDevice for a request that is not allowed; else keep what it will do."""
        if method == ASKS:
            return
        service = str(form.get("path", "")) if isinstance(form, Mapping) else ""
        kind = next((one.name for one in KINDS if path.startswith(one.paths)), "")
        if not kind:
            raise NotOnDevice(f"nobody knows what {method} {path} does to a real device, so it is not sent")
        if kind == "services" and service.rpartition("/")[2] == BREAKGLASS:
            kind = "shell"
        self.demand(kind)
        if service:
            self.touched.add(service)
        self.restarted = self.restarted or kind in ("reboot", "power")


def kinds(names: tuple[str, ...]) -> frozenset[str]:
    """The kinds of these names; raises OptionError for one that is none."""
    known = [one.name for one in KINDS]
    for name in names:
        if name not in known:
            raise OptionError(f"{name!r} is nothing that a run may do", hint=f"choose from: {', '.join(known)}")
    return frozenset(names)


def table() -> str:
    """What each kind allows, as the Markdown table of docs/devices.md."""
    rows = [f"| `{one.name}` | {one.does} |" for one in KINDS]
    return "\n".join(["| kind | a test may |", "| --- | --- |", *rows])
