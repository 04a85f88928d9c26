"""What ``gokharness bootery`` does: it serves until it is told to end, and then leaves nothing behind."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.bootery.bootery import Bootery
from harness.bootery.config import read_config
from harness.bootery.server import Server
from harness.errors import OptionError, PortTaken
from harness.lab.lab import Lab
from harness.options import Settings

PASSWORD_VARIABLE = "GOKHARNESS_BOOTERY_PASSWORD"  # noqa: S105  the name of a variable
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FOLDER = "bootery"


@dataclass(frozen=True)
class Service:
    """What is to be served, and to whom."""

    config: Path
    listen: str
    auth_file: Path | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; raises OptionError for what is none, and for one that others reach without a password."""
        host, _, port = self.listen.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        host = "127.0.0.1" if host == "localhost" else host
        try:
            address = ipaddress.ip_address(host)
            number = int(port)
            if not 0 <= number < 1 << 16:
                raise ValueError(port)
        except ValueError:
            raise OptionError(
                f"--listen {self.listen!r} is no address with a port", hint="as 127.0.0.1:8037"
            ) from None
        if not address.is_loopback and not self.password:
            raise OptionError(
                f"--listen {self.listen}: others reach this address, and there is no password",
                hint=f"give --auth-file, or set {PASSWORD_VARIABLE}",
            )
        return host, number

    @cached_property
    def password(self) -> str:
        """What clients must give, "" for none, read once: it may come through a pipe; raises OptionError."""
        if self.auth_file is None:
            return os.environ.get(PASSWORD_VARIABLE, "")
        try:
            password = self.auth_file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(
                f"the file of --auth-file cannot be read: {getattr(error, 'strerror', 'it is no UTF-8')}",
                where=str(self.auth_file),
            ) from None
        if not password:
            raise OptionError("the file of --auth-file is empty", where=str(self.auth_file))
        return password


def serve(service: Service, settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until a signal asks to end; raises OptionError, ConfigError, and what keeps machines from starting."""
    config, address, password = read_config(service.config), service.address, service.password
    settings = replace(settings, artifacts=settings.artifacts / FOLDER)
    with Lab(settings, say=say) as lab:
        bootery = Bootery(config, lab, say=say)
        server = _server(service, address, bootery, password, say)
        with server:
            bootery.prepare()
            over = threading.Event()
            before = {number: signal.signal(number, lambda *_: over.set()) for number in ENDING}
            threading.Thread(target=server.serve_forever, name="bootery", daemon=True).start()
            say(f"bootery: {server.url}")
            try:
                over.wait()
            finally:
                # A second one ends it at once: the guard of the machines sees to the rest.
                for number, handler in before.items():
                    signal.signal(number, handler)
                say("bootery: ending")
                server.shutdown()
                bootery.end()


def _server(
    service: Service, address: tuple[str, int], bootery: Bootery, password: str, say: Callable[[str], None]
) -> Server:
    try:
        return Server(address, bootery, password=password, say=say)
    except OSError as error:
        kind = PortTaken if error.errno == errno.EADDRINUSE else OptionError
        raise kind(f"cannot listen on {service.listen}: {error.strerror}", hint="give another --listen") from None
