"""The console stream as lines: whole, without escape sequences, with kernel and program output distinguished."""

from __future__ import annotations

import re
from typing import NamedTuple

# CSI (also the private forms that edk2 prints, such as ESC [ = 3 h), OSC, character sets, single letters.
_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()#%][0-9A-Za-z@]|[=>78cDEHMNOZ])"
)
# Firmware menus move the cursor instead of ending their lines.
_END = re.compile(rb"\n|\x1b\[[0-9;]{0,8}[Hf]")
_LONGEST_END = 11
_EMPTY = re.compile(rb"[\r\n]*")
_MOST_EMPTY = 10
"""Empty lines in a row that are kept."""
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\n")

KERNEL_STAMP = re.compile(
    r"\[ *(\d+\.\d{6})\](?:\[ *[TC]\d+\])? "
    r"|\[(?: {4}[TC]\d| {3}[TC]\d{2}| {2}[TC]\d{3}| [TC]\d{4}|[TC]\d{5,})\] "
)
"""How the kernel begins its lines: with the time, with who prints them (CONFIG_PRINTK_CALLER), or with both."""
_LEVEL = re.compile(r"<\d{1,3}>$")
"""What a kernel puts before that where it prints levels (console_msg_format=syslog)."""
_BOOT_CALLER = "[    T0] "
_NAMES_CALLER = re.compile(r"(?:\[ *\d+\.\d{6}\])?\[ *[TC]\d+\] ")

_OF_PROGRAM = re.compile(r"\d{4}/\d\d/\d\d ")
"""How Go's log begins its lines, that of gokrazy's init among them."""

LONGEST = 8192
"""Bytes; a longer line is cut, so that a stream without line ends cannot eat the memory."""


class Line(NamedTuple):
    """A line of the console."""

    at: float
    """Seconds from power-on to its last byte."""
    offset: int
    """Where in the recording it ends, in bytes."""
    text: str
    kernel: bool = False
    """Whether the kernel printed it."""
    mark: bool = False
    """Whether it is the harness's own note, such as a power-on."""

    def __str__(self) -> str:
        return f"---- {self.text}" if self.mark else f"{self.at:9.3f}  {self.text}"


def said_by_kernel(line: Line, *, bare: bool) -> bool | None:
    """Return whether the kernel said it, None where that cannot be known.

    ``bare`` says whether the kernel prints no times: lines with times are another machine's then.
    """
    if not bare or line.mark:
        return line.kernel
    return False if line.kernel or _OF_PROGRAM.match(line.text) else None


def names_caller(line: Line) -> bool:
    """Whether the kernel says who printed the line: it does so in each, with times or without."""
    return line.kernel and _NAMES_CALLER.match(line.text) is not None


def plain(data: bytes) -> str:
    """Return the text without escape sequences and control characters, lines ending in a newline alone."""
    if b"\x1b" in data:
        data = _ESCAPE.sub(b"", data)
    return data.translate(None, _CONTROLS).decode("utf-8", "replace")


class LineSplitter:
    """Turns chunks into lines; how the stream was cut into chunks never changes the lines.

    The kernel prints synchronously while a program's output trickles through the UART, so a kernel line can
    begin in the middle of a program's line. It is taken out, and the two halves of the program's line are joined.
    Of many empty lines in a row the first few are kept.
    """

    def __init__(self, *, longest: int = LONGEST) -> None:
        self._longest = longest
        self._partial = b""
        self._carry = ""
        self._empty = 0
        """Empty lines that came last."""

    def feed(self, data: bytes, *, offset: int, at: float) -> list[Line]:
        """Return the lines that this chunk completes; ``offset`` is where the chunk begins in the stream."""
        lines: list[Line] = []
        buffer = self._partial + data
        offset -= len(self._partial)
        begin, search_from = 0, max(0, len(self._partial) - _LONGEST_END)
        while True:
            if self._empty >= _MOST_EMPTY:
                begin = _EMPTY.match(buffer, begin).end()  # type: ignore[union-attr]
            found = _END.search(buffer, max(begin, search_from), begin + self._longest)
            if found is not None:
                end = found.end()
            elif len(buffer) - begin >= self._longest:
                end = begin + self._longest
            else:
                break
            self._emit(lines, buffer[begin:end], offset + end, at)
            begin = end
        self._partial = buffer[begin:]
        return lines

    def close(self, *, offset: int, at: float) -> list[Line]:
        """Return what is left as lines: the stream ended here."""
        lines: list[Line] = []
        if self._partial:
            self._emit(lines, self._partial, offset, at)
            self._partial = b""
        if self._carry:
            lines.append(Line(at, offset, self._carry))
            self._carry = ""
        return lines

    @property
    def partial(self) -> str:
        """What has been printed of a line that is not complete yet."""
        return plain(self._partial)

    def _emit(self, lines: list[Line], raw: bytes, offset: int, at: float) -> None:
        text = plain(raw).rstrip("\n")
        if not text and not raw.endswith(b"\n"):
            return
        stamp = KERNEL_STAMP.search(text) if "[" in text else None
        if stamp is None:
            self._empty = 0 if text or self._carry else self._empty + 1
            lines.append(Line(at, offset, self._carry + text))
            self._carry = ""
            return
        self._empty = 0
        head = _LEVEL.sub("", text[: stamp.start()]) if stamp.start() else ""
        if head and (stamp[1] == "0.000000" or stamp[0] == _BOOT_CALLER):
            # The first line of a kernel: no program can be in the middle of a line, so this was the firmware.
            lines.append(Line(at, offset, self._carry + head))
            self._carry = ""
        else:
            self._carry += head
            if len(self._carry) >= self._longest:
                # The kernel's lines stand in a program's line that does not end.
                lines.append(Line(at, offset, self._carry))
                self._carry = ""
        lines.append(Line(at, offset, text[stamp.start() :], kernel=True))
