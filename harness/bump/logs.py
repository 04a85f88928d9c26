"""What two consoles say, compared in lines: what every start of one side says and no start of the other.

Times, addresses and numbers do not count, nor does the order, nor what only some starts of a side say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.console.benign import is_benign
from harness.console.lines import KERNEL_STAMP, Line

NOISE: Mapping[str, str] = {
    r"^Linux version ": "it names the kernel, which is what differs",
    r"^(Kernel c|Unknown kernel c|C)ommand line|^(\S+\.go:\d+: )?cmdline: ": (
        "it is the instance's, and has words such as panic"
    ),
    r"^Memory: |^Freeing |^Dentry cache|^Inode-cache|^Mount-cache|^Mountpoint-cache|hash table entries": (
        "it says how large the kernel is"
    ),
    r"^\S+ build timestamp|\bgokrazy build timestamp": "each build has its own",
    r"(calibrat|Calibrat|BogoMIPS|bogomips|MB/sec|MB/s\b|tsc: |clocksource: )": "it is a measurement",
    r"\blisten tcp \[.*: cannot assign requested address": "it depends on when IPv6 has made sure of an address",
    r"^random: crng init done|^random: fast init": "it comes when there is enough noise",
}
"""Pattern -> why lines that have it are not compared."""
_NOISE = re.compile("|".join(NOISE))

_GO_STAMP = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(\.\d+)? ")
_NUMBER = re.compile(
    r"0x[0-9a-fA-F]+|\b(?=[0-9a-f]*[0-9])[0-9a-f]{6,}\b|\b(?:[0-9a-f]{2}[:-]){3,}[0-9a-f]{2}\b"
    r"|(?<![A-Za-z_])\d+(?:\.\d+)*"
)
_ALARM = re.compile(
    r"\b(?:warn(?:ing)?|errors?|fail(?:ed|s|ure)?|bug|timed? ?out|unable|cannot|can't|could not|corrupt(?:ed|ion)?"
    r"|oops|panic|invalid|refused|denied|stall(?:ed|s)?)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class LogDifference:
    """Lines as one start said them, without times."""

    new_alarms: tuple[str, ...]
    """Warnings and errors that are new."""
    new: tuple[str, ...]
    gone: tuple[str, ...]
    gone_alarms: tuple[str, ...]


def said(lines: Iterable[Line]) -> dict[str, str]:
    """What a start said: each line's essence -> the line, without its time, as it came first."""
    result: dict[str, str] = {}
    for line in lines:
        text = _GO_STAMP.sub("", KERNEL_STAMP.sub("", line.text, count=1)).strip()
        if not line.mark and text and not _NOISE.search(text):
            result.setdefault(essence(text), text)
    return result


def essence(text: str) -> str:
    """A line of which numbers and addresses do not count."""
    return " ".join(_NUMBER.sub("#", text).split())


def is_alarm(text: str) -> bool:
    """Whether a line says that something is wrong, and is not as it should be all the same."""
    return _ALARM.search(text) is not None and not is_benign(text)


def difference(old: Sequence[Mapping[str, str]], new: Sequence[Mapping[str, str]]) -> LogDifference:
    """What each start of one side said, and none of the other's."""
    appeared, vanished = _only_in(new, old), _only_in(old, new)
    return LogDifference(
        new_alarms=tuple(filter(is_alarm, appeared)),
        new=tuple(text for text in appeared if not is_alarm(text)),
        gone=tuple(text for text in vanished if not is_alarm(text)),
        gone_alarms=tuple(filter(is_alarm, vanished)),
    )


def _only_in(side: Sequence[Mapping[str, str]], other: Sequence[Mapping[str, str]]) -> list[str]:
    if not side or not other:
        return []
    others = {key for start in other for key in start}
    return [text for key, text in side[0].items() if key not in others and all(key in one for one in side[1:])]
