"""ColdStart: how an appliance came up from power-on, and how that is told to other processes."""

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
    """How an appliance came up from power-on, before it was captured or not."""

    boot: Boot | None
    """None without a console."""
    unclean: tuple[Finding, ...]
    ready: float
    """Seconds from power-on to the first answer over HTTP; of one that formats /perm, with it mounted."""
    earlier: tuple[Boot, ...] = ()
    """The boots before that one since power-on: a program formatted /perm, and rebooted."""
    resets: int = 0
    """How often the machine was reset meanwhile, whether or not a console tells of it; kexec is no reset."""

    def went_on(self, boot: Boot | None, ready: float) -> ColdStart:
        """The start of one that was captured without its network, as if it had not been stopped between.

        ``boot`` is that which went on, by its own seconds, ``ready`` how many it took to answer.
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
    def from_json(cls, told: Mapping[str, Any]) -> ColdStart:
        """A start that another process may have seen."""
        boot = _boot(told["boot"]) if told["boot"] is not None else None
        earlier = tuple(_boot(one) for one in told["earlier"])
        unclean = tuple(_found(one) for one in told["unclean"])
        return cls(boot, unclean, told["ready"], earlier, told["resets"])


def _boot(told: Mapping[str, Any]) -> Boot:
    at = {Phase(name): seconds for name, seconds in told["at"].items()}
    return Boot(**{**told, "cause": Cause(told["cause"]), "at": at, "http": tuple(told["http"])})


def _finding(finding: Finding) -> dict[str, Any]:
    known = {
        name: value for name, value in vars(finding).items() if name not in ("error_type", "line", "evidence")
    }
    return {
        **known,
        "severity": finding.severity.value,
        "error_type": finding.error_type.__name__,
        "line": asdict(finding.line),
        "evidence": [asdict(line) for line in finding.evidence],
    }


def _found(told: Mapping[str, Any]) -> Finding:
    return Finding(
        **{
            **told,
            "severity": Severity(told["severity"]),
            "error_type": getattr(errors, told["error_type"]),
            "line": Line(**told["line"]),
            "evidence": [Line(**line) for line in told["evidence"]],
        }
    )
