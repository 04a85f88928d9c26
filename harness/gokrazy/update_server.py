"""An update server for devices that update themselves: the requests of gokrazy's GUS, played on this host.

``/api/v1/update`` says what a device is to run, ``/api/v1/attempt`` is told that it begins, and
``/api/v1/heartbeat`` what it runs. Source: the definition ``gusapi2.yaml`` in github.com/gokrazy/gokapi.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, cast

from harness.errors import WaitTimeout

Kind: TypeAlias = Literal["update", "attempt", "heartbeat", "download"]
API = "/api/v1/"
ARCHIVE = "/images/disk.gaf"
CHUNK = 1 << 20
LONGEST = 16 << 20
"""Bytes of a request: a heartbeat has the whole bill of materials in it."""
LOOK = 1.0
"""Seconds between two looks whether whoever should ask has died."""


@dataclass(frozen=True)
class Asked:
    """One request of a device."""

    kind: Kind
    body: dict[str, Any]
    """What it said, as JSON; of a download, nothing."""


@dataclass(frozen=True)
class Offer:
    """What devices are to run."""

    archive: Path
    sbom_hash: str


class UpdateServer:
    """Listens on this host within a ``with`` block; ``at`` makes its address for a device out of its port."""

    def __init__(self, at: Callable[[int], str], *, check: Callable[[], None] | None = None) -> None:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.played = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._changed = threading.Condition()
        self._asked: list[Asked] = []
        self._check = check
        self.offered: Offer | None = None
        self.url = at(self._server.server_port)
        """What devices are given as the address of their update server."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def offer(self, archive: Path, sbom_hash: str) -> None:
        """Have devices run this archive from now on; until then there is nothing to be had (404)."""
        with self._changed:
            self.offered = Offer(archive, sbom_hash)

    def asked(self, kind: Kind) -> list[Asked]:
        """The requests of this kind so far."""
        with self._changed:
            return [one for one in self._asked if one.kind == kind]

    def wait_for(self, kind: Kind, timeout: float, *, count: int = 1) -> Asked:
        """Wait until there were so many requests of this kind; returns the last. Raises WaitTimeout."""
        left = timeout
        while left > 0:
            with self._changed:
                if self._changed.wait_for(lambda: len(self._of(kind)) >= count, min(LOOK, left)):
                    return self._of(kind)[count - 1]
            left -= LOOK
            if self._check:
                self._check()
        with self._changed:
            seen = ", ".join(one.kind for one in self._asked) or "nothing"
        raise WaitTimeout(
            f"waited {timeout:g} s for request {count} of the kind {kind} to the update server; asked: {seen}",
            where=self.url,
            hint="the log of the service that updates the device says what it does",
        )

    def _of(self, kind: Kind) -> list[Asked]:
        return [one for one in self._asked if one.kind == kind]

    def note(self, asked: Asked) -> None:
        """Keep what a device asked."""
        with self._changed:
            self._asked.append(asked)
            self._changed.notify_all()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    played: UpdateServer


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        played = cast(_Server, self.server).played
        kind = self.path.removeprefix(API)
        try:
            size = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(size)) if 0 < size <= LONGEST else None
        except ValueError:
            body = None
        if kind not in ("update", "attempt", "heartbeat") or not isinstance(body, dict):
            self.send_error(404 if isinstance(body, dict) else 400)
            return
        played.note(Asked(cast(Kind, kind), body))
        answer: dict[str, str] = {}
        offer = played.offered
        if kind == "update" and offer is None:
            self.send_error(404)
            return
        if kind == "update" and offer is not None:
            answer = {"sbom_hash": offer.sbom_hash, "registry_type": "localdisk", "download_link": ARCHIVE}
        self._reply(json.dumps(answer).encode(), "application/json")

    def do_GET(self) -> None:
        played = cast(_Server, self.server).played
        if self.path != ARCHIVE or played.offered is None:
            self.send_error(404)
            return
        archive = played.offered.archive
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(archive.stat().st_size))
        self.end_headers()
        with archive.open("rb") as file:
            while chunk := file.read(CHUNK):
                self.wfile.write(chunk)
        played.note(Asked("download", {}))

    def _reply(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
