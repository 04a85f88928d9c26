"""How well the crash table knows the logs of dying kernels: a table by kind, and each log that it misses.

Usage: ci/crash_logs.py FOLDER [--log FILE]
FOLDER has one log a file, with headers as in syzkaller's ``pkg/report/testdata/linux/report``: ``TITLE:`` names
what died, a log without it is clean. ``KIND: NAME ...`` names the right checks where a title says too little.
Fails below 98 % of the kernels since 6.12, and for a finding in a clean log.
"""

from __future__ import annotations

import argparse
import re
import socket
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from harness.console.check import Severity
from harness.console.console import Console
from harness.console.lines import KERNEL_STAMP

LEAST = 0.98
"""The share of the logs that must be recognised, with the right kind."""
SINCE = (6, 12)
"""The oldest kernel that counts."""

KINDS: tuple[tuple[str, frozenset[str] | None], ...] = tuple(
    (pattern, frozenset(kinds.split()) if kinds else None)
    for pattern, kinds in (
        # What no kernel says: a program's end, and what syzkaller concludes from silence.
        (r"SYZ(?:FAIL|FATAL)|^panic: |^fatal error: |no output|lost connection|unexpected kernel reboot", ""),
        (r"memory leak|^trusty: |^go runtime error|SIG(?:BUS|SEGV|ABRT)|DATARACE", ""),
        (r"soft lockup|workqueue lockup|hard lockup", "soft-lockup"),
        (r"rcu detected stall|stall in", "rcu-stall"),
        (r"task hung|can't die", "hung-task"),
        (r"^UBSAN", "undefined-behaviour"),
        (r"^unregister_netdevice", "network-stuck"),
        (r"^kernel panic", "kernel-panic init-died init-missing init-failed root-not-mountable timer-starved"),
        # A bad list is BUG() with CONFIG_BUG_ON_DATA_CORRUPTION, else WARN().
        (r"corrupted list", "kernel-oops kernel-warning"),
        (
            r"[Uu]nable to handle|general protection|divide error|invalid opcode|stack segment|double fault"
            r"|[Kk]ernel BUG|Internal error|bad usercopy|guard page|subtract with overflow|alignment trap",
            "kernel-oops",
        ),
        (r"^(?:KASAN|KMSAN|KCSAN|KFENCE|BUG)\b", "kernel-bug"),
        (r"^WARNING|deadlock|inconsistent lock|suspicious RCU|non-static key|lock bug|^INFO: ", "kernel-warning"),
    )
)
"""Which checks are right for a title, the first row that fits; none where the title is no kernel's word."""

_HEADER = re.compile(r"^(?:([A-Z]+): (.*)|)$")
_RELEASE = re.compile(r"(?:[Tt]ainted:? (?:[A-Z \[\]=_]*)|Linux version )(\d+)\.(\d+)[.\w-]")


@dataclass
class Log:
    """One log, what is expected of it, and what the console made of it."""

    name: str
    title: str
    expected: frozenset[str] | None
    """Names of checks; empty for a clean log, None where the title is not the kernel's word."""
    text: str
    found: frozenset[str] = field(default=frozenset())

    @property
    def release(self) -> tuple[int, int] | None:
        """The kernel's, by its own words; None where it does not say."""
        said = _RELEASE.search(self.text)
        return (int(said[1]), int(said[2])) if said else None

    @property
    def counts(self) -> bool:
        """Whether its kernel is new enough, or does not say how old it is."""
        return self.release is None or self.release >= SINCE


def read(path: Path) -> Log:
    """Read a log with its headers."""
    head, text = {}, path.read_text(errors="replace")
    lines = text.splitlines(keepends=True)
    while lines and (header := _HEADER.match(lines[0].rstrip("\n"))) is not None:
        lines.pop(0)
        if header[1] is None:
            break
        head.setdefault(header[1], header[2])
    title = head.get("TITLE", "")
    if "KIND" in head:
        expected: frozenset[str] | None = frozenset(head["KIND"].split())
    elif not title:
        expected = frozenset()
    else:
        expected = next((kinds for pattern, kinds in KINDS if re.search(pattern, title)), None)
    # After the log may follow what syzkaller makes of it.
    return Log(path.name, title, expected, re.split(r"(?m)^REPORT:\n", "".join(lines))[0])


def listen(log: Log) -> None:
    """Play the log to a console, behind the first line of a kernel that prints times if this one does."""
    stamp = "[    0.000000] " if KERNEL_STAMP.search(log.text) else ""
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder))
        ours, theirs = socket.socketpair()
        console.attach(theirs)
        with ours:
            ours.sendall(f"{stamp}Linux version 6.12.0 (gokrazy@docker) #1\n{log.text}\n".encode())
        console.detach()
        console.close()
    seen = [one for one in console.findings if one.severity is not Severity.INFO]
    log.found = frozenset(name for one in seen for name in (one.name, *one.also))


def measure(logs: list[Log]) -> tuple[list[str], bool]:
    """Listen to all; returns the lines of the table, and whether it is good enough."""
    for log in logs:
        listen(log)
    told = [log for log in logs if log.expected]
    clean = [log for log in logs if log.expected == frozenset()]
    alarmed = [log for log in clean if log.found]
    lines, good = [], not alarmed
    for what, some in (("all", told), (f"since {SINCE[0]}.{SINCE[1]}", [log for log in told if log.counts])):
        known = sum(bool(log.found) for log in some)
        right = sum(bool(log.found & (log.expected or frozenset())) for log in some)
        if some:
            shares = f"recognised {known / len(some):7.2%}, right kind {right / len(some):7.2%}"
            lines.append(f"{what:12} {len(some):5} logs, {shares}")
            good = good and (some is told or right >= LEAST * len(some))
    lines.append(f"{'clean':12} {len(clean):5} logs, with a finding {len(alarmed)}")
    lines.append(
        f"{'left out':12} {len(logs) - len(told) - len(clean):5} logs, whose title is not the kernel's word"
    )
    kinds = Counter(" or ".join(sorted(log.expected or ())) for log in told)
    lines += [f"  {count:5} {kind}" for kind, count in kinds.most_common()]
    for log in told:
        if not log.found & (log.expected or frozenset()):
            what = f"found {', '.join(sorted(log.found))}" if log.found else "not recognised"
            lines.append(f"{'missed' if log.counts else 'old'}: {log.name}: {log.title}: {what}")
    lines += [f"false alarm: {log.name}: {', '.join(sorted(log.found))}" for log in alarmed]
    return lines, good


def main() -> int:
    """Measure a folder; the exit status says whether the table is good enough."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, help="logs, one a file")
    parser.add_argument("--log", type=Path, help="file to write the lines to as well")
    arguments = parser.parse_args()
    paths = sorted(path for path in arguments.folder.iterdir() if path.is_file())
    if not paths:
        parser.error(f"there is no log in {arguments.folder}")
    lines, good = measure([read(path) for path in paths])
    print("\n".join(lines))
    if arguments.log is not None:
        arguments.log.parent.mkdir(parents=True, exist_ok=True)
        arguments.log.write_text("\n".join(lines) + "\n")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
