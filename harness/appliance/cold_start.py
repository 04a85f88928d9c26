"""ColdStart: how an appliance came up from power-on, also as JSON for other processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness import errors
from harness.console.check import Severity
from harness.console.findings import Finding
from harness.console.lines import Line
from harness.console.phases import Boot, Cause, Phase


@dataclass(frozen=True)
class ColdStart:
    """How an appliance came up from power-on; of a restored one, how that came up whose snapshot it is."""

    boot: Boot | None
    """None without a console."""
    unclean: tuple[Finding, ...]
    ready: float
    """Seconds from power-on to the first answer over HTTP; of one that formats /perm, with it mounted."""
    earlier: tuple[Boot, ...] = ()
    """The boots before that one since power-on: a program formatted /perm, and rebooted."""
    resets: int = 0
    """How often the machine was reset meanwhile, whether or not a console shows it; kexec is no reset."""

    def continued(self, boot: Boot | None, ready: float) -> ColdStart:
        """This start with the seconds added that one restored without its network took to get it.

        ``boot`` is the boot that continued, in seconds since the restore; ``ready`` is when it answered.
        """
        if self.boot is None or boot is None:
            return self
        at = {phase: self.ready + boot.at[phase] for phase in boot.at if phase not in self.boot.at}
        whole = replace(self.boot, at={**self.boot.at, **at}, http=boot.http)
        return replace(self, boot=whole, ready=self.ready + ready)

    def as_json(self) -> dict[str, Any]:
        """What ``from_json`` needs."""
        return {
            "boot": asdict(self.boot) if self.boot is not None else None,
            "unclean": [_finding(one) for one in self.unclean],
            "ready": self.ready,
            "earlier": [asdict(one) for one in self.earlier],
            "resets": self.resets,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ColdStart:
        """A start as ``as_json`` wrote it, perhaps in another process."""
        boot = boot_from_json(data["boot"]) if data["boot"] is not None else None
        earlier = tuple(boot_from_json(one) for one in data["earlier"])
        unclean = tuple(_found(one) for one in data["unclean"])
        return cls(boot, unclean, data["ready"], earlier, data["resets"])


def boot_from_json(data: Mapping[str, Any]) -> Boot:
    """A boot as ``dataclasses.asdict`` and JSON made it."""
    at = {Phase(name): seconds for name, seconds in data["at"].items()}
    return Boot(**{**data, "cause": Cause(data["cause"]), "at": at, "http": tuple(data["http"])})


def _finding(finding: Finding) -> dict[str, Any]:
    known = {
        name: value for name, value in vars(finding).items() if name not in ("error_type", "line", "evidence")
    }
    return {
        **known,
        "severity": finding.severity.value,
        "error_type": finding.error_type.__name__,
        "line": finding.line._asdict(),
        "evidence": [line._asdict() for line in finding.evidence],
    }


def _found(data: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **data,
            "severity": Severity(data["severity"]),
            "error_type": getattr(errors, data["error_type"]),
            "line": Line(**data["line"]),
            "evidence": [Line(**line) for line in data["evidence"]],
        }
    )
