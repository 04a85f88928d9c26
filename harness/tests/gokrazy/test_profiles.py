"""Profiles as Go serves them, and what is none."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest

from harness.errors import DeviceUnreachable, OptionError, RequestRefused
from harness.gokrazy.profiles import Kind, fetch_profile
from harness.gokrazy.transport import Endpoint

TRACE = b"go 1.26 trace\x00\x00\x00rest"
PROFILE = gzip.compress(b"a profile")


class Served(ThreadingHTTPServer):
    """Answers each path with these bytes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, bytes] = {}
        self.asked: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        served = cast(Served, self.server)
        served.asked.append(self.path)
        body = served.pages.get(self.path.partition("?")[0])
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"404 page not found\n")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served() -> Iterator[Served]:
    with Served() as served:
        thread = threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def fetched(served: Served, kind: Kind, folder: Path) -> bytes:
    endpoint = Endpoint(f"http://127.0.0.1:{served.server_port}")
    return fetch_profile(endpoint, kind, folder / "out", seconds=1.5).read_bytes()


def test_what_is_taken_for_a_time_is_asked_for_with_that_time(served: Served, tmp_path: Path) -> None:
    served.pages = {"/debug/pprof/profile": PROFILE, "/debug/pprof/trace": TRACE, "/debug/pprof/heap": PROFILE}
    assert fetched(served, "profile", tmp_path) == PROFILE
    assert fetched(served, "trace", tmp_path) == TRACE
    assert fetched(served, "heap", tmp_path) == PROFILE
    assert served.asked == [
        "/debug/pprof/profile?seconds=1.5",
        "/debug/pprof/trace?seconds=1.5",
        "/debug/pprof/heap",
    ]


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("profile", b"<html>hello</html>", "it is no gzip"),
        ("profile", PROFILE[:-9], "it is no gzip"),
        ("profile", gzip.compress(b""), "it is empty"),
        ("heap", b"", "it is empty|it is no gzip"),
        ("trace", PROFILE, "it begins with"),
        ("trace", b"", "it begins with"),
    ],
    # gzip writes the time into its bytes, and each worker must collect the same names.
    ids=["a page", "cut off", "empty gzip", "empty heap", "a profile as trace", "empty trace"],
)
def test_what_is_no_profile_is_refused(served: Served, tmp_path: Path, kind: Kind, body: bytes, why: str) -> None:
    served.pages = {f"/debug/pprof/{kind}": body}
    with pytest.raises(RequestRefused, match=why):
        fetched(served, kind, tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_program_without_these_pages_is_told_what_brings_them(served: Served, tmp_path: Path) -> None:
    with pytest.raises(RequestRefused) as raised:
        fetched(served, "profile", tmp_path)
    assert "net/http/pprof" in raised.value.hint


def test_a_kind_that_there_is_none_of_lists_those_there_are(served: Served, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as raised:
        fetched(served, cast(Kind, "cpu"), tmp_path)
    assert "profile, trace, heap" in raised.value.hint


def test_nobody_there_is_said_as_such(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnreachable):
        fetch_profile(Endpoint("http://127.0.0.1:1"), "heap", tmp_path / "out", seconds=1)
