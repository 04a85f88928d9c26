"""One SSH connection: paramiko with a limit on everything, errors of the harness's tree, and nothing left open."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import paramiko

from harness.errors import AuthenticationRefused, DeviceUnreachable, WaitTimeout

CHANNEL = "harness.ssh"
"""Where paramiko's own logging goes, under DEBUG eyes only: it reports every lost connection as an error."""
logging.getLogger(CHANNEL).addHandler(logging.NullHandler())
logging.getLogger(CHANNEL).setLevel(logging.CRITICAL)

STEP = 30.0
"""Seconds for each step of a connection: the key exchange takes 1 to 3 under emulation."""


class SshReach(Enum):
    """What a port says to a visitor."""

    READY = "an SSH server answers"
    REFUSED = "connection refused"
    RESET = "connection accepted, then dropped"
    SILENT = "no answer in time"
    OTHER = "something else than SSH answers"


@dataclass(frozen=True)
class Address:
    """Where an SSH server is."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def probe(address: Address, timeout: float) -> SshReach:
    """One cheap try, up to the server's greeting; a forwarded port accepts before anybody listens behind it."""
    try:
        with socket.create_connection((address.host, address.port), timeout) as connection:
            connection.settimeout(timeout)
            greeting = connection.recv(4)
    except ConnectionRefusedError:
        return SshReach.REFUSED
    except TimeoutError:
        return SshReach.SILENT
    except OSError:
        return SshReach.RESET
    if not greeting:
        return SshReach.RESET
    return SshReach.READY if greeting.startswith(b"SSH-"[: len(greeting)]) else SshReach.OTHER


class Connection:
    """An authenticated connection; ``check`` raises what the owner knows better than a lost connection."""

    def __init__(self, transport: paramiko.Transport, address: Address, check: Callable[[], None]) -> None:
        self._transport = transport
        self._check = check
        self.address = address
        self.fingerprint = fingerprint(transport.get_remote_server_key())

    @property
    def alive(self) -> bool:
        """Whether it was still up when last heard of."""
        return self._transport.is_active()

    def close(self) -> None:
        """Close it and let its thread end."""
        _close(self._transport)

    @contextlib.contextmanager
    def limited(self, what: str, limit: float) -> Iterator[None]:
        """Errors of the tree for whatever happens within, and an end after ``limit`` seconds.

        Several of paramiko's calls wait for ever; only ending the connection makes them return.
        """
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._transport.close()

        timer = threading.Timer(limit, expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (paramiko.SSHException, paramiko.SFTPError, EOFError, OSError) as error:
            self._check()
            if expired.is_set() or isinstance(error, TimeoutError):
                raise WaitTimeout(
                    f"waited {limit:.1f} s for the device to {what} over SSH",
                    where=str(self.address),
                    hint="it is busy, or waits itself, as for a disk that does not answer",
                ) from None
            if not self.alive:
                raise lost(self.address, what) from None
            raise DeviceUnreachable(
                f"the device did not {what} over SSH: {_words(error)}", where=str(self.address)
            ) from None
        finally:
            timer.cancel()

    def open_channel(self, limit: float) -> paramiko.Channel:
        """A new session; raises WaitTimeout or DeviceUnreachable."""
        with self.limited("open a session", limit):
            return self._transport.open_session(timeout=limit)

    def sftp(self, limit: float) -> paramiko.SFTPClient:
        """A new file transfer session; raises WaitTimeout or DeviceUnreachable."""
        with self.limited("open a file transfer session", limit):
            client = paramiko.SFTPClient.from_transport(self._transport)
            if client is None:
                raise EOFError
            channel = client.get_channel()
            if channel is not None:
                channel.settimeout(limit)
            return client


def connect(
    address: Address,
    authenticate: Callable[[paramiko.Transport], object],
    whom: str,
    check: Callable[[], None],
    *,
    step: float = STEP,
) -> Connection:
    """Connect and authenticate; neither the agent nor keys under ~/.ssh are ever asked.

    The server's key is not known beforehand and is taken as it comes; compare ``fingerprint`` where it matters.
    Raises DeviceUnreachable, or AuthenticationRefused naming ``whom`` the device refused.
    """
    try:
        connection = socket.create_connection((address.host, address.port), step)
    except OSError as error:
        check()
        raise DeviceUnreachable(
            f"nothing accepts SSH connections: {error.strerror or 'no answer in time'}",
            where=str(address),
            hint="breakglass does not start by itself: start it first",
            overdue=isinstance(error, TimeoutError),
        ) from None
    transport: paramiko.Transport | None = None
    began = time.monotonic()
    try:
        transport = paramiko.Transport(connection)
        transport.set_log_channel(CHANNEL)
        transport.banner_timeout = step
        transport.auth_timeout = step
        transport.handshake_timeout = step
        transport.start_client(timeout=step)
        authenticate(transport)
        if not transport.is_authenticated():
            raise paramiko.AuthenticationException
        return Connection(transport, address, check)
    except BaseException as error:
        if transport is not None:
            _close(transport)
        connection.close()
        if isinstance(error, paramiko.BadAuthenticationType):
            raise AuthenticationRefused(
                f"the device refused {whom}: it takes {', '.join(error.allowed_types)} only", where=str(address)
            ) from None
        if isinstance(error, paramiko.AuthenticationException) and "timeout" not in str(error).lower():
            raise AuthenticationRefused(
                f"the device refused {whom}",
                where=str(address),
                hint="is it in the authorized keys that breakglass was given (-authorized_keys)?",
            ) from None
        if isinstance(error, paramiko.SSHException | EOFError | OSError):
            check()
            raise DeviceUnreachable(
                f"the SSH connection broke off before it was up: {_words(error)}",
                where=str(address),
                hint="a forwarded port accepts before anybody listens behind it: wait until it greets",
                # paramiko says of most limits that passed only that the other side is gone.
                overdue=isinstance(error, TimeoutError) or time.monotonic() - began >= 0.9 * step,
            ) from None
        raise


def lost(address: Address, what: str) -> DeviceUnreachable:
    """The error for a connection that ended while the device was to do something."""
    return DeviceUnreachable(
        f"the SSH connection was lost while the device was to {what}",
        where=str(address),
        hint="was the device restarted, or breakglass stopped?",
    )


def fingerprint(key: paramiko.PKey) -> str:
    """The key's SHA-256 fingerprint as ssh-keygen writes it."""
    return str(key.fingerprint)


def hang_up(channel: paramiko.Channel) -> None:
    """Close a channel; where the connection is lost, that is no error."""
    with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
        channel.close()


def _words(error: BaseException) -> str:
    text = str(error) or "closed by the device"
    return "no greeting came" if "banner" in text else text


def _close(transport: paramiko.Transport) -> None:
    transport.close()
    transport.join(5)  # its thread ends once the socket is closed
