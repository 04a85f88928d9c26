"""The body of a request, kept in a file as it comes: it may be larger than memory, and of unknown length."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import Protocol

from harness.bootery.refusal import CallerGone, Refusal
from harness.errors import HostDiskFull

CHUNK = 1 << 16
LONGEST_LINE = 1 << 12
Headers = Message
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}")


class Stream(Protocol):
    """What a body is read from; shorter than asked for only where it ends."""

    def read(self, size: int, /) -> bytes:
        """So many bytes."""

    def readline(self, limit: int, /) -> bytes:
        """One line, or as much of it as the limit allows."""


def receive(headers: Headers, stream: Stream, into: Path, *, limit: int, what: str) -> int:
    """Write the body into a file, and return its size in bytes.

    Raises Refusal when it is empty or larger than ``limit``, the size of the partition for ``what``; CallerGone
    when it ends too early, HostDiskFull when there is no room for it.
    """
    sent = stated(headers)
    if sent is not None and sent > limit:
        raise too_large(f"{sent} bytes", limit, what)
    size = 0
    try:
        with into.open("wb") as file:
            for piece in pieces(headers, stream):
                size += len(piece)
                if size > limit:
                    raise too_large(f"more than {limit} bytes", limit, what)
                file.write(piece)
    except TimeoutError:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, f"the {what} stopped coming after {size} bytes") from None
    except ConnectionError as error:
        raise CallerGone(f"the {what} broke off after {size} bytes") from error
    except OSError as error:
        raise HostDiskFull(f"cannot keep the {what}: {error.strerror}", where=str(into)) from error
    if size == 0:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"the body is empty: send the {what}")
    return size


def too_large(size: str, limit: int, what: str) -> Refusal:
    """The answer to a body that its partition cannot hold."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the {what} has {size}, but its partition only {limit} bytes"
    )


def stated(headers: Headers) -> int | None:
    """The length that a request gives for its body, None where it comes in chunks."""
    coding = headers.get("Transfer-Encoding", "").strip().lower()
    if coding:
        if coding != "chunked":
            raise Refusal(HTTPStatus.NOT_IMPLEMENTED, f"the transfer encoding {coding!r} is not known here")
        return None
    length = headers.get("Content-Length", "0").strip()
    if not (length.isascii() and length.isdigit()):
        raise Refusal(HTTPStatus.BAD_REQUEST, f"{length!r} is no Content-Length")
    return int(length)


def pieces(headers: Headers, stream: Stream) -> Iterator[bytes]:
    """The body, piece by piece; raises ConnectionError where it ends too early."""
    length = stated(headers)
    if length is not None:
        yield from _exactly(stream, length)
        return
    while size := _chunk_size(stream):
        yield from _exactly(stream, size)
        if stream.readline(3) != b"\r\n":
            raise ConnectionError("a chunk does not end where it says")
    while stream.readline(LONGEST_LINE) not in (b"\r\n", b"\n", b""):
        pass


def _chunk_size(stream: Stream) -> int:
    line = stream.readline(LONGEST_LINE).partition(b";")[0].strip()
    if not _SIZE.fullmatch(line):
        raise ConnectionError(f"{line[:20]!r} is no size of a chunk")
    return int(line, 16)


def _exactly(stream: Stream, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = stream.read(min(size, CHUNK))
        if not piece:
            raise ConnectionError(f"{size} bytes are missing")
        size -= len(piece)
        yield piece
