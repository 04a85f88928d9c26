"""The bootery's HTTP: which request means what, who may ask, and how each is answered.

The protocol is that of cmd/bootery in gokrazy/bakery, as cmd/gokr-boot in gokrazy/autoupdate speaks it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import json
import socket
import socketserver
import time
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.bootery.body import CHUNK, receive
from harness.bootery.bootery import Asked, Bootery
from harness.bootery.caller import Caller
from harness.bootery.refusal import CallerGone, Refusal, status_of
from harness.errors import HarnessError
from harness.image.disk import BOOT_SECTORS, ROOT_SECTORS
from harness.image.model import SECTOR

USER = "gokrazy"
LIMITS = {"root": ROOT_SECTORS * SECTOR, "boot": BOOT_SECTORS * SECTOR}
"""Bytes of the partitions that take what is uploaded."""
STALL = 120.0
"""Seconds for which an upload may stop."""
LEFT_BEHIND = 2 << 30
"""Bytes of a refused upload that are read and thrown away: who is cut off may never see the answer."""
LINGER = 5.0
"""Seconds for which nothing more of it may come."""
JSON = {"Content-Type": "application/json"}
PATHS = ("/usebakeries", "/updateroot", "/testboot1", "/testboot", "/releasebakeries")
WORDS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False, "": False}


class Server(ThreadingHTTPServer):
    """Serves one bootery; ``password`` is what its clients must give, "" for none."""

    daemon_threads = True
    block_on_close = False

    def __init__(
        self, address: tuple[str, int], bootery: Bootery, *, password: str, say: Callable[[str], None]
    ) -> None:
        self.bootery = bootery
        self.password = password
        self.say = say
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)

    def server_bind(self) -> None:
        """Bind without looking up this host's name, which may take long."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def service_actions(self) -> None:
        """Between requests: forget what clients have left."""
        self.bootery.leases.forget_abandoned()

    @property
    def url(self) -> str:
        """Where it is reached."""
        name = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{name}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Say that an answer could not be given; its reason was said where it arose."""
        self.say(f"{client_address[0]}: the connection broke off")


class Handler(BaseHTTPRequestHandler):
    """One connection, with one request."""

    protocol_version = "HTTP/1.1"
    server_version = "gokharness"
    timeout = STALL
    server: Server

    def setup(self) -> None:
        """Begin with nothing received."""
        super().setup()
        self._began = time.monotonic()
        self._received = 0
        self._is_read = False

    def do_PUT(self) -> None:
        """Do what is asked for, and answer."""
        self.close_connection = True
        try:
            self._must_know_password()
            with Caller(self.connection, self.client_address[0]) as caller:
                self._act(caller)
        except Refusal as refusal:
            self._reply(refusal.status, refusal.why, refusal.headers)
        except HarnessError as error:
            self._reply(status_of(error), str(error))
        except (CallerGone, ConnectionError) as gone:
            self._note(str(gone))
        except Exception as error:
            # Whoever waits for an answer must not take a fault of ours for a verdict.
            self.server.say(traceback.format_exc())
            self._reply(status_of(error), f"the bootery itself failed: {type(error).__name__}: {error}")

    def do_GET(self) -> None:
        """Say what would have been right; as the protocol has it."""
        self.close_connection = True
        self._reply(HTTPStatus.BAD_REQUEST, "expected a PUT request")

    def do_POST(self) -> None:
        """The same."""
        self.do_GET()

    def _act(self, caller: Caller) -> None:
        """What each path does."""
        bootery = self.server.bootery
        asked = self._asked
        match self._path:
            case "/usebakeries":
                lease = bootery.use(asked.get("slug", ""), caller)
                try:
                    self._reply(
                        HTTPStatus.OK, json.dumps({"hosts": [bakery.name for bakery in lease.bakeries]}), JSON
                    )
                except OSError:
                    # It does not know that it has them, so it will never give them back.
                    bootery.leases.end(lease)
                    raise
            case "/updateroot":
                size = bootery.update_root(asked.get("hostname", ""), caller, self._receive)
                self._reply(HTTPStatus.OK, f"root file system received: {size} bytes")
            case "/testboot1" | "/testboot":
                self._reply(HTTPStatus.OK, bootery.test_boot(self._test(), caller, self._receive))
            case "/releasebakeries":
                released = bootery.release(asked.get("slug", ""), caller)
                self._reply(HTTPStatus.OK, f"released: {released}" if released else "nothing was in use")
            case path:
                raise Refusal(HTTPStatus.NOT_FOUND, f"there is no {path}; there are: {', '.join(PATHS)}")

    def _test(self) -> Asked:
        asked = self._asked
        bakeries = self.server.bootery.bakeries_of(asked.get("hostname", ""), asked.get("slug", ""))
        with_root = WORDS.get(asked.get("update_root", "").lower())
        if with_root is None:
            raise Refusal(HTTPStatus.BAD_REQUEST, "update_root is neither true nor false")
        newer = asked.get("boot-newer", "") or "0"
        if not (newer.isascii() and newer.isdigit()):
            raise Refusal(HTTPStatus.BAD_REQUEST, "boot-newer is no number of seconds since 1970")
        return Asked(bakeries, with_root, int(newer))

    @property
    def _path(self) -> str:
        return urlsplit(self.path).path

    @property
    def _asked(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    # -- who asks, and what comes

    def _must_know_password(self) -> None:
        if not self.server.password:
            return
        scheme, _, coded = self.headers.get("Authorization", "").partition(" ")
        try:
            said = base64.b64decode(coded, validate=True) if scheme.lower() == "basic" else b""
        except binascii.Error:
            said = b""
        if not hmac.compare_digest(said, f"{USER}:{self.server.password}".encode()):
            asks = {"WWW-Authenticate": f'Basic realm="{USER}"'}
            raise Refusal(HTTPStatus.UNAUTHORIZED, f"wrong user or password; the user is {USER}", asks)

    def handle_expect_100(self) -> bool:
        """Have the client wait until its body is wanted: a refusal then comes before it."""
        return True

    def _receive(self, into: Path, what: str) -> int:
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(HTTPStatus.CONTINUE)
            self.end_headers()
        limit = LIMITS[what]
        self._received = receive(self.headers, self.rfile, into, limit=limit, what=f"{what} file system")
        self._is_read = True
        return self._received

    # -- what goes

    def _reply(self, status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> None:
        headers = {"Content-Type": "text/plain; charset=utf-8", **(headers or {})}
        body = f"{text}\n".encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        reason = "" if status is HTTPStatus.OK else f": {text.splitlines()[0]}"
        self._note(f"{status.value}{reason}")
        if not self._is_read:
            self._let_finish()

    def _let_finish(self) -> None:
        """Read what still comes, and throw it away: who is cut off while sending may never see the answer."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGER)
            left, until = LEFT_BEHIND, time.monotonic() + STALL
            while left > 0 and time.monotonic() < until and (piece := self.rfile.read1(CHUNK)):
                left -= len(piece)

    def _note(self, what: str) -> None:
        asked = self._asked
        about = " ".join(filter(None, (asked.get("slug", ""), asked.get("hostname", ""))))
        size = f", {self._received / 1e6:.1f} MB" if self._received else ""
        took = time.monotonic() - self._began
        who = self.client_address[0]
        self.server.say(f"{self.command} {self._path} {about} from {who}: after {took:.1f} s{size}: {what}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name that the base class gives it
        """Say nothing: each request has its line already."""
