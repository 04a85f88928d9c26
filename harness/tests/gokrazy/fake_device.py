"""A web server that behaves as gokrazy's does (status.go, statuslog.go, update.go, xsrf.go, authenticated.go)."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import socket
import ssl
import threading
import zlib
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

STATUS: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "status.json").read_text())
PASSWORD = "geheim-ä"


class FakeDevice:
    """The device's state and its server; tests set the switches and look at what arrived."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.status: dict[str, Any] = json.loads(json.dumps(STATUS))
        self.cookie_expires = "Mon, 23 Nov 2037 01:48:07 GMT"
        self.requests: list[tuple[str, str, dict[str, list[str]]]] = []
        self.received: dict[str, bytes] = {}
        self.fail_update: str | None = None
        self.break_after: int | None = None
        """Drop the connection after so many bytes of an upload."""
        self.knows_hash = True
        self.knows_divert = True
        self.starts_diverted = True
        """Whether what is diverted is started."""
        self.redirect_to: str | None = None
        self.hang = False
        """Accept, and say nothing."""
        self.drop = 0
        """Drop that many requests without an answer."""
        self.acted: Callable[[str], None] = lambda verb: None
        """Called with /restart or /stop once it is done, before the answer."""
        self.power_answer: Callable[[FakeHandler], None] | None = None
        self.logs: dict[str, queue.Queue[tuple[str, str] | None]] = {}
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHandler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.server.fake = self  # type: ignore[attr-defined]
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.released = threading.Event()
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.port = self.server.server_port
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.released.set()
        for log in self.logs.values():
            log.put(None)
        self.server.shutdown()
        self.server.server_close()
        self._thread.join(5)

    def service(self, path: str) -> dict[str, Any] | None:
        return next((one for one in self.status["Services"] if one["Path"] == path), None)

    def log(self, path: str) -> queue.Queue[tuple[str, str] | None]:
        return self.logs.setdefault(path, queue.Queue())

    def posts(self) -> list[tuple[str, dict[str, list[str]]]]:
        return [(path, form) for method, path, form in self.requests if method == "POST"]


class FakeHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def fake(self) -> FakeDevice:
        return self.server.fake  # type: ignore[attr-defined,no-any-return]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def reply(self, status: int, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """Reset the connection."""
        self.close_connection = True
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        self.rfile.close()

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, ValueError, ssl.SSLError):
            self.close_connection = True

    def begin(self) -> dict[str, list[str]] | None:
        """Authentication and the switches; None when the request is done with."""
        fake, parts = self.fake, urlsplit(self.path)
        form = parse_qs(parts.query)
        self.body = b""
        if self.command == "POST":
            self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            form |= parse_qs(self.body.decode())
        fake.requests.append((self.command, parts.path, form))
        if fake.drop > 0:
            fake.drop -= 1
            self.cut()
            return None
        if fake.hang:
            fake.released.wait(30)
            self.close_connection = True
            return None
        if fake.redirect_to:
            self.reply(302, "", Location=fake.redirect_to)
            return None
        wanted = "Basic " + base64.b64encode(f"gokrazy:{PASSWORD}".encode()).decode()
        given = self.headers.get("Authorization")
        if given != wanted:
            text = "invalid username/password\n" if given else "no Basic Authorization header set\n"
            self.reply(401, text, WWW_Authenticate='Basic realm="gokrazy"')
            return None
        return form

    def do_GET(self) -> None:
        form = self.begin()
        if form is None:
            return
        fake, path = self.fake, urlsplit(self.path).path
        name = form.get("path", [""])[0]
        if path == "/":
            self.reply(200, json.dumps(fake.status), Content_Type="application/json")
        elif path == "/status":
            cookie = f"gokrazy_xsrf=4711; Expires={fake.cookie_expires}; HttpOnly"
            service = fake.service(name)
            if service is None:
                self.reply(404, "service not found\n", Set_Cookie=cookie)
            else:
                self.reply(200, json.dumps(service), Set_Cookie=cookie)
        elif path == "/update/features":
            features = "partuuid,updatehash,gpt," if fake.knows_hash else "partuuid,"
            if "json" in self.headers.get("Accept", ""):
                self.reply(200, json.dumps({"features": features, "EEPROM": None}))
            else:
                self.reply(200, features)
        elif path == "/log":
            self.stream(name, form.get("stream", [""])[0])
        else:
            self.reply(404, "not found\n")

    def stream(self, name: str, stream: str) -> None:
        """No header leaves before the first line."""
        if self.fake.service(name) is None:
            self.reply(404, "service not found\n")
            return
        started = False
        lines = self.fake.log(name)
        while (item := lines.get()) is not None:
            which, line = item
            if stream not in ("both", which):
                continue
            if not started:
                self.send_response(200)
                self.send_header("Content-type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                started = True
            text = f"data: {line}\n\n"
            if stream == "both":
                text = f"event: {which}\n{text}"
            raw = text.encode()
            self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
            self.wfile.flush()
        if started:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def do_POST(self) -> None:
        form = self.begin()
        if form is None:
            return
        fake, path = self.fake, urlsplit(self.path).path
        if path in ("/restart", "/stop"):
            self.act(path, form)
        elif path in ("/update/switch", "/update/testboot"):
            self.reply(500, "boom\n") if fake.fail_update == path else self.reply(200, "")
        elif path == "/divert" and fake.knows_divert:
            self.divert(json.loads(self.body))
        elif path == "/divert":
            self.reply(404, "not found\n")
        elif path in ("/reboot", "/poweroff"):
            if fake.power_answer:
                fake.power_answer(self)
            else:
                self.reply(200, "All services killed in 1s\nRebooting...\n")
        else:
            self.reply(400, "expected a PUT request\n")

    def divert(self, asked: dict[str, Any]) -> None:
        """As update.go: a path of no service becomes one, and what lies nowhere cannot be made executable."""
        place = asked["Diversion"]
        if f"/uploadtemp/{place}" not in self.fake.received:
            self.reply(500, f"chmod /tmp/{place}: no such file or directory\n")
            return
        service = self.fake.service(asked["Path"])
        if service is None:
            service = {**self.fake.status["Services"][0], "Path": asked["Path"], "Args": [asked["Path"]], "Pid": 0}
            self.fake.status["Services"].append(service)
        service["Args"] = [service["Args"][0], *(asked["Flags"] or [])]
        if self.fake.starts_diverted:
            service |= {"Diverted": f"/tmp/{place}", "Stopped": False, "Pid": service["Pid"] + 100}
        self.reply(200, "")

    def act(self, verb: str, form: dict[str, list[str]]) -> None:
        cookies = self.headers.get("Cookie", "")
        if "gokrazy_xsrf=" not in cookies:
            self.reply(400, "XSRF cookie missing\n")
            return
        if cookies.partition("gokrazy_xsrf=")[2] != form.get("xsrftoken", [""])[0]:
            self.reply(403, "XSRF token mismatch\n")
            return
        service = self.fake.service(form["path"][0])
        if service is None:
            self.reply(404, "no such service\n")
            return
        service["Stopped"] = verb == "/stop"
        if verb == "/restart":
            service["Pid"] += 100
        self.fake.acted(verb)
        self.reply(303, "", Location=f"/status?path={form['path'][0]}")

    def do_PUT(self) -> None:
        if self.begin() is None:
            return
        fake, path = self.fake, urlsplit(self.path).path
        size = int(self.headers["Content-Length"])
        data = bytearray()
        while len(data) < size:
            room = min(16384, size - len(data))
            chunk = self.rfile.read1(room)
            if not chunk:
                break
            data += chunk
            if fake.break_after is not None and len(data) >= fake.break_after:
                self.cut()
                return
        fake.received[path] = bytes(data)
        if len(data) < size:
            self.reply(500, "unexpected EOF\n")
        elif fake.fail_update == path:
            self.reply(500, "write /dev/vda3: no space left on device\n")
        elif self.headers.get("X-Gokrazy-Update-Hash") == "crc32" and fake.knows_hash:
            self.reply(200, f"{zlib.crc32(data):08x}")
        else:
            self.reply(200, hashlib.sha256(data).hexdigest())
