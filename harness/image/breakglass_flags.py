"""The flags of breakglass, as Go reads them: its port, and where it looks for the keys that it takes."""

from __future__ import annotations

from collections.abc import Sequence


def flag(args: Sequence[str], name: str) -> str:
    """The value of a flag as Go's package flag reads it, the last one given; "" where there is none."""
    value, words = "", iter(args)
    for word in words:
        if not word.startswith("-") or word in ("-", "--"):
            break  # arguments follow
        given, is_there, text = word[1:].removeprefix("-").partition("=")
        if given == name:
            value = text if is_there else next(words, "")
        elif not is_there and given in ("port", "authorized_keys", "host_key", "forward"):
            next(words, "")
    return value


def port_of(args: Sequence[str], usual: int) -> int:
    """The port that these flags give breakglass, ``usual`` where they give none."""
    port = flag(args, "port")
    return int(port) if port.isdecimal() and 0 < int(port) < 65536 else usual
