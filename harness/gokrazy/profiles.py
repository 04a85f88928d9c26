"""Profiles and execution traces of a program on a device, from the pages that Go's net/http/pprof adds to it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from harness.errors import OptionError, RequestRefused
from harness.gokrazy.transport import BODY_LIMIT, CONNECT, Endpoint

Kind: TypeAlias = Literal["profile", "trace", "heap", "allocs", "goroutine", "block", "mutex", "threadcreate"]
"""What is fetched, by the name of its page: ``profile`` is where the processor's time goes, ``trace`` is what
happened when."""
TAKEN_FOR_A_TIME = ("profile", "trace")
TRACE_HEAD = b"go 1."
PAGES = "/debug/pprof"


def fetch_profile(endpoint: Endpoint, kind: Kind, out: Path, *, seconds: float) -> Path:
    """Fetch one into the file ``out``; ``seconds`` is for how long it is taken, where it is taken for a time.

    Raises OptionError for a kind that there is none of, DeviceUnreachable, RequestRefused for a program without
    these pages or an answer that is no profile.
    """
    if kind not in get_args(Kind):
        raise OptionError(f"there is no profile {kind!r}", hint=f"choose from: {', '.join(get_args(Kind))}")
    path = f"{PAGES}/{kind}"
    timed = kind in TAKEN_FOR_A_TIME
    params = {"seconds": f"{seconds:g}"} if timed else {}
    limit = (CONNECT, endpoint.patience + (seconds if timed else 0))
    try:
        answer = endpoint.request("GET", path, params=params, timeout=limit)
    except RequestRefused as error:
        if error.status == 404:
            error.hint = 'the program serves no profiles: import _ "net/http/pprof", and serve the default mux'
        raise
    if why := _flaw(kind, answer.body):
        raise RequestRefused(
            f"what GET {path} answered is no {kind}: {why}",
            status=answer.status,
            where=answer.url,
            hint="is this the port of a Go program with net/http/pprof?",
        )
    out.write_bytes(answer.body)
    return out


def _flaw(kind: Kind, body: bytes) -> str:
    """Why these bytes are not what they should be, "" where they are."""
    if len(body) > BODY_LIMIT:
        return f"it has more than {BODY_LIMIT >> 20} MiB"
    if kind == "trace":
        return "" if body.startswith(TRACE_HEAD) and b" trace" in body[:32] else f"it begins with {body[:16]!r}"
    try:
        # A profile is a protocol buffer in gzip; Go's tool judges what is in it.
        return "" if gzip.decompress(body) else "it is empty"
    except (OSError, EOFError, zlib.error) as error:
        return f"it is no gzip ({error})"
